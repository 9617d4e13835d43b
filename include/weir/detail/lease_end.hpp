#pragma once

#include "between.hpp"

#include <chrono>

// The times of one lease: what is known of them when it ends.
namespace weir::inline WEIR_ABI::detail {

using clock_function = std::chrono::nanoseconds (*)() noexcept;

/// The start of a lease of which nobody wanted to know it.
inline constexpr std::chrono::nanoseconds untimed{(std::chrono::nanoseconds::min)()};

/// The latency of a lease that is to be measured; any other below 0 stays unknown.
inline constexpr std::chrono::nanoseconds unmeasured{-1};

/// How long a lease took and when it ended. Reads the clock only where the start is known and the latency is not.
struct lease_end {
    WEIR_ALWAYS_INLINE lease_end(std::chrono::nanoseconds started, std::chrono::nanoseconds told,
                                 clock_function clock) noexcept
        : latency{told} {
        if (started == untimed) return;
        if (told.count() >= 0) {
            now = after(started, told);  // who has measured has read a clock already
        } else {
            now = clock();
            if (told == unmeasured) latency = between(started, now);
        }
    }

    std::chrono::nanoseconds latency;  ///< below 0: unknown
    std::chrono::nanoseconds now{0};   ///< 0 if the start is unknown
};

}  // namespace weir::inline WEIR_ABI::detail
