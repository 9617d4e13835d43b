#pragma once

#include "../lease.hpp"

#include <algorithm>
#include <chrono>

namespace weir::inline WEIR_ABI::detail {

/// Readings of a clock as time that only goes on: a step back counts as no time, and the sum stays finite. A reading that
/// is late by less than `slack`, another thread's say, is no step.
class elapsed_time {
public:
    /// The time from the first reading to this one. One thread at a time.
    std::chrono::nanoseconds at(std::chrono::nanoseconds now) noexcept {
        if (started_ && is_late(last_, now)) return sum_;
        if (started_) sum_ += (std::min)(between(last_, now), longest - sum_);
        started_ = true;
        last_ = now;
        return sum_;
    }

    static constexpr std::chrono::nanoseconds slack = std::chrono::seconds{1};
    [[nodiscard]] static constexpr bool is_late(std::chrono::nanoseconds last, std::chrono::nanoseconds now) noexcept {
        return now < last && between(now, last) < slack;
    }

    /// A time later than any.
    static constexpr std::chrono::nanoseconds never{(std::chrono::nanoseconds::max)()};
    /// Where the sum stops: leaves room for adding durations up to as much.
    static constexpr std::chrono::nanoseconds longest{(std::chrono::nanoseconds::max)() / 4};

    /// The sum of a reading or a time and a duration >= 0, without overflow.
    [[nodiscard]] static constexpr std::chrono::nanoseconds after(std::chrono::nanoseconds time,
                                                                  std::chrono::nanoseconds duration) noexcept {
        return time.count() < 0 || duration < never - time ? time + duration : never;
    }

private:
    std::chrono::nanoseconds sum_{0};
    std::chrono::nanoseconds last_{0};
    bool started_ = false;
};

}  // namespace weir::inline WEIR_ABI::detail
