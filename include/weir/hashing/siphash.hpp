#pragma once

#include "../detail/config.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::inline WEIR_ABI {

/// SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash whose values tell nobody without the key what other values are.
/// For tokens that clients see; `hash` is faster, but whoever knows some of its values can compute others.
struct siphash_key {
    std::uint64_t low = 0;   ///< the first eight bytes of a key of 16, little-endian
    std::uint64_t high = 0;  ///< the last eight
    friend constexpr bool operator==(const siphash_key&, const siphash_key&) noexcept = default;
};

[[nodiscard]] constexpr std::uint64_t siphash(std::string_view text, const siphash_key& key) noexcept {
    std::uint64_t a = key.low ^ 0x736f6d6570736575, b = key.high ^ 0x646f72616e646f6d;
    std::uint64_t c = key.low ^ 0x6c7967656e657261, d = key.high ^ 0x7465646279746573;
    const auto rounds = [&](int n) {
        for (; n > 0; --n) {
            a += b, b = std::rotl(b, 13) ^ a, a = std::rotl(a, 32);
            c += d, d = std::rotl(d, 16) ^ c;
            a += d, d = std::rotl(d, 21) ^ a;
            c += b, b = std::rotl(b, 17) ^ c, c = std::rotl(c, 32);
        }
    };
    const auto absorb = [&](std::uint64_t word) {
        d ^= word;
        rounds(2);
        a ^= word;
    };
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        word |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * (i % 8));
        if (i % 8 != 7) continue;
        absorb(word);
        word = 0;
    }
    absorb(word | (std::uint64_t{text.size()} << 56));
    c ^= 0xff;
    rounds(4);
    return a ^ b ^ c ^ d;
}

}  // namespace weir::inline WEIR_ABI
