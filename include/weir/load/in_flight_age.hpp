#pragma once

#include "../detail/config.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>

namespace weir::inline WEIR_ABI {

/// How long the leases in flight on one backend have been running, on average: what shows a hang before its timeouts.
///
/// One 64-bit word holds how many there are (24 bits) and the sum of their starts (40 bits, which wrap): the total age is
/// count x now - sum, exact as long as it is below 2^55 ns (a year of leases; beyond that it reads as 0).
/// Complexity: one locked addition when a lease starts, one when it ends, one load to read. Resolution: 65.5 us.
/// Thread safety: all members from any thread; a reading is of one moment.
class in_flight_age {
public:
    void start(std::chrono::nanoseconds now) noexcept { word_.fetch_add(entry(now), std::memory_order_relaxed); }
    /// `started`: what `start` was told.
    void end(std::chrono::nanoseconds started) noexcept { word_.fetch_sub(entry(started), std::memory_order_relaxed); }

    /// Nanoseconds, finite, rounded down; 0 while nothing is in flight or the clock has gone back.
    [[nodiscard]] double mean(std::chrono::nanoseconds now) const noexcept { return mean_or(0, now); }
    /// The same, or `least` where that is more: without a division where it is.
    [[nodiscard]] WEIR_ALWAYS_INLINE double mean_or(double least, std::chrono::nanoseconds now) const noexcept {
        const std::uint64_t word = word_.load(std::memory_order_relaxed);
        const std::uint64_t count = word & most;
        if (count == 0) return least;
        const double total = total_of(count, word, now);
        return total > least * static_cast<double>(count) ? total / static_cast<double>(count) : least;
    }

private:
    static constexpr int unit_bits = 16, count_bits = 24;
    static constexpr std::uint64_t most = (std::uint64_t{1} << count_bits) - 1;

    static constexpr std::uint64_t ticks(std::chrono::nanoseconds t) noexcept {
        return static_cast<std::uint64_t>(t.count()) >> unit_bits;
    }
    static constexpr std::uint64_t entry(std::chrono::nanoseconds t) noexcept { return (ticks(t) << count_bits) + 1; }

    static double total_of(std::uint64_t count, std::uint64_t word, std::chrono::nanoseconds now) noexcept {
        // Both readings of the clock are rounded down: one tick less for each is never more than the truth.
        const std::uint64_t ages = count * ticks(now) - (word >> count_bits) - count;
        const auto total = static_cast<std::int64_t>(ages << count_bits);  // the sign of the 40 bits that are known
        constexpr double unit = 1.0 / (std::uint64_t{1} << (count_bits - unit_bits));
        return static_cast<double>(total) * unit;
    }

    std::atomic<std::uint64_t> word_{0};
};

}  // namespace weir::inline WEIR_ABI
