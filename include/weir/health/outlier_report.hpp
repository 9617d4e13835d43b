#pragma once

#include "outlier_judge.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

namespace weir::inline WEIR_ABI {

enum class outlier_phase : std::uint8_t {
    in_service,
    ejected,
    half_open,  ///< back on trial
};

[[nodiscard]] constexpr std::string_view to_string(outlier_phase value) noexcept {
    constexpr std::string_view names[] = {"in_service", "ejected", "half_open"};
    return static_cast<std::size_t>(value) < std::size(names) ? names[static_cast<std::size_t>(value)] : "unknown";
}

/// What a detector knows about one backend, as of its last poll.
struct outlier_report {
    backend_id id;
    outlier_phase phase = outlier_phase::in_service;
    outlier_verdicts verdicts = {};          ///< each rule for itself: rates as of the last sweep
    std::optional<outlier_rule> cause = {};  ///< of the last ejection, granted or refused
    outlier_verdict why = {};                ///< its value and bound
    std::uint64_t in_a_row = 0;              ///< ejections, less one for each clean sweep since: the n of base x n
    std::uint64_t ejections = 0;             ///< since the backend was added
    std::uint64_t refused = 0;               ///< for the cap, or for being the last one
    std::chrono::nanoseconds left{0};        ///< of the present ejection
};

/// How often each rule has ejected a backend, and how often it could not, by `outlier_rule`.
struct outlier_counts {
    std::array<std::uint64_t, outlier_rule_count> ejected{};
    std::array<std::uint64_t, outlier_rule_count> refused{};
};

}  // namespace weir::inline WEIR_ABI
