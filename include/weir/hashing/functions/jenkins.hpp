#pragma once

#include "../hash_function.hpp"

namespace weir::inline WEIR_ABI {

/// Bob Jenkins' one-at-a-time hash, libmemcached's default. Its last bytes do not reach every bit.
struct one_at_a_time {
    std::uint32_t seed = 0;

    [[nodiscard]] constexpr std::uint32_t operator()(std::string_view text) const noexcept {
        std::uint32_t h = seed;
        for (const char c : text) {
            h += static_cast<unsigned char>(c);
            h += h << 10;
            h ^= h >> 6;
        }
        h += h << 3;
        h ^= h >> 11;
        return h + (h << 15);
    }
    bool operator==(const one_at_a_time&) const = default;
};

/// Bob Jenkins' mixer of 32 bits into 32 (his six shifts), a bijection in which each input bit reaches every output bit.
[[nodiscard]] constexpr std::uint32_t jenkins_mix(std::uint32_t a) noexcept {
    a = (a + 0x7ed55d16) + (a << 12);
    a = (a ^ 0xc761c23c) ^ (a >> 19);
    a = (a + 0x165667b1) + (a << 5);
    a = (a + 0xd3a2646c) ^ (a << 9);
    a = (a + 0xfd7046c5) + (a << 3);
    return (a ^ 0xb55a4f09) ^ (a >> 16);
}

static_assert(hash_function<one_at_a_time>);

}  // namespace weir::inline WEIR_ABI
