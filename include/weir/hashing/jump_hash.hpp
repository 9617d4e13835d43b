#pragma once

#include "../detail/config.hpp"

#include <cstdint>

namespace weir::inline WEIR_ABI {

/// Jump consistent hash: maps a key onto buckets 0 to n-1 without a table. Growing n by one moves 1 / (n + 1) of the keys, all of
/// them to the new bucket.
///
/// The key is taken as it is; one that is not well mixed goes through `mix` first. 0 for n = 0. Needs no memory, and
/// O(ln n) time. Bit for bit what the paper's code computes: its doubles are a quotient and a product, each rounded once.
/// Source: Lamping and Veach 2014.
[[nodiscard]] constexpr std::uint32_t jump_hash(std::uint64_t key, std::uint32_t n) noexcept {
    std::uint64_t bucket = 0;
    for (std::uint64_t next = 0; next < n;) {
        bucket = next;
        key = key * 2862933555777941757 + 1;
        // 2^31 over a number from 1 to 2^31: at least 1, so the loop gets on; below 2^63, so it stays a number.
        next = static_cast<std::uint64_t>(static_cast<double>(bucket + 1) *
                                          (2147483648.0 / static_cast<double>((key >> 33) + 1)));
    }
    return static_cast<std::uint32_t>(bucket);
}

}  // namespace weir::inline WEIR_ABI
