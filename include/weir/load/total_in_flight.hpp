#pragma once

#include "metric.hpp"

#include <atomic>

namespace weir::inline WEIR_ABI {

/// The leases in flight over all eligible backends, kept as one number: what bounded load divides by.
///
/// Cost: two locked additions when a lease starts and two when it ends, one of them on a line that all backends share.
/// Exact: a backend's own word says whether its leases count, so that leaving and joining move exactly its share.
struct total_in_flight {
    static constexpr bool timed = false;

    struct pool {
        /// May lag behind the backends' counts by the leases that are starting or ending right now.
        std::atomic<std::int64_t> total{0};
    };
    struct state {
        std::atomic<std::uint64_t> word{outside};  // leases of this backend, and whether they are in the total
    };

    void join(pool& p, state& s) const noexcept {
        const std::uint64_t before = s.word.fetch_and(~outside, std::memory_order_relaxed);
        if ((before & outside) != 0) add(p, static_cast<std::int64_t>(before & ~outside));
    }
    void leave(pool& p, state& s) const noexcept {
        const std::uint64_t before = s.word.fetch_or(outside, std::memory_order_relaxed);
        if ((before & outside) == 0) add(p, -static_cast<std::int64_t>(before));
    }
    void on_start(pool& p, state& s) const noexcept {
        if ((s.word.fetch_add(1, std::memory_order_relaxed) & outside) == 0) add(p, 1);
    }
    void on_end(pool& p, state& s, outcome, std::chrono::nanoseconds, std::chrono::nanoseconds) const noexcept {
        // A lease that is older than the metric was not counted when it started.
        std::uint64_t before = s.word.load(std::memory_order_relaxed);
        do
            if ((before & ~outside) == 0) return;
        while (!s.word.compare_exchange_weak(before, before - 1, std::memory_order_relaxed));
        if ((before & outside) == 0) add(p, -1);
    }
    [[nodiscard]] std::int64_t score(const pool& p, const state&, const load_reading&) const noexcept {
        return p.total.load(std::memory_order_relaxed);
    }
    bool operator==(const total_in_flight&) const = default;

private:
    static constexpr std::uint64_t outside = std::uint64_t{1} << 63;
    static void add(pool& p, std::int64_t change) noexcept { p.total.fetch_add(change, std::memory_order_relaxed); }
};

static_assert(stateful_metric<total_in_flight>);

}  // namespace weir::inline WEIR_ABI
