#pragma once

#include "../condition.hpp"
#include "../detail/error.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace weir::inline WEIR_ABI {

/// What may call a backend an outlier.
enum class outlier_rule : std::uint8_t {
    consecutive_failures,          ///< anything but success
    consecutive_gateway_failures,  ///< gateway_failure, timeout and connect_failure
    consecutive_connect_failures,  ///< connect_failure
    success_rate_by_sigma,
    success_rate_by_median,
    failure_percentage,
    trial,  ///< a request failed while the backend was half open
};
inline constexpr std::size_t outlier_rule_count = 7;

[[nodiscard]] constexpr std::string_view to_string(outlier_rule value) noexcept {
    constexpr std::string_view names[outlier_rule_count] = {"consecutive_failures",
                                                            "consecutive_gateway_failures",
                                                            "consecutive_connect_failures",
                                                            "success_rate_by_sigma",
                                                            "success_rate_by_median",
                                                            "failure_percentage",
                                                            "trial"};
    return static_cast<std::size_t>(value) < outlier_rule_count ? names[static_cast<std::size_t>(value)] : "unknown";
}

/// Success rate below mean - factor x population sigma.
struct sigma_rule {
    double factor = 1.9;
    std::uint32_t min_backends = 5;    ///< with enough requests, or nobody is judged
    std::uint64_t min_requests = 100;  ///< of a backend between two sweeps, or it is left out
};

/// Success rate below median - factor x the scale of `median_and_mad`.
struct median_rule {
    double factor = 3;
    std::uint32_t min_backends = 3;
    std::uint64_t min_requests = 20;
};

/// Failures in percent of the requests, from `threshold` on.
struct percentage_rule {
    double threshold = 85;
    std::uint32_t min_backends = 5;
    std::uint64_t min_requests = 50;
};

/// What an `outlier_detector` heeds. The defaults are Envoy's; a rule without a value is off.
struct outlier_options {
    std::optional<std::uint32_t> consecutive_failures = 5;  ///< in a row, without a success between them
    std::optional<std::uint32_t> consecutive_gateway_failures = {};
    std::optional<std::uint32_t> consecutive_connect_failures = {};
    std::optional<sigma_rule> success_rate_by_sigma = sigma_rule{};
    std::optional<median_rule> success_rate_by_median = {};
    std::optional<percentage_rule> failure_percentage = {};

    std::chrono::nanoseconds interval = std::chrono::seconds{10};            ///< between sweeps
    std::chrono::nanoseconds base_ejection_time = std::chrono::seconds{30};  ///< times the ejections in a row
    std::chrono::nanoseconds max_ejection_time = std::chrono::seconds{300};
    double jitter = 0.1;  ///< up to this part of the ejection time is added at random, so that nobody returns in step
    double max_ejected_share = 0.1;                   ///< of the members, ejected or half open; one is always allowed
    std::optional<std::uint32_t> trial_requests = 3;  ///< that must succeed before full return; none: returns at once

    /// What an ejection sets. Two detectors of one registry may share it: they share the cap, and neither lifts what
    /// the other did.
    weir::condition condition = weir::condition::ejected;
    /// Called by whoever ends the lease that makes `poll` worth calling. May run on any thread and in several at once;
    /// must not throw or block, and must not call `poll` itself: it wakes the thread that does.
    std::function<void()> on_pending = {};
    std::optional<std::uint64_t> seed = {};  ///< makes the jitter repeatable
};

namespace detail {

/// Throws std::invalid_argument for what makes no sense, naming the value and the bound.
inline void check(const outlier_options& o) {
    const auto refuse = [](const char* name, const std::string& value, const char* bound) {
        reject(std::string{"outlier_options: "} + name + " of " + value + " is not " + bound);
    };
    const auto positive = [&](const char* name, const auto& value) {
        if (value && *value == 0) refuse(name, "0", "at least 1; to switch it off, give it no value");
    };
    const auto duration = [&](const char* name, std::chrono::nanoseconds value) {
        if (value.count() <= 0) refuse(name, std::to_string(value.count()) + " ns", "above 0");
    };
    const auto share = [&](const char* name, double value) {
        if (!(value >= 0 && value <= 1)) refuse(name, std::to_string(value), "from 0 to 1");
    };
    const auto rate = [&](const char* name, const auto& rule, double value, double most, const char* bound) {
        if (!(value > 0 && value <= most)) refuse(name, std::to_string(value), bound);
        if (rule->min_backends == 0) refuse("min_backends", "0", "at least 1");
        if (rule->min_requests == 0) refuse("min_requests", "0", "at least 1");
    };
    positive("consecutive_failures", o.consecutive_failures);
    positive("consecutive_gateway_failures", o.consecutive_gateway_failures);
    positive("consecutive_connect_failures", o.consecutive_connect_failures);
    positive("trial_requests", o.trial_requests);
    constexpr const char *factors = "above 0 and at most 100", *percents = "above 0 and at most 100 percent";
    if (const auto& r = o.success_rate_by_sigma) rate("success_rate_by_sigma.factor", r, r->factor, 100, factors);
    if (const auto& r = o.success_rate_by_median) rate("success_rate_by_median.factor", r, r->factor, 100, factors);
    if (const auto& r = o.failure_percentage) rate("failure_percentage.threshold", r, r->threshold, 100, percents);
    duration("interval", o.interval);
    duration("base_ejection_time", o.base_ejection_time);
    if (o.max_ejection_time < o.base_ejection_time)
        refuse("max_ejection_time", std::to_string(o.max_ejection_time.count()) + " ns", "at least base_ejection_time");
    share("jitter", o.jitter);
    share("max_ejected_share", o.max_ejected_share);
    if (!conditions{o.condition}.exclude() || to_string(o.condition) == "unknown")
        refuse("condition", std::string{to_string(o.condition)}, "one that takes a backend out of service");
}

}  // namespace detail
}  // namespace weir::inline WEIR_ABI
