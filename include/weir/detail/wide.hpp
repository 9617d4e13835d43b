#pragma once

#include "config.hpp"

#include <cstdint>

namespace weir::inline WEIR_ABI::detail {

struct wide {
    std::uint64_t high;
    std::uint64_t low;
    friend constexpr bool operator<(wide a, wide b) noexcept {
        return a.high != b.high ? a.high < b.high : a.low < b.low;
    }
};

/// The whole product of two 64-bit numbers, the same on every platform.
constexpr wide multiply(std::uint64_t a, std::uint64_t b) noexcept {
#if defined(__SIZEOF_INT128__)
    __extension__ using u128 = unsigned __int128;
    // The low half on its own: from one 128-bit product g++ 12 takes both halves by way of the stack.
    return {static_cast<std::uint64_t>((static_cast<u128>(a) * b) >> 64), a * b};
#else
    const std::uint64_t half = 0xffffffff;
    const std::uint64_t ll = (a & half) * (b & half), lh = (a & half) * (b >> 32);
    const std::uint64_t hl = (a >> 32) * (b & half), hh = (a >> 32) * (b >> 32);
    const std::uint64_t middle = (ll >> 32) + (lh & half) + (hl & half);
    return {hh + (lh >> 32) + (hl >> 32) + (middle >> 32), (middle << 32) | (ll & half)};
#endif
}

/// Maps 64 uniform bits onto [0, n): the bias is below n / 2^64.
constexpr std::uint64_t scale(std::uint64_t bits, std::uint64_t n) noexcept { return multiply(bits, n).high; }

}  // namespace weir::inline WEIR_ABI::detail
