#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace weir_test {

/// A clock that stands still until it is told.
struct manual_clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<manual_clock>;
    static constexpr bool is_steady = true;

    static time_point now() noexcept { return time_point{duration{ticks.load(std::memory_order_relaxed)}}; }
    static void set(duration since_epoch) noexcept { ticks.store(since_epoch.count(), std::memory_order_relaxed); }
    static void advance(duration by) noexcept { ticks.fetch_add(by.count(), std::memory_order_relaxed); }

private:
    static inline std::atomic<std::int64_t> ticks{0};
};

}  // namespace weir_test
