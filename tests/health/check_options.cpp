#include <weir/health/check_options.hpp>

#include "catch.hpp"

#include <limits>
#include <stdexcept>

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using weir::check_options;

namespace {

std::string refusal(const check_options& o) {
    try {
        weir::detail::check(o);
        return "accepted";
    } catch (const std::invalid_argument& e) {
        return e.what();
    }
}

}  // namespace

TEST_CASE("the defaults are accepted, and so is each bound") {
    CHECK(refusal({}) == "accepted");
    CHECK(
        refusal({.interval = 1ns, .timeout = 1ns, .fast_interval = 1ns, .slow_interval = 24h, .rise = 1, .fall = 1}) ==
        "accepted");
    CHECK(refusal({.interval = 24h, .slow_interval = 24h, .jitter = 1}) == "accepted");
    CHECK(refusal({.timeout = 2s, .fast_interval = 2s, .slow_interval = 2s, .jitter = 0}) == "accepted");
    CHECK(refusal({.interval = 2s, .timeout = 2s, .fast_interval = 100ms}) == "accepted");  // delays the next, no more
}

TEST_CASE("options that cannot work are refused with the value and the bound") {
    CHECK(refusal({.interval = 0s}) == "weir: active_checker: interval 0 s is not from 1e-09 s to 86400 s");
    CHECK(refusal({.interval = -5s}) == "weir: active_checker: interval -5 s is not from 1e-09 s to 86400 s");
    CHECK_THAT(refusal({.interval = 25h}), ContainsSubstring("interval 90000 s"));
    CHECK_THAT(refusal({.interval = (std::chrono::nanoseconds::max)()}), ContainsSubstring("interval 9.22"));
    CHECK(refusal({.interval = 2s, .timeout = 2001ms}) ==
          "weir: active_checker: timeout 2.001 s is not from 1e-09 s to 2 s");
    CHECK_THAT(refusal({.timeout = 0s}), ContainsSubstring("timeout 0 s"));
    CHECK_THAT(refusal({.timeout = -1s}), ContainsSubstring("timeout -1 s"));
    CHECK_THAT(refusal({.fast_interval = 3s}), ContainsSubstring("fast_interval 3 s is not from 1e-09 s to 2 s"));
    CHECK_THAT(refusal({.fast_interval = -1ms}), ContainsSubstring("fast_interval -0.001 s"));
    CHECK_THAT(refusal({.slow_interval = 1s}), ContainsSubstring("slow_interval 1 s is not from 2 s to 86400 s"));
    CHECK(refusal({.rise = 0}) == "weir: active_checker: rise 0 is not at least 1");
    CHECK(refusal({.fall = -3}) == "weir: active_checker: fall -3 is not at least 1");
    CHECK_THAT(refusal({.jitter = -0.1}), ContainsSubstring("jitter -0.1") && ContainsSubstring("from 0 to 1"));
    CHECK_THAT(refusal({.jitter = 1.01}), ContainsSubstring("jitter 1.01"));
    CHECK_THAT(refusal({.jitter = std::numeric_limits<double>::quiet_NaN()}), ContainsSubstring("nan"));
}
