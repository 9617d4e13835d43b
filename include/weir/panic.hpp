#pragma once

#include "condition.hpp"
#include "detail/error.hpp"

#include <cstdint>
#include <string>

namespace weir::inline WEIR_ABI {

/// What a registry does when too few of its backends are eligible: what is left would drown in everybody's traffic, and
/// it is likelier that the checks err than that so many backends died at once.
///
/// Rule: of the backends that only their health may keep from being eligible (weight above 0; no condition but the three
/// of health and those that exclude nobody), panic begins where less than `threshold_percent` are eligible, and ends
/// where not. In panic `failed_check`, `unreachable` and `ejected` are ignored; a backend that is disabled, draining, of
/// weight 0, full or excluded stays out. What an operator took out on purpose is no part of the share.
/// Source: Envoy and HAProxy's nbsrv rules; 50 is Envoy's threshold.
struct panic_options {
    int threshold_percent = 0;  ///< from 0 (never) to 100 (as soon as one is out)
    bool fail_closed = false;   ///< in panic nobody is eligible, instead of everybody: shed load at once, keep the rest

    bool operator==(const panic_options&) const = default;
};

namespace detail {

/// The conditions that panic ignores: opinions about a backend's health, which may be wrong.
inline constexpr conditions of_health = condition::failed_check | condition::unreachable | condition::ejected;

/// Exact for any counts: compared without division.
[[nodiscard]] constexpr bool is_panic(const panic_options& o, std::uint64_t eligible, std::uint64_t able) noexcept {
    return 100 * eligible < static_cast<std::uint64_t>(o.threshold_percent) * able;
}

inline void check(const panic_options& o) {
    if (o.threshold_percent < 0 || o.threshold_percent > 100)
        reject("panic: a threshold of " + std::to_string(o.threshold_percent) + " % is not from 0 to 100");
}

}  // namespace detail
}  // namespace weir::inline WEIR_ABI
