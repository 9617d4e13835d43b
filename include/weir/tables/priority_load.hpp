#pragma once

#include "../version.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace weir::inline WEIR_ABI {

/// The members of one priority.
struct priority_level {
    std::uint64_t members = 0;
    std::uint64_t healthy = 0;   ///< of them: eligible and not degraded
    std::uint64_t degraded = 0;  ///< of them: eligible and degraded
};

/// What one priority gets of the traffic, in percent.
struct priority_share {
    std::uint32_t healthy = 0;
    std::uint32_t degraded = 0;
    friend constexpr bool operator==(const priority_share&, const priority_share&) noexcept = default;
};

/// Divides the traffic among priorities as Envoy does, in whole percent.
///
/// Rule: a level is as healthy as min(100, overprovisioning x healthy / members), rounded down, and likewise for its
/// degraded members. If that adds up to less than 100 over all levels, everything is scaled up to 100. Then the healthy
/// of each level take what they can, in order, and after them the degraded of each level; what rounding leaves goes to
/// the first that has any. All 0 if nobody is eligible.
/// Source: Envoy, "Priority levels" and "Degraded endpoints".
[[nodiscard]] inline std::vector<priority_share> priority_load(std::span<const priority_level> levels,
                                                               std::uint32_t overprovisioning = 140) {
    std::vector<priority_share> able, shares(levels.size());
    std::uint64_t sum = 0;
    for (const priority_level& level : levels) {
        const auto part = [&](std::uint64_t some) {
            if (level.members == 0) return std::uint32_t{0};
            return static_cast<std::uint32_t>((std::min)(overprovisioning * some / level.members, std::uint64_t{100}));
        };
        able.push_back({part(level.healthy), part(level.degraded)});
        sum += able.back().healthy + able.back().degraded;
    }
    sum = (std::min)(sum, std::uint64_t{100});
    std::uint32_t left = sum == 0 ? 0 : 100;
    std::uint32_t* first = nullptr;
    const auto take = [&](std::uint32_t& share, std::uint32_t can) {
        if (can == 0 || sum == 0) return;
        if (first == nullptr) first = &share;
        share = (std::min)(left, static_cast<std::uint32_t>(can * std::uint64_t{100} / sum));
        left -= share;
    };
    for (std::size_t i = 0; i < levels.size(); ++i) take(shares[i].healthy, able[i].healthy);
    for (std::size_t i = 0; i < levels.size(); ++i) take(shares[i].degraded, able[i].degraded);
    if (first != nullptr) *first += left;
    return shares;
}

}  // namespace weir::inline WEIR_ABI
