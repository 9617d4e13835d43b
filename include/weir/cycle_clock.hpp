#pragma once

#include "detail/extrapolated_time.hpp"
#include "detail/os.hpp"

#include <chrono>
#include <cstdint>

namespace weir::inline WEIR_ABI {

/// std::chrono::steady_clock at less than half its price, for selectors by latency: `registry<Backend, weir::cycle_clock>`.
///
/// A reading of steady_clock waits until all that stands before it is done, which takes longer than most picks. This clock
/// reads it once a millisecond in each thread and goes on by the processor's cycle counter in between, without waiting.
/// It has steady_clock's epoch, so that readings of either may be told to a pick.
/// Accuracy: within a microsecond of steady_clock, seldom more than 50 ns; of two threads one may be ahead by as much. It
/// does not go back within a thread, but by what the counters of two processors differ: by more than 3 us they are found out.
/// Complexity: one reading of the counter and a multiplication. Thread safety: any thread.
/// Where there is no counter of one rate (other than x86-64, an old processor, MSVC), while its rate is not known (the
/// first 10 ms), and from the moment on that counter and clock are seen to disagree, it is steady_clock.
class cycle_clock {
public:
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<cycle_clock>;
    static constexpr bool is_steady = true;

    [[nodiscard]] WEIR_ALWAYS_INLINE static time_point now() noexcept {
        if constexpr (!detail::os::has_cycles) return time_point{duration{source::time()}};
        return time_point{duration{detail::extrapolated_time<source>::now()}};
    }

private:
    struct source {
        static bool is_steady() noexcept { return detail::os::cycles_are_steady(); }
        static std::uint64_t count() noexcept { return detail::os::cycles(); }
        static std::int64_t time() noexcept {
            return std::chrono::nanoseconds{std::chrono::steady_clock::now().time_since_epoch()}.count();
        }
    };
};

}  // namespace weir::inline WEIR_ABI
