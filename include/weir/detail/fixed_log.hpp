#pragma once

#include "wide.hpp"

#include <array>
#include <bit>
#include <cstdint>

namespace weir::inline WEIR_ABI::detail {

/// log2(1 + i/256) in 2^-57ths, by squaring: each squaring yields one binary digit.
constexpr std::array<std::uint64_t, 257> make_log_table() {
    std::array<std::uint64_t, 257> table{};
    for (std::uint64_t i = 1; i < 256; ++i) {
        std::uint64_t mantissa = (256 + i) << 55;  // in [2^63, 2^64)
        std::uint64_t digits = 0;
        for (int bit = 0; bit < 57; ++bit) {
            const wide square = multiply(mantissa, mantissa);
            const bool two = (square.high >> 63) != 0;
            mantissa = two ? square.high : (square.high << 1) | (square.low >> 63);
            digits = (digits << 1) | (two ? 1 : 0);
        }
        table[i] = digits;
    }
    table[256] = std::uint64_t{1} << 57;
    return table;
}

inline constexpr auto log_table = make_log_table();

/// -log2((bits + 1) / 2^64) in 2^-57ths, in (0, 64]: exponentially distributed for uniform bits. Integers only, so that
/// every platform agrees on every comparison; off by at most 3e-6 (linear between 256 points to the octave).
constexpr std::uint64_t negative_log2(std::uint64_t bits) noexcept {
    const int zeros = std::countl_zero(bits | 1);
    const std::uint64_t mantissa = (bits | 1) << zeros;
    const std::uint64_t index = (mantissa >> 55) & 255;
    const std::uint64_t step = log_table[index + 1] - log_table[index];
    const std::uint64_t log = log_table[index] + multiply(step, mantissa << 9).high;
    // 64 - (63 - zeros) - log, where log is below one unless rounding made it one
    return (static_cast<std::uint64_t>(zeros) << 57) + ((std::uint64_t{1} << 57) - log) + 1;
}

}  // namespace weir::inline WEIR_ABI::detail
