#pragma once

#include "detail/config.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>

namespace weir::inline WEIR_ABI {

/// The time of steady_clock, read from the processor's cycle counter: `weir::registry<server, weir::cycle_clock>`, for
/// selectors by latency, of whose cost reading the clock twice is the larger half.
///
/// Each thread asks steady_clock once a millisecond, and counts cycles in between, at the rate of its previous
/// millisecond. So it is within some microseconds of steady_clock whatever the counter does (a thread that changes
/// processors, a virtual machine that moves), and may step back by as much: it is no `is_steady` clock. Where there is no
/// counter that ticks evenly (by what x86 processors say of theirs; not on others) it is steady_clock, at its cost.
class cycle_clock {
public:
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<cycle_clock>;
    static constexpr bool is_steady = false;

    [[nodiscard]] static time_point now() noexcept {
        const anchor& a = anchor_;
        const std::uint64_t elapsed = cycles() - a.cycles;  // huge if the counter has gone back
        if (elapsed >= a.valid) [[unlikely]]
            return time_point{duration{ask()}};
        return time_point{duration{a.time + static_cast<std::int64_t>((elapsed * a.rate) >> rate_bits)}};
    }

    /// Whether the cycle counter is used.
    [[nodiscard]] static bool counts_cycles() noexcept {
        static const bool even = ticks_evenly();
        return even;
    }

private:
    /// A moment by both clocks, and for how many cycles one may count on from there.
    struct anchor {
        std::uint64_t cycles, valid, rate;  // 2^-rate_bits ns a cycle
        std::int64_t time;                  // 0: none yet
    };
    static constexpr int rate_bits = 32;
    static constexpr std::int64_t stretch = 1'000'000;  // ns
    // A reading of both takes some 50 ns. One that was interrupted for longer would make a rate of its own.
    static constexpr std::uint64_t most_uncertain = 4'000;  // cycles, about a thousandth of a stretch

    static std::int64_t steady() noexcept {
        return std::chrono::duration_cast<duration>(std::chrono::steady_clock::now().time_since_epoch()).count();
    }

    WEIR_NEVER_INLINE static std::int64_t ask() noexcept {
        if (!counts_cycles()) return steady();
        anchor& a = anchor_;
        const std::uint64_t before = cycles();
        const std::int64_t time = steady();
        const std::uint64_t uncertain = cycles() - before;
        const std::int64_t passed = time - a.time;
        const std::uint64_t counted = before + uncertain / 2 - a.cycles;
        a.valid = 0;
        if (uncertain > most_uncertain) return time;
        const bool known = a.time != 0 && passed >= stretch;
        if (a.time == 0 || known) {
            a.cycles += counted;
            a.time = time;
        }
        // Between 0.1 and 10 GHz, counted over less than an hour: nothing overflows, here or in now().
        if (known && passed < 3600 * 1'000 * stretch && counted >= static_cast<std::uint64_t>(passed) / 10 &&
            counted / 10 <= static_cast<std::uint64_t>(passed)) {
            a.rate = static_cast<std::uint64_t>(static_cast<double>(passed) / static_cast<double>(counted) *
                                                static_cast<double>(std::uint64_t{1} << rate_bits));
            a.valid = static_cast<std::uint64_t>(static_cast<double>(counted) *
                                                 (static_cast<double>(stretch) / static_cast<double>(passed)));
        }
        return time;
    }

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
    static std::uint64_t cycles() noexcept { return __builtin_ia32_rdtsc(); }
    static bool ticks_evenly() noexcept {
        std::uint32_t a = 0x80000000, b = 0, c = 0, d = 0;
        asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        if (a < 0x80000007) return false;
        a = 0x80000007;
        asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        return ((d >> 8) & 1) != 0;  // the invariant counter: one rate in all states of the processor
    }
#else
    static std::uint64_t cycles() noexcept { return 0; }
    static bool ticks_evenly() noexcept { return false; }
#endif

    static inline constinit thread_local anchor anchor_{};
};

}  // namespace weir::inline WEIR_ABI
