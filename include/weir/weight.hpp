#pragma once

#include "detail/error.hpp"

#include <concepts>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>

namespace weir::inline WEIR_ABI {

/// A backend's share of the traffic relative to the others': a whole number from 0 (no new traffic) to 2^32-1.
/// Takes any number, so that a negative, fractional, NaN or too large one is named instead of wrapped.
/// Throws std::invalid_argument.
class weight {
public:
    static constexpr std::uint32_t max = (std::numeric_limits<std::uint32_t>::max)();

    template <std::integral Number>
        requires(!std::same_as<Number, bool>)
    constexpr weight(Number number) : value_{static_cast<std::uint32_t>(number)} {
        if (number < Number{} || static_cast<std::uintmax_t>(number) > max) refuse(std::to_string(number));
    }

    template <std::floating_point Number>
    constexpr weight(Number number) : value_{0} {
        constexpr auto bound = static_cast<Number>(4294967296);  // 2^32, which even a float holds exactly
        if (!(number >= 0 && number < bound)) refuse(text_of(number));
        value_ = static_cast<std::uint32_t>(number);
        if (static_cast<Number>(value_) < number) refuse(text_of(number));
    }

    [[nodiscard]] constexpr std::uint32_t value() const noexcept { return value_; }
    friend constexpr bool operator==(weight, weight) noexcept = default;

private:
    static std::string text_of(long double number) {
        char text[32];
        std::snprintf(text, sizeof text, "%.15Lg", number);
        return text;
    }
    [[noreturn]] static void refuse(const std::string& given) {
        detail::reject("weight " + given + " is not a whole number from 0 to 4294967295");
    }
    std::uint32_t value_;
};

}  // namespace weir::inline WEIR_ABI
