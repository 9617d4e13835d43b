#pragma once

// Options with options: FIRST[,NAME=VALUE...], as one argument of a command line.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace examples {

/// Takes a value; false: it cannot be one.
using setter = std::function<bool(const std::string& value)>;

template <std::integral T>
setter number(T& to) {
    return [&to](const std::string& value) {
        const auto [end, wrong] = std::from_chars(value.data(), value.data() + value.size(), to);
        return wrong == std::errc{} && end == value.data() + value.size();
    };
}
inline setter number(double& to) {
    return [&to](const std::string& value) {
        char* end =
            nullptr;  // std::from_chars, which other standard libraries lack, takes neither blanks nor hexadecimals
        to = std::strtod(value.c_str(), &end);
        return !value.empty() && end == value.c_str() + value.size() &&
               value.find_first_of(" \t\n\v\f\rxX") == value.npos;
    };
}
/// Of what may be without a value: `off`, or what `of` makes of the value.
template <class T, class Of>
setter unless_off(std::optional<T>& to, Of of) {
    return [&to, of](const std::string& value) {
        if (value != "off") return of(to.emplace())(value);
        to.reset();
        return true;
    };
}
/// In milliseconds.
inline setter milliseconds(std::chrono::nanoseconds& to) {
    return [&to](const std::string& value) {
        std::int32_t count = 0;
        const bool sound = number(count)(value);
        to = std::chrono::milliseconds(count);
        return sound;
    };
}
inline setter text(std::string& to) {
    return [&to](const std::string& value) {
        to = value;
        return !value.empty();
    };
}

/// Reads the settings and returns FIRST. Another name, or a value that cannot be one: throws std::invalid_argument, which
/// names it and says what is `expected`.
inline std::string read_settings(const std::string& given, const std::string& expected,
                                 const std::map<std::string_view, setter>& known) {
    const auto first = given.substr(0, given.find(','));
    for (auto at = first.size(); at < given.size();) {
        const auto end = (std::min)(given.find(',', at + 1), given.size());
        const auto one = given.substr(at + 1, end - at - 1);
        const auto name = one.substr(0, one.find('='));
        const auto found = known.find(name);
        if (found == known.end() || name.size() == one.size() || !found->second(one.substr(name.size() + 1)))
            throw std::invalid_argument("'" + one + "': expected " + expected);
        at = end;
    }
    return first;
}

}  // namespace examples
