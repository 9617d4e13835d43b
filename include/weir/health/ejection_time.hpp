#pragma once

#include "elapsed_time.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace weir::inline WEIR_ABI {

/// How long one backend stays out: base x n up to a maximum, n the ejections in a row, falling by one per clean sweep.
/// Pure: one number, and rules that count it up and down.
class ejection_time {
public:
    /// Counts an ejection, and says how long it lasts: with `jitter` (0..1) of that added in the proportion `random`, from
    /// 0 to below 1.
    std::chrono::nanoseconds eject(std::chrono::nanoseconds base, std::chrono::nanoseconds most, double jitter,
                                   double random) noexcept {
        // Counting stops where the maximum is reached: what is bad for a day is forgiven as fast as what is bad for minutes.
        const auto enough = static_cast<std::uint64_t>(most / base) +
                            (most % base != std::chrono::nanoseconds::zero() ? 1 : 0);
        if (in_a_row_ < enough) ++in_a_row_;
        const auto whole = in_a_row_ < enough ? base * static_cast<std::int64_t>(in_a_row_) : most;
        const double more = static_cast<double>(whole.count()) * jitter * random;
        const auto room = static_cast<double>((detail::elapsed_time::longest).count());
        return detail::elapsed_time::after(whole,
                                           std::chrono::nanoseconds{static_cast<std::int64_t>((std::min)(more, room))});
    }
    /// A sweep that found nothing.
    void forgive() noexcept {
        if (in_a_row_ > 0) --in_a_row_;
    }
    [[nodiscard]] std::uint64_t in_a_row() const noexcept { return in_a_row_; }

private:
    std::uint64_t in_a_row_ = 0;
};

}  // namespace weir::inline WEIR_ABI
