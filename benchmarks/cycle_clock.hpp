#pragma once

// The processor's cycle counter as a clock, for programs that trust it: what a reading of std::chrono::steady_clock costs
// above this one is the price of waiting until all that stands before it is done. It is here to be measured, and knows
// nothing of counters that differ between processors, that stop, or that are moved to another machine.

#if defined(__x86_64__)

#include <weir/detail/config.hpp>

#include <chrono>
#include <cstdint>
#include <x86intrin.h>

class cycle_clock {
public:
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<cycle_clock>;
    static constexpr bool is_steady = true;

    WEIR_ALWAYS_INLINE static time_point now() noexcept {
        return time_point{duration{static_cast<rep>(static_cast<double>(__rdtsc() - origin) * nanoseconds_per_cycle)}};
    }

private:
    static double measured() noexcept {
        using clock = std::chrono::steady_clock;
        const auto from = clock::now();
        const std::uint64_t first = __rdtsc();
        auto to = from;
        while (to - from < std::chrono::milliseconds{50}) to = clock::now();
        return static_cast<double>(duration{to - from}.count()) / static_cast<double>(__rdtsc() - first);
    }

    static inline const std::uint64_t origin = __rdtsc();
    static inline const double nanoseconds_per_cycle = measured();
};

#define WEIR_HAS_CYCLE_CLOCK

#endif
