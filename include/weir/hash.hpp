#pragma once

#include "detail/bytes.hpp"
#include "detail/wide.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::inline WEIR_ABI {

namespace detail {

/// `mix` but for its last step, `last_of_mix`, which leaves the upper 31 bits as they are.
[[nodiscard]] constexpr std::uint64_t most_of_mix(std::uint64_t value) noexcept {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    return (value ^ (value >> 27)) * 0x94d049bb133111eb;
}
[[nodiscard]] constexpr std::uint64_t last_of_mix(std::uint64_t value) noexcept { return value ^ (value >> 31); }

/// A mixed number's upper 31 bits mapped onto [0, n), n at most 2^32: one multiplication, and no need of the last step.
/// The bias is below n / 2^31.
[[nodiscard]] constexpr std::uint64_t scale_upper(std::uint64_t mixed, std::uint64_t n) noexcept {
    return (mixed >> 33) * n >> 31;
}

}  // namespace detail

/// Mixes 64 bits into 64: a bijection in which each input bit reaches every output bit (the finalizer of splitmix64,
/// Steele, Lea, Flood 2014). For keys that are numbers already. A seed makes another function.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t value, std::uint64_t seed = 0) noexcept {
    return detail::last_of_mix(detail::most_of_mix(value + seed));
}

namespace detail {

/// xxHash64 (Yann Collet), by its published specification; the vectors of several implementations agree.
class xxhash64 {
public:
    static std::uint64_t hash(const char* data, std::size_t size, std::uint64_t seed) noexcept {
        const char* const end = data + size;
        std::uint64_t result = seed + prime_5;
        if (size >= 32) {
            std::uint64_t lanes[4] = {seed + prime_1 + prime_2, seed + prime_2, seed, seed - prime_1};
            for (; end - data >= 32; data += 32)
                for (int i = 0; i < 4; ++i) lanes[i] = round(lanes[i], read_little_endian<std::uint64_t>(data + 8 * i));
            result = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) +
                     std::rotl(lanes[3], 18);
            for (const std::uint64_t lane : lanes) result = (result ^ round(0, lane)) * prime_1 + prime_4;
        }
        result += size;
        for (; end - data >= 8; data += 8)
            result = std::rotl(result ^ round(0, read_little_endian<std::uint64_t>(data)), 27) * prime_1 + prime_4;
        for (; end - data >= 4; data += 4)
            result = std::rotl(result ^ (read_little_endian<std::uint32_t>(data) * prime_1), 23) * prime_2 + prime_3;
        for (; data != end; ++data)
            result = std::rotl(result ^ (static_cast<unsigned char>(*data) * prime_5), 11) * prime_1;
        result = (result ^ (result >> 33)) * prime_2;
        result = (result ^ (result >> 29)) * prime_3;
        return result ^ (result >> 32);
    }

private:
    static constexpr std::uint64_t prime_1 = 0x9e3779b185ebca87, prime_2 = 0xc2b2ae3d27d4eb4f;
    static constexpr std::uint64_t prime_3 = 0x165667b19e3779f9, prime_4 = 0x85ebca77c2b2ae63;
    static constexpr std::uint64_t prime_5 = 0x27d4eb2f165667c5;

    static constexpr std::uint64_t round(std::uint64_t lane, std::uint64_t input) noexcept {
        return std::rotl(lane + input * prime_2, 31) * prime_1;
    }
};

}  // namespace detail

/// The library's hash of text: xxHash64. The same in every process, on every machine and in every version of weir.
[[nodiscard]] inline std::uint64_t hash(std::string_view text, std::uint64_t seed = 0) noexcept {
    return detail::xxhash64::hash(text.data(), text.size(), seed);
}

}  // namespace weir::inline WEIR_ABI
