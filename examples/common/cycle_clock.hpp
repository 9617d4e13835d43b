#pragma once

// The processor's cycle counter as a clock. A reading of std::chrono::steady_clock waits until all that stands before it is
// done, which costs more than most picks; this one does not wait. It is for latencies, not for dates: it runs some millionths
// fast or slow, so its readings go with no other clock's. It trusts the counters of all processors to agree, as Linux does
// where /sys/devices/system/clocksource/clocksource0/current_clocksource says tsc.

#include <chrono>
#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

namespace examples {

/// A clock for `weir::registry<Backend, cycle_clock>`. Where the processor has no counter that runs at one rate for ever,
/// it is steady_clock. Its rate is measured before `main`, in 20 ms; a registry that another file's static uses before that
/// would see its time jump.
class cycle_clock {
public:
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<cycle_clock>;
    static constexpr bool is_steady = true;

    static time_point now() noexcept {
#if defined(__x86_64__)
        if (nanoseconds_per_cycle > 0) [[likely]]
            return time_point{duration{static_cast<rep>(static_cast<double>(__rdtsc()) * nanoseconds_per_cycle)}};
#endif
        return time_point{std::chrono::steady_clock::now().time_since_epoch()};
    }

private:
#if defined(__x86_64__)
    static double measured() noexcept {
        unsigned a = 0, b = 0, c = 0, d = 0;
        constexpr unsigned invariant = 1u << 8;  // of leaf 0x80000007: one rate, asleep or awake
        if (__get_cpuid(0x80000007, &a, &b, &c, &d) == 0 || (d & invariant) == 0) return 0;
        const moment from = moment::read();
        while (std::chrono::steady_clock::now() - from.time < std::chrono::milliseconds{20}) {
        }
        const moment to = moment::read();
        return static_cast<double>(duration{to.time - from.time}.count()) /
               static_cast<double>(to.cycles - from.cycles);
    }
    /// Both clocks at once: the closest of some pairs, in case the program is interrupted between two readings.
    struct moment {
        std::chrono::steady_clock::time_point time;
        std::uint64_t cycles = 0;
        static moment read() noexcept {
            moment best;
            for (std::uint64_t tries = 0, closest = ~std::uint64_t{0}; tries < 16; ++tries) {
                const std::uint64_t before = __rdtsc();
                const auto time = std::chrono::steady_clock::now();
                const std::uint64_t apart = __rdtsc() - before;
                if (apart >= closest) continue;
                closest = apart;
                best = {time, before + apart / 2};
            }
            return best;
        }
    };
    static inline const double nanoseconds_per_cycle = measured();
#endif
};

}  // namespace examples
