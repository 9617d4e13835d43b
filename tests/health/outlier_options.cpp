#include <weir/health/outlier_options.hpp>

#include "catch.hpp"

#include <limits>
#include <set>

using namespace std::chrono_literals;
using weir::outlier_options;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("the defaults are Envoy's") {
    const outlier_options o;
    CHECK(o.interval == 10s);
    CHECK(o.consecutive_failures == 5u);
    CHECK_FALSE(o.consecutive_gateway_failures);
    CHECK_FALSE(o.consecutive_connect_failures);
    REQUIRE(o.success_rate_by_sigma);
    CHECK(o.success_rate_by_sigma->factor == 1.9);
    CHECK(o.success_rate_by_sigma->min_backends == 5);
    CHECK(o.success_rate_by_sigma->min_requests == 100);
    CHECK_FALSE(o.failure_percentage);
    CHECK(weir::percentage_rule{}.threshold == 85);
    CHECK(weir::percentage_rule{}.min_backends == 5);
    CHECK(weir::percentage_rule{}.min_requests == 50);
    CHECK(o.base_ejection_time == 30s);
    CHECK(o.max_ejection_time == 300s);
    CHECK(o.max_ejected_share == 0.1);
    CHECK_NOTHROW(weir::detail::check(o));
}

TEST_CASE("options that make no sense are refused, naming the value and the bound") {
    struct row {
        std::string text;
        outlier_options options;
    };
    const row rows[] = {
        {"consecutive_failures of 0 is not at least 1; to switch it off, give it no value",
         {.consecutive_failures = 0u}},
        {"consecutive_gateway_failures of 0 is not at least 1; to switch it off, give it no value",
         {.consecutive_gateway_failures = 0u}},
        {"consecutive_connect_failures of 0 is not at least 1; to switch it off, give it no value",
         {.consecutive_connect_failures = 0u}},
        {"trial_requests of 0 is not at least 1; to switch it off, give it no value", {.trial_requests = 0u}},
        {"success_rate_by_sigma.factor of 0.000000 is not above 0 and at most 100",
         {.success_rate_by_sigma = weir::sigma_rule{.factor = 0}}},
        {"success_rate_by_sigma.factor of -1.900000 is not above 0 and at most 100",
         {.success_rate_by_sigma = weir::sigma_rule{.factor = -1.9}}},
        {"success_rate_by_median.factor of nan is not above 0 and at most 100",
         {.success_rate_by_median = weir::median_rule{.factor = not_a_number}}},
        {"success_rate_by_median.factor of inf is not above 0 and at most 100",
         {.success_rate_by_median = weir::median_rule{.factor = infinite}}},
        {"failure_percentage.threshold of 101.000000 is not above 0 and at most 100 percent",
         {.failure_percentage = weir::percentage_rule{.threshold = 101}}},
        {"failure_percentage.threshold of 0.000000 is not above 0 and at most 100 percent",
         {.failure_percentage = weir::percentage_rule{.threshold = 0}}},
        {"min_backends of 0 is not at least 1", {.success_rate_by_sigma = weir::sigma_rule{.min_backends = 0}}},
        {"min_requests of 0 is not at least 1", {.failure_percentage = weir::percentage_rule{.min_requests = 0}}},
        {"interval of 0 ns is not above 0", {.interval = 0s}},
        {"interval of -1000000000 ns is not above 0", {.interval = -1s}},
        {"base_ejection_time of 0 ns is not above 0", {.base_ejection_time = 0s}},
        {"base_ejection_time of -5000000000 ns is not above 0", {.base_ejection_time = -5s}},
        {"max_ejection_time of 29000000000 ns is not at least base_ejection_time", {.max_ejection_time = 29s}},
        {"jitter of 1.010000 is not from 0 to 1", {.jitter = 1.01}},
        {"jitter of -0.100000 is not from 0 to 1", {.jitter = -0.1}},
        {"jitter of nan is not from 0 to 1", {.jitter = not_a_number}},
        {"max_ejected_share of 1.500000 is not from 0 to 1", {.max_ejected_share = 1.5}},
        {"max_ejected_share of -0.100000 is not from 0 to 1", {.max_ejected_share = -0.1}},
        {"condition of degraded is not one that takes a backend out of service",
         {.condition = weir::condition::degraded}},
        {"condition of half_open is not one that takes a backend out of service",
         {.condition = weir::condition::half_open}},
        {"condition of unknown is not one that takes a backend out of service",
         {.condition = static_cast<weir::condition>(3)}},
    };
    for (const row& r : rows) CHECK_THROWS_WITH(weir::detail::check(r.options), "weir: outlier_options: " + r.text);
}

TEST_CASE("the bounds themselves are allowed") {
    const outlier_options rows[] = {
        {.consecutive_failures = 1u, .interval = 1ns, .base_ejection_time = 1ns, .max_ejection_time = 1ns},
        {.jitter = 0, .max_ejected_share = 0},
        {.jitter = 1, .max_ejected_share = 1},
        {.failure_percentage = weir::percentage_rule{.threshold = 100, .min_backends = 1, .min_requests = 1}},
        {.consecutive_failures = {}, .success_rate_by_sigma = {}, .trial_requests = {}},
        {.condition = weir::condition::user_8}};
    for (const outlier_options& o : rows) CHECK_NOTHROW(weir::detail::check(o));
}

TEST_CASE("every rule has a name of its own") {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < weir::outlier_rule_count; ++i)
        names.insert(to_string(static_cast<weir::outlier_rule>(i)));
    CHECK(names.size() == weir::outlier_rule_count);
    CHECK(names.count("unknown") == 0);
    CHECK(to_string(weir::outlier_rule::trial) == "trial");
    CHECK(to_string(static_cast<weir::outlier_rule>(weir::outlier_rule_count)) == "unknown");
}
