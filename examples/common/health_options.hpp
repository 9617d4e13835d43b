#pragma once

// Checks and outlier rules as text, for programs whose users choose them.

#include "settings.hpp"

#include <weir/asio/http_probe_options.hpp>
#include <weir/weir.hpp>

#include <string>
#include <vector>

namespace examples {

inline constexpr const char* check_syntax =
    "tcp or http:/PATH, then [,interval=MS][,timeout=MS][,fast=MS][,slow=MS][,rise=N][,fall=N][,jitter=0..1], for http "
    "also "
    "[,status=200-299+304][,host=NAME][,body=TEXT][,keep=1]";
inline constexpr const char* outlier_syntax =
    "[consecutive=N][,gateway=N][,connect=N][,sigma=FACTOR][,median=FACTOR][,percentage=N][,trial=N], each also off, "
    "[,interval=MS][,base=MS][,max=MS][,share=0..1][,jitter=0..1]";

/// Statuses and ranges of them, with + between them.
inline setter statuses(std::vector<weir::status_range>& to) {
    return [&to](const std::string& value) {
        to.clear();
        bool sound = true;
        for (std::size_t at = 0, end = 0; end < value.size(); at = end + 1) {
            end = (std::min)(value.find('+', at), value.size());
            const auto one = value.substr(at, end - at), last = one.substr(one.find('-') + 1);
            weir::status_range range{0};
            sound = sound && number(range.first)(one.substr(0, one.find('-'))) && number(range.last)(last);
            to.push_back(range);
        }
        return sound && !to.empty();
    };
}

/// What to probe, and how.
struct check_settings {
    weir::check_options times;
    weir::http_probe_options page;
    bool http = false;  ///< else a connect is enough
};

/// From a text of `check_syntax`. Throws std::invalid_argument, in words.
inline check_settings read_check(const std::string& given) {
    check_settings set;
    auto& [o, page, http] = set;
    int keep = 0;
    std::map<std::string_view, setter> known{{"interval", milliseconds(o.interval)},
                                             {"timeout", unless_off(o.timeout, milliseconds)},
                                             {"fast", unless_off(o.fast_interval, milliseconds)},
                                             {"slow", unless_off(o.slow_interval, milliseconds)},
                                             {"rise", number(o.rise)},
                                             {"fall", number(o.fall)},
                                             {"jitter", number(o.jitter)}};
    http = given.starts_with("http:/");
    if (http)
        known.insert({{"status", statuses(page.statuses)},
                      {"host", text(page.host)},
                      {"body", text(page.body)},
                      {"keep", number(keep)}});
    const auto what = read_settings(given, check_syntax, known);
    if (!http && what != "tcp") throw std::invalid_argument("'" + what + "': expected " + check_syntax);
    if (http) page.target = what.substr(5);
    page.keep = keep != 0;
    return set;
}

/// From a text of `outlier_syntax`, where what is not named is the library's default.
inline weir::outlier_options read_outliers(const std::string& given) {
    weir::outlier_options o;
    const auto count = [](std::uint32_t& to) { return number(to); };
    const auto factor = [](auto& rule) { return number(rule.factor); };
    const auto threshold = [](auto& rule) { return number(rule.threshold); };
    read_settings(given.empty() ? given : ',' + given, outlier_syntax,
                  {{"consecutive", unless_off(o.consecutive_failures, count)},
                   {"gateway", unless_off(o.consecutive_gateway_failures, count)},
                   {"connect", unless_off(o.consecutive_connect_failures, count)},
                   {"sigma", unless_off(o.success_rate_by_sigma, factor)},
                   {"median", unless_off(o.success_rate_by_median, factor)},
                   {"percentage", unless_off(o.failure_percentage, threshold)},
                   {"trial", unless_off(o.trial_requests, count)},
                   {"interval", milliseconds(o.interval)},
                   {"base", milliseconds(o.base_ejection_time)},
                   {"max", milliseconds(o.max_ejection_time)},
                   {"share", number(o.max_ejected_share)},
                   {"jitter", number(o.jitter)}});
    return o;
}

}  // namespace examples
