#pragma once

#include "../lease.hpp"

#include <algorithm>
#include <chrono>

namespace weir::inline WEIR_ABI::detail {

/// Readings of a clock as time that only goes on: a step back counts as no time, and the sum stays finite.
class elapsed_time {
public:
    /// The time from the first reading to this one. One thread at a time.
    std::chrono::nanoseconds at(std::chrono::nanoseconds now) noexcept {
        if (started_) sum_ += (std::min)(between(last_, now), longest - sum_);
        started_ = true;
        last_ = now;
        return sum_;
    }

    /// A time later than any.
    static constexpr std::chrono::nanoseconds never{(std::chrono::nanoseconds::max)()};
    /// Where the sum stops: leaves room for adding durations up to as much.
    static constexpr std::chrono::nanoseconds longest{(std::chrono::nanoseconds::max)() / 4};

    /// Sum of a time and a duration >= 0, without overflow.
    [[nodiscard]] static constexpr std::chrono::nanoseconds after(std::chrono::nanoseconds time,
                                                                  std::chrono::nanoseconds duration) noexcept {
        return duration < never - time ? time + duration : never;
    }

private:
    std::chrono::nanoseconds sum_{0};
    std::chrono::nanoseconds last_{0};
    bool started_ = false;
};

}  // namespace weir::inline WEIR_ABI::detail
