#pragma once

#include "config.hpp"

#include <chrono>
#include <cstdint>

namespace weir::inline WEIR_ABI::detail {

/// From one reading of a clock to another: not negative, and without overflow whatever the clock says.
[[nodiscard]] constexpr std::chrono::nanoseconds between(std::chrono::nanoseconds from,
                                                         std::chrono::nanoseconds to) noexcept {
    if (to <= from) return std::chrono::nanoseconds{0};
    const auto elapsed = static_cast<std::uint64_t>(to.count()) - static_cast<std::uint64_t>(from.count());
    constexpr auto most = static_cast<std::uint64_t>((std::chrono::nanoseconds::max)().count());
    return std::chrono::nanoseconds{static_cast<std::int64_t>(elapsed < most ? elapsed : most)};
}

/// `later`, which is not negative, after a reading of a clock; at most the end of time.
[[nodiscard]] constexpr std::chrono::nanoseconds after(std::chrono::nanoseconds start,
                                                       std::chrono::nanoseconds later) noexcept {
    constexpr auto most = (std::chrono::nanoseconds::max)();
    return start.count() < 0 || later <= most - start ? start + later : most;
}

}  // namespace weir::inline WEIR_ABI::detail
