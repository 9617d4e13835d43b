#pragma once

#include "../detail/config.hpp"

#include <cstdint>
#include <iterator>
#include <string_view>

namespace weir::inline WEIR_ABI {

enum class check_state : std::uint8_t {
    unknown,  ///< no result yet
    up,
    down,
};

[[nodiscard]] constexpr std::string_view to_string(check_state value) noexcept {
    constexpr std::string_view names[] = {"unknown", "up", "down"};
    return static_cast<std::size_t>(value) < std::size(names) ? names[static_cast<std::size_t>(value)] : "?";
}

/// What a row of probes says about one backend.
///
/// Rule: the first result decides at once. Then `fall` failures in a row take the backend down, and `rise` passes in a
/// row bring it up again; a result that agrees with the state ends the row of those that did not.
/// Complexity: O(1). Memory: 8 bytes. Thread safety: that of an int.
/// Source: HAProxy's checks; Envoy's first success.
class rise_and_fall {
public:
    /// Thresholds of at least 1. True if the state changed.
    constexpr bool report(bool passed, std::uint32_t rise, std::uint32_t fall) noexcept {
        const check_state said = passed ? check_state::up : check_state::down;
        const std::uint32_t needed = state_ == check_state::unknown ? 1 : passed ? rise : fall;
        streak_ = said == state_ ? 0 : streak_ + 1;
        if (said == state_ || streak_ < needed) return false;
        state_ = said;
        streak_ = 0;
        return true;
    }

    [[nodiscard]] constexpr check_state state() const noexcept { return state_; }
    /// Results in a row that contradict the state.
    [[nodiscard]] constexpr std::uint32_t streak() const noexcept { return streak_; }
    /// The next results may decide: nothing is known yet, or the last result contradicts the state.
    [[nodiscard]] constexpr bool changing() const noexcept { return state_ == check_state::unknown || streak_ > 0; }

private:
    check_state state_ = check_state::unknown;
    std::uint32_t streak_ = 0;
};

}  // namespace weir::inline WEIR_ABI
