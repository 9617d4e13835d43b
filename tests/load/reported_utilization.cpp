#include <weir/load/reported_utilization.hpp>

#include "catch.hpp"

#include <cmath>
#include <limits>
#include <vector>

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using weir::load_report;
using weir::reported_utilization;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN(),
                 infinite = std::numeric_limits<double>::infinity();

/// The worth of one report, once it counts.
double worth(const load_report& r, const weir::reported_utilization_options& o = {}) {
    const reported_utilization metric{o};
    reported_utilization::state state;
    if (!metric.report(state, r, 1h)) return -1;
    return metric.worth(state, 1h + o.blackout);
}

}  // namespace

TEST_CASE("a report is worth qps / (utilization + errors / qps x penalty)") {
    CHECK(worth({.utilization = 0.5, .qps = 100}) == 200);
    CHECK(worth({.utilization = 0.5, .qps = 100, .errors = 50}) == 100);
    CHECK(worth({.utilization = 0.5, .qps = 100, .errors = 50}, {.error_penalty = 3}) == 50);
    CHECK(worth({.utilization = 0.5, .qps = 100, .errors = 50}, {.error_penalty = 0}) == 200);
    CHECK(worth({.utilization = 2, .qps = 100}) == 50);
}

TEST_CASE("a report with a value out of bounds is ignored, as if it had not come") {
    const reported_utilization metric;
    reported_utilization::state state;
    REQUIRE(metric.report(state, {.utilization = 0.5, .qps = 100}, 1h));
    for (const double bad : {0.0, -1.0, not_a_number, infinite, -infinite, 1e-7, 1e10}) {
        CHECK_FALSE(metric.report(state, {.utilization = bad, .qps = 100}, 1h + 2min));
        CHECK_FALSE(metric.report(state, {.utilization = 0.5, .qps = bad}, 1h + 2min));
        if (bad != 0 && bad != 1e-7)
            CHECK_FALSE(metric.report(state, {.utilization = 0.5, .qps = 100, .errors = bad}, 1h + 2min));
    }
    CHECK_FALSE(load_report{}.usable());
    CHECK(metric.worth(state, 1h + 2min) == 200);
    CHECK(metric.worth(state, 1h + 3min) == 0);  // not refreshed by any of them
}

TEST_CASE("the extremes of what is usable have a worth that is finite and above 0") {
    for (const double utilization : {1e-6, 100.0})
        for (const double qps : {1e-6, 1e9})
            for (const double errors : {0.0, 1e9})
                for (const double penalty : {0.0, 1e6}) {
                    const double w = worth({utilization, qps, errors}, {.error_penalty = penalty});
                    CHECK(std::isfinite(w));
                    CHECK(w > 0);
                }
}

TEST_CASE("a worth counts from the blackout after the first report until the expiry after the latest") {
    const reported_utilization metric;
    reported_utilization::state state;
    const auto known = [&](nanoseconds now) { return metric.worth(state, now) > 0; };
    const load_report any{.utilization = 0.5, .qps = 100};
    CHECK_FALSE(known(0s));
    CHECK_FALSE(known(1h));
    metric.report(state, any, 1h);
    CHECK_FALSE(known(1h));
    CHECK_FALSE(known(1h + 9999ms));
    CHECK(known(1h + 10s));
    CHECK(known(1h + 179s));
    CHECK_FALSE(known(1h + 180s));
    metric.report(state, any, 1h + 170s);
    CHECK(known(1h + 180s));
    CHECK(known(1h + 349s));
    CHECK_FALSE(known(1h + 350s));
    // After the expiry it is a first report again.
    metric.report(state, any, 1h + 400s);
    CHECK_FALSE(known(1h + 409s));
    CHECK(known(1h + 410s));
    CHECK_FALSE(known(0s));  // a clock that went back by an hour: fresh reports, but not for long enough
    // Who comes back after having been ineligible is unknown.
    reported_utilization::pool pool;
    metric.join(pool, state);
    CHECK_FALSE(known(1h + 411s));
    metric.report(state, any, 1h + 411s);
    CHECK_FALSE(known(1h + 420s));
    CHECK(known(1h + 421s));
}

TEST_CASE("hardening 11: any clock, any order of reports: a worth is 0 or finite and above") {
    const nanoseconds times[] = {(nanoseconds::min)(), -1ns, 0ns, 1ns, 1h, (nanoseconds::max)()};
    for (const auto first : times)
        for (const auto second : times)
            for (const auto now : times) {
                const reported_utilization metric{{.blackout = 0s, .expiry = (nanoseconds::max)()}};
                reported_utilization::state state;
                metric.report(state, {.utilization = 1, .qps = 1}, first);
                metric.report(state, {.utilization = 1, .qps = 2}, second);
                const double w = metric.worth(state, now);
                CHECK((w == 0 || w == 2));
            }
}

TEST_CASE("what is unknown counts as the mean, and nobody below 0.01 or above 10 times of it") {
    using weir::mean_worth;
    using weir::relative_worth;
    CHECK(mean_worth({}) == 0);
    CHECK(mean_worth(std::vector<double>{0, 0}) == 0);
    CHECK(mean_worth(std::vector<double>{0, 100, 0, 300}) == 200);
    CHECK(relative_worth(100, 200) == 0.5);
    CHECK(relative_worth(0, 200) == 1);
    CHECK(relative_worth(0, 0) == 1);
    CHECK(relative_worth(1, 200) == 0.01);
    CHECK(relative_worth(1e12, 200) == 10);
}

TEST_CASE("options out of bounds are refused in words") {
    using options = weir::reported_utilization_options;
    const auto of = [](const options& o) { return reported_utilization{o}; };
    CHECK_THROWS_WITH(of({.error_penalty = -1}),
                      "weir: reported_utilization: an error penalty of -1.000000 is not from 0 to 1000000");
    CHECK_THROWS_WITH(of({.blackout = -1ns}), "weir: reported_utilization: a blackout of -1 ns is below 0");
    CHECK_THROWS_WITH(of({.expiry = 0s}), "weir: reported_utilization: an expiry of 0 ns is not above 0");
    for (const double bad : {not_a_number, infinite, 1e7})
        CHECK_THROWS_AS(of({.error_penalty = bad}), std::invalid_argument);
    CHECK_NOTHROW(of({.error_penalty = 0, .blackout = 0s, .expiry = 1ns}));
}

static_assert(weir::stateful_metric<reported_utilization>);
static_assert(!reported_utilization::timed);
