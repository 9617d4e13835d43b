#pragma once

#include "../../detail/bytes.hpp"
#include "../hash_function.hpp"

#include <array>
#include <bit>
#include <cstddef>

// Austin Appleby's. Even, but keys that collide under every seed are known: no defence against whoever wants collisions.
namespace weir::inline WEIR_ABI {

/// MurmurHash64A, the second generation: what Envoy's MURMUR_HASH_2 is, with the seed 0xc70f6907.
struct murmur2_64a {
    using is_avalanching = void;
    std::uint64_t seed = 0;

    [[nodiscard]] std::uint64_t operator()(std::string_view text) const noexcept {
        constexpr std::uint64_t m = 0xc6a4a7935bd1e995;
        const auto shake = [](std::uint64_t k) { return k ^ (k >> 47); };
        std::uint64_t h = seed ^ (text.size() * m);
        const std::size_t whole = text.size() / 8 * 8;
        for (std::size_t i = 0; i < whole; i += 8)
            h = (h ^ (shake(detail::read_little_endian<std::uint64_t>(text.data() + i) * m) * m)) * m;
        if (whole != text.size())
            h = (h ^ detail::read_tail<std::uint64_t>(text.data() + whole, text.size() - whole)) * m;
        return shake(shake(h) * m);
    }
    bool operator==(const murmur2_64a&) const = default;
};

/// MurmurHash3_x86_32.
struct murmur3_32 {
    using is_avalanching = void;
    std::uint32_t seed = 0;

    [[nodiscard]] std::uint32_t operator()(std::string_view text) const noexcept {
        const auto scatter = [](std::uint32_t k) { return std::rotl(k * 0xcc9e2d51u, 15) * 0x1b873593u; };
        std::uint32_t h = seed;
        const std::size_t whole = text.size() / 4 * 4;
        for (std::size_t i = 0; i < whole; i += 4)
            h = std::rotl(h ^ scatter(detail::read_little_endian<std::uint32_t>(text.data() + i)), 13) * 5 + 0xe6546b64;
        h ^= scatter(detail::read_tail<std::uint32_t>(text.data() + whole, text.size() - whole));
        h ^= static_cast<std::uint32_t>(text.size());
        h = (h ^ (h >> 16)) * 0x85ebca6b;
        h = (h ^ (h >> 13)) * 0xc2b2ae35;
        return h ^ (h >> 16);
    }
    bool operator==(const murmur3_32&) const = default;
};

/// MurmurHash3_x64_128. As a function it gives the first 64 bits, which is what most users of it take.
struct murmur3_128 {
    using is_avalanching = void;
    std::uint32_t seed = 0;

    [[nodiscard]] std::uint64_t operator()(std::string_view text) const noexcept { return both(text)[0]; }

    /// All 128 bits.
    [[nodiscard]] std::array<std::uint64_t, 2> both(std::string_view text) const noexcept {
        std::uint64_t h1 = seed, h2 = seed;
        const std::size_t whole = text.size() / 16 * 16, left = text.size() - whole;
        for (std::size_t i = 0; i < whole; i += 16) {
            h1 ^= first(detail::read_little_endian<std::uint64_t>(text.data() + i));
            h1 = (std::rotl(h1, 27) + h2) * 5 + 0x52dce729;
            h2 ^= second(detail::read_little_endian<std::uint64_t>(text.data() + i + 8));
            h2 = (std::rotl(h2, 31) + h1) * 5 + 0x38495ab5;
        }
        const char* const tail = text.data() + whole;
        if (left > 8) h2 ^= second(detail::read_tail<std::uint64_t>(tail + 8, left - 8));
        if (left > 0) h1 ^= first(detail::read_tail<std::uint64_t>(tail, left > 8 ? 8 : left));
        return finish(h1, h2, text.size());
    }
    bool operator==(const murmur3_128&) const = default;

private:
    static constexpr std::uint64_t c1 = 0x87c37b91114253d5, c2 = 0x4cf5ad432745937f;
    static constexpr std::uint64_t first(std::uint64_t k) noexcept { return std::rotl(k * c1, 31) * c2; }
    static constexpr std::uint64_t second(std::uint64_t k) noexcept { return std::rotl(k * c2, 33) * c1; }
    static constexpr std::uint64_t avalanche(std::uint64_t k) noexcept {
        k = (k ^ (k >> 33)) * 0xff51afd7ed558ccd;
        k = (k ^ (k >> 33)) * 0xc4ceb9fe1a85ec53;
        return k ^ (k >> 33);
    }
    static constexpr std::array<std::uint64_t, 2> finish(std::uint64_t h1, std::uint64_t h2,
                                                         std::uint64_t size) noexcept {
        h1 ^= size;
        h2 ^= size;
        h1 += h2;
        h2 += h1;
        h1 = avalanche(h1);
        h2 = avalanche(h2);
        h1 += h2;
        return {h1, h2 + h1};
    }
};

static_assert(hash_function<murmur2_64a> && hash_function<murmur3_32> && hash_function<murmur3_128>);

}  // namespace weir::inline WEIR_ABI
