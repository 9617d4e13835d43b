#include <weir/load/peak_ewma.hpp>

#include "catch.hpp"
#include "support/vectors.hpp"

#include <cmath>
#include <limits>

using namespace std::chrono_literals;

TEST_CASE("the estimator gives tower's estimates") {
    double estimate = 0, last = 0;
    int rows = 0;
    for (const auto& row : weir_test::vector_rows("peak_ewma_tower.csv")) {
        INFO(row[0] << " at " << row[3] << ": " << row[4]);
        const double now = std::stod(row[3]);
        const weir::peak_ewma_estimator estimator{std::stod(row[2])};
        if (row[4] == "init") {
            estimate = std::stod(row[1]);
        } else {
            estimate = estimator.observe(estimate, now - last, row[4] == "decay" ? 0 : std::stod(row[4]));
        }
        last = now;
        CHECK(estimate == Approx(std::stod(row[5])).epsilon(1e-12).margin(0));
        ++rows;
    }
    CHECK(rows == 45);
}

TEST_CASE("the estimator rises at once, decays with its time constant, and takes a negative elapsed time for none") {
    const weir::peak_ewma_estimator estimator{10e9};
    CHECK(estimator.observe(5, 0, 50) == 50);
    CHECK(estimator.observe(50, 10e9, 0) == Approx(50 / std::exp(1.0)));
    CHECK(estimator.observe(50, -1e9, 0) == 50);
    CHECK(estimator.observe(50, 1e300, 7) == 7);
}

TEST_CASE("near 0 the weight of the past is a series, as exact as the exponential") {
    const weir::peak_ewma_estimator estimator{1};
    for (const double x : {0.0, 1e-9, 1e-6, 1e-4, 9.99e-4, 1e-3, 1.001e-3})
        CHECK(estimator.weight_of_past(x) == Approx(std::exp(-x)).epsilon(1e-13));
}

TEST_CASE("one slow answer is remembered for the time constant, and one fast answer forgets nothing") {
    const weir::peak_ewma metric{10s, 30ms};
    weir::peak_ewma::pool pool;
    weir::peak_ewma::state state;
    metric.join(pool, state);
    const auto answer = [&](std::chrono::nanoseconds latency, std::chrono::nanoseconds now) {
        metric.on_start(pool, state, now);
        metric.on_end(pool, state, weir::outcome::success, latency, now, now);
        return metric.score(pool, state, {0, now});
    };
    CHECK(answer(10ms, 1s) == 10e6);
    CHECK(answer(200ms, 1s) == 200e6);
    CHECK(answer(10ms, 1s) == 200e6);
    // Every 10 ms an answer of 10 ms: after a time constant the peak is an e-th.
    double score = 0;
    for (int i = 1; i <= 1000; ++i) score = answer(10ms, 1s + i * 10ms);
    CHECK(score == Approx(10e6 + 190e6 / std::exp(1.0)).epsilon(1e-3));
}

TEST_CASE("time that is too short to show adds up: a busy backend forgets its peak as a quiet one does") {
    const auto forgets = [](std::chrono::nanoseconds interval) {
        const weir::peak_ewma metric{10s, 30ms};
        weir::peak_ewma::pool pool;
        weir::peak_ewma::state state;
        metric.join(pool, state);
        const auto answer = [&](std::chrono::nanoseconds latency, std::chrono::nanoseconds now) {
            metric.on_start(pool, state, now);
            metric.on_end(pool, state, weir::outcome::success, latency, now, now);
        };
        answer(200ms, 1s);
        for (std::chrono::nanoseconds t{0}; t <= 10s; t += interval) answer(10ms, 1s + t);
        return metric.score(pool, state, {0, 11s});
    };
    // Exponentials multiply, so that only what has not been put together yet differs: at most 1 ms of 10 s.
    const double exact = 10e6 + 190e6 / std::exp(1.0);
    CHECK(forgets(10ms) == Approx(exact).epsilon(1e-4));
    CHECK(forgets(100us) == Approx(exact).epsilon(1e-4));
    CHECK(forgets(7us) == Approx(exact).epsilon(1e-4));
}

TEST_CASE("peak_ewma: a decay or an initial estimate that is not above 0 is refused in words") {
    CHECK_THROWS_WITH(weir::peak_ewma{0s}, "weir: peak_ewma: decay of 0 ns is not above 0");
    CHECK_THROWS_WITH(weir::peak_ewma(10s, -1ns), "weir: peak_ewma: initial of -1 ns is not above 0");
    for (const double decay : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()})
        CHECK_THROWS_WITH(weir::peak_ewma_estimator{decay},
                          "weir: peak_ewma_estimator: decay of " + std::to_string(decay) + " is not above 0");
}

static_assert(weir::stateful_metric<weir::peak_ewma>);
static_assert(weir::peak_ewma::timed);
