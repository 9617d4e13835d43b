#pragma once

#include "detail/config.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::inline WEIR_ABI {

/// How a request ended. Metrics and statistics learn from it.
enum class outcome : std::uint8_t {
    success,
    failure,          ///< answered, and the answer was an error of the backend's
    timeout,          ///< not answered in time
    connect_failure,  ///< never reached the backend
    cancelled,        ///< given up by the caller, or never reported: says nothing about the backend
    gateway_failure,  ///< answered, but only by a gateway that did not get through: HTTP's 502, 503 and 504
};

/// Why there is no backend; the first that applies, in this order.
enum class pick_error : std::uint8_t {
    none,
    empty,          ///< the registry has no backends
    none_eligible,  ///< all are out of service or have weight 0
    all_excluded,   ///< every eligible one is in `pick_options::exclude`
    overloaded,     ///< every one that is left has reached its limit
};

/// Why it is this backend.
enum class pick_reason : std::uint8_t {
    chosen,    ///< the selector's own rule
    rerouted,  ///< the rule's first candidate was ineligible, excluded or at its limit: the rule's next
    spilled,   ///< the rule's first candidate had reached a load bound, or its level too few in health (`priority`)
    panic,     ///< too few are eligible, so health is ignored: every lease of that time, see panic_options
    fallback,  ///< the rule found none within its steps: a weighted draw over all that are acceptable, or another level
    keyless,   ///< a hashing selector without a key: a random draw
    sticky,    ///< the session's own backend, see the adaptor `sticky`
};

inline constexpr std::size_t outcome_count = 6;
inline constexpr std::size_t pick_error_count = 5;
inline constexpr std::size_t pick_reason_count = 7;

[[nodiscard]] constexpr std::string_view to_string(outcome value) noexcept {
    constexpr std::string_view names[outcome_count] = {"success",         "failure",   "timeout",
                                                       "connect_failure", "cancelled", "gateway_failure"};
    return static_cast<std::size_t>(value) < outcome_count ? names[static_cast<std::size_t>(value)] : "unknown";
}

[[nodiscard]] constexpr std::string_view to_string(pick_error value) noexcept {
    constexpr std::string_view names[pick_error_count] = {"none", "empty", "none_eligible", "all_excluded",
                                                          "overloaded"};
    return static_cast<std::size_t>(value) < pick_error_count ? names[static_cast<std::size_t>(value)] : "unknown";
}

[[nodiscard]] constexpr std::string_view to_string(pick_reason value) noexcept {
    constexpr std::string_view names[pick_reason_count] = {"chosen",   "rerouted", "spilled", "panic",
                                                           "fallback", "keyless",  "sticky"};
    return static_cast<std::size_t>(value) < pick_reason_count ? names[static_cast<std::size_t>(value)] : "unknown";
}

}  // namespace weir::inline WEIR_ABI
