#pragma once

#include "metric.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>

namespace weir::inline WEIR_ABI {

/// Orders backends by when their number of leases last changed, or when they became eligible: who waits longest is first.
///
/// Cost: a locked addition to a line that all backends of the registry share, whenever a lease starts or ends.
struct lease_order {
    static constexpr bool timed = false;

    struct pool {
        std::atomic<std::uint64_t> turns{0};
    };
    struct state {
        std::atomic<std::uint64_t> since{0};
    };

    void join(pool& p, state& s) const noexcept { move_to_end(p, s); }
    void leave(pool&, state&) const noexcept {}
    void on_start(pool& p, state& s) const noexcept { move_to_end(p, s); }
    void on_end(pool& p, state& s, outcome, std::chrono::nanoseconds, std::chrono::nanoseconds) const noexcept {
        move_to_end(p, s);
    }
    /// The less, the longer ago.
    [[nodiscard]] std::uint64_t score(const pool&, const state& s, const load_reading&) const noexcept {
        return s.since.load(std::memory_order_relaxed);
    }
    bool operator==(const lease_order&) const = default;

private:
    static void move_to_end(pool& p, state& s) noexcept {
        s.since.store(p.turns.fetch_add(1, std::memory_order_relaxed), std::memory_order_relaxed);
    }
};

static_assert(stateful_metric<lease_order>);

}  // namespace weir::inline WEIR_ABI
