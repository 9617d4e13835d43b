#pragma once

#include "../../detail/bytes.hpp"
#include "../hash_function.hpp"

#include <bit>
#include <cstddef>

namespace weir::inline WEIR_ABI {

/// SipHash-2-4: with a secret seed nobody can make keys that collide. For keys that come from strangers; slower than
/// xxHash64. Source: Aumasson and Bernstein 2012.
struct siphash_2_4 {
    using is_avalanching = void;
    std::uint64_t seed = 0;       ///< the first half of the secret
    std::uint64_t more_seed = 0;  ///< the second

    [[nodiscard]] std::uint64_t operator()(std::string_view text) const noexcept {
        state s{seed ^ 0x736f6d6570736575, more_seed ^ 0x646f72616e646f6d, seed ^ 0x6c7967656e657261,
                more_seed ^ 0x7465646279746573};
        const std::size_t whole = text.size() / 8 * 8;
        for (std::size_t i = 0; i < whole; i += 8) s.take(detail::read_little_endian<std::uint64_t>(text.data() + i));
        s.take(detail::read_tail<std::uint64_t>(text.data() + whole, text.size() - whole) |
               (std::uint64_t{text.size()} << 56));
        s.c ^= 0xff;
        for (int i = 0; i < 4; ++i) s.round();
        return s.a ^ s.b ^ s.c ^ s.d;
    }
    bool operator==(const siphash_2_4&) const = default;

private:
    struct state {
        std::uint64_t a, b, c, d;

        void take(std::uint64_t word) noexcept {
            d ^= word;
            round();
            round();
            a ^= word;
        }
        void round() noexcept {
            a += b;
            c += d;
            b = std::rotl(b, 13) ^ a;
            d = std::rotl(d, 16) ^ c;
            a = std::rotl(a, 32) + d;
            c += b;
            d = std::rotl(d, 21) ^ a;
            b = std::rotl(b, 17) ^ c;
            c = std::rotl(c, 32);
        }
    };
};

static_assert(hash_function<siphash_2_4>);

}  // namespace weir::inline WEIR_ABI
