#pragma once

#include "../detail/config.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <utility>

namespace weir::inline WEIR_ABI {

/// The median over backends of one latency each, kept up to date without a lock: what an unknown backend is taken for.
///
/// A histogram in quarter octaves: a reading is within a factor of 2^(1/4) of the exact median. Filing a latency in
/// another bucket costs three locked additions and a walk over 256 counters (about 0.1 us); reading costs one load.
/// Thread safety: all members from any thread; readings taken during changes are those of some recent state. At rest it is
/// the median of all.
class latency_median {
public:
    using bucket = std::int16_t;
    static constexpr bucket unfiled = -1;

    /// Four buckets to the octave, by the top bit of the nanoseconds and the two below it.
    [[nodiscard]] static bucket bucket_of(double nanoseconds) noexcept {
        const auto whole = static_cast<std::uint64_t>((std::min)((std::max)(nanoseconds, 1.0), 9.2e18));
        const int octave = static_cast<int>(std::bit_width(whole)) - 1;
        const std::uint64_t quarter = octave >= 2 ? (whole >> (octave - 2)) & 3 : (whole << (2 - octave)) & 3;
        return static_cast<bucket>(4 * octave + static_cast<int>(quarter));
    }

    /// Moves one backend's latency; `unfiled` on either side takes it in or out.
    void move(bucket from, bucket to) noexcept {
        if (to != unfiled) counts_[to].fetch_add(1, std::memory_order_relaxed);
        if (from != unfiled) counts_[from].fetch_sub(1, std::memory_order_relaxed);
        // Of several at once, who comes last counts all; who began before it and stores after it sees that, and counts anew.
        std::uint32_t seen = moves_.fetch_add(1, std::memory_order_seq_cst) + 1;
        for (int tries = 0; tries < 8; ++tries) {
            value_.store(count(), std::memory_order_seq_cst);
            if (const auto now = moves_.load(std::memory_order_seq_cst); now == std::exchange(seen, now)) return;
        }
    }

    /// Nanoseconds; 0 while no latency is filed.
    [[nodiscard]] double value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    static constexpr int buckets = 256;

    static double middle_of(int bucket) noexcept {
        const double base = static_cast<double>(std::uint64_t{1} << (bucket / 4));
        return base * (1 + 0.25 * (bucket % 4) + 0.125);
    }

    [[nodiscard]] double count() const noexcept {
        std::int64_t all = 0;
        for (const auto& count : counts_) all += count.load(std::memory_order_relaxed);
        std::int64_t below = 0;
        for (int i = 0; i < buckets; ++i) {
            below += counts_[i].load(std::memory_order_relaxed);
            if (2 * below >= all && below > 0) return middle_of(i);
        }
        return 0;
    }

    std::atomic<double> value_{0};
    std::atomic<std::uint32_t> moves_{0};
    std::atomic<std::int32_t> counts_[buckets]{};
};

}  // namespace weir::inline WEIR_ABI
