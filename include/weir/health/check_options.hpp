#pragma once

#include "../detail/error.hpp"

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>

namespace weir::inline WEIR_ABI {

/// How one backend is probed. The defaults are HAProxy's, but for the jitter.
struct check_options {
    std::chrono::nanoseconds interval = std::chrono::seconds{2};  ///< from one start to the next; at most a day
    std::optional<std::chrono::nanoseconds> timeout = {};         ///< at most the interval, which it is by default
    std::optional<std::chrono::nanoseconds> fast_interval = {};   ///< while a state is changing; default: the interval
    std::optional<std::chrono::nanoseconds> slow_interval = {};  ///< while live traffic succeeds; default: the interval
    int rise = 2;                                                ///< passes in a row that bring a backend up
    int fall = 3;                                                ///< failures in a row that take it down
    double jitter = 0.1;                                         ///< 0..1: the share by which an interval may be longer
};

namespace detail {

[[nodiscard]] inline std::string text_of(std::chrono::nanoseconds t) {
    char text[40];
    std::snprintf(text, sizeof text, "%.9g s", static_cast<double>(t.count()) / 1e9);
    return text;
}

/// Throws std::invalid_argument for what is not from `least` to `most`.
inline void check_duration(const char* name, std::chrono::nanoseconds given, std::chrono::nanoseconds least,
                           std::chrono::nanoseconds most) {
    if (given < least || given > most)
        reject("active_checker: " + std::string{name} + " " + text_of(given) + " is not from " + text_of(least) +
               " to " + text_of(most));
}

inline void check(const check_options& o) {
    using std::chrono::nanoseconds;
    constexpr nanoseconds tick{1}, day = std::chrono::hours{24};
    check_duration("interval", o.interval, tick, day);
    // A probe that outlasts the interval would be due again before it has ended.
    if (o.timeout) check_duration("timeout", *o.timeout, tick, o.interval);
    if (o.fast_interval) check_duration("fast_interval", *o.fast_interval, tick, o.interval);
    if (o.slow_interval) check_duration("slow_interval", *o.slow_interval, o.interval, day);
    if (o.rise < 1) reject("active_checker: rise " + std::to_string(o.rise) + " is not at least 1");
    if (o.fall < 1) reject("active_checker: fall " + std::to_string(o.fall) + " is not at least 1");
    if (!(o.jitter >= 0 && o.jitter <= 1))
        reject("active_checker: jitter " + std::to_string(o.jitter) + " is not from 0 to 1");
}

}  // namespace detail
}  // namespace weir::inline WEIR_ABI
