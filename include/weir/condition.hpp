#pragma once

#include "detail/config.hpp"

#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

namespace weir::inline WEIR_ABI {

/// One independent cause of being unavailable or less wanted. Each is set and cleared on its own, so that a passing
/// check cannot undo an operator's drain. All but `degraded` and `half_open` exclude: a backend with one of the others
/// gets no new leases.
enum class condition : std::uint16_t {
    failed_check = 1 << 0,  ///< active checks fail
    unreachable = 1 << 1,   ///< connects are refused
    ejected = 1 << 2,       ///< an outlier among its peers
    draining = 1 << 3,      ///< finishing what it has
    disabled = 1 << 4,      ///< switched off by an operator
    degraded = 1 << 5,      ///< less wanted, still eligible: the adaptor `priority` takes it last
    user_1 = 1 << 6,        ///< the user's own causes, all of them excluding
    user_2 = 1 << 7,
    user_3 = 1 << 8,
    user_4 = 1 << 9,
    user_5 = 1 << 10,
    user_6 = 1 << 11,
    user_7 = 1 << 12,
    user_8 = 1 << 13,
    half_open = 1 << 14,  ///< on trial after an ejection: eligible, one lease at a time
};

/// A set of conditions.
class conditions {
public:
    constexpr conditions() noexcept = default;
    constexpr conditions(condition one) noexcept : bits_{static_cast<std::uint16_t>(one)} {}

    [[nodiscard]] constexpr bool has(condition one) const noexcept {
        return (bits_ & static_cast<std::uint16_t>(one)) != 0;
    }
    [[nodiscard]] constexpr bool empty() const noexcept { return bits_ == 0; }
    /// True if a backend with this set may not be chosen.
    [[nodiscard]] constexpr bool exclude() const noexcept {
        constexpr int harmless = static_cast<int>(condition::degraded) | static_cast<int>(condition::half_open);
        return (bits_ & ~harmless) != 0;
    }
    [[nodiscard]] constexpr conditions with(conditions more) const noexcept { return from(bits_ | more.bits_); }
    [[nodiscard]] constexpr conditions without(conditions less) const noexcept { return from(bits_ & ~less.bits_); }

    friend constexpr bool operator==(conditions, conditions) noexcept = default;
    friend constexpr conditions operator|(conditions a, conditions b) noexcept { return a.with(b); }

private:
    static constexpr conditions from(int bits) noexcept {
        conditions result;
        result.bits_ = static_cast<std::uint16_t>(bits);
        return result;
    }
    std::uint16_t bits_ = 0;
};

[[nodiscard]] constexpr conditions operator|(condition a, condition b) noexcept {
    return conditions{a} | conditions{b};
}

[[nodiscard]] constexpr std::string_view to_string(condition value) noexcept {
    constexpr std::string_view names[] = {"failed_check", "unreachable", "ejected", "draining", "disabled",
                                          "degraded",     "user_1",      "user_2",  "user_3",   "user_4",
                                          "user_5",       "user_6",      "user_7",  "user_8",   "half_open"};
    for (unsigned i = 0; i < std::size(names); ++i)
        if (static_cast<unsigned>(value) == 1u << i) return names[i];
    return "unknown";
}

/// The names of a set, separated by commas; empty for the empty set.
[[nodiscard]] inline std::string to_string(conditions set) {
    std::string text;
    for (unsigned i = 0; i < 15; ++i)
        if (const auto one = static_cast<condition>(1u << i); set.has(one))
            text += (text.empty() ? "" : ",") + std::string{to_string(one)};
    return text;
}

}  // namespace weir::inline WEIR_ABI
