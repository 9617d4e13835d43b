#include <weir/load/ewma.hpp>

#include "catch.hpp"

#include <weir/load/peak_ewma.hpp>
#include <weir/random.hpp>

#include <cmath>
#include <limits>

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using weir::ewma_estimator;
using weir::outcome;

namespace {

/// An exponential variable of that mean.
double exponential(weir::generator& random, double mean) {
    return -mean * std::log((static_cast<double>(random() >> 11) + 0.5) * 0x1p-53);
}

/// One backend by hand.
template <class Metric>
struct one {
    Metric metric;
    typename Metric::pool& pool;
    typename Metric::state state;

    explicit one(typename Metric::pool& p) : pool{p} { metric.join(p, state); }
    void end(outcome how, double latency, nanoseconds now) {
        metric.on_start(pool, state, now);
        metric.on_end(pool, state, how, nanoseconds{static_cast<std::int64_t>(latency)}, now, now);
    }
    [[nodiscard]] double score(nanoseconds now) const { return metric.score(pool, state, {0, now}); }
};

}  // namespace

TEST_CASE("the estimator is the weighted mean of the samples: each once, and less the older it is") {
    weir::generator random{1};
    ewma_estimator e;
    double sum = 0, weights = 0;
    for (int i = 0; i < 2000; ++i) {
        const double fade = 1 + static_cast<double>(random.below(1000)) / 1000, sample = exponential(random, 50);
        sum = sum / fade + sample;
        weights = weights / fade + 1;
        e = e.observe(fade, sample);
        REQUIRE(e.mean == Approx(sum / weights).epsilon(1e-9));
        REQUIRE(e.weight == Approx(weights));
    }
    // With a prior: two samples more, as fresh as now, of that value.
    CHECK(e.expected(1, 80, 2) == Approx((sum + 160) / (weights + 2)));
    CHECK(ewma_estimator{}.expected(5, 80, 2) == 80);
    CHECK(e.expected(1e300, 80, 2) == Approx(80));
}

TEST_CASE("a newcomer's first answer moves what is expected of it by a third of the way, the tenth by five sixths") {
    weir::ewma::pool pool;
    one<weir::ewma> known{pool}, newcomer{pool};
    known.end(outcome::success, 10e6, 1s);
    const double median = pool.median.value();
    CHECK(newcomer.score(1s) == median);
    newcomer.end(outcome::success, 100e6, 1s);
    // Which moves the median too, as one of two; so the answer is held against the present one.
    const auto expected = [&](double samples) { return (samples * 100e6 + 2 * pool.median.value()) / (samples + 2); };
    CHECK(newcomer.score(1s) == Approx(expected(1)));
    for (int i = 1; i < 10; ++i) newcomer.end(outcome::success, 100e6, 1s);
    CHECK(newcomer.score(1s) == Approx(expected(10)));
}

TEST_CASE("pain 9: under a latency tail the estimate is the true mean at any request rate, where a peak is not") {
    // 1 % of the requests take ten times as long, exponentially distributed: a mean of 12 ms.
    constexpr double base = 12e6 / 1.09, decay = 10;
    const double mean_square = 2 * (0.99 * base * base + 0.01 * 100 * base * base);
    const double deviation = std::sqrt(mean_square - 12e6 * 12e6);
    for (const double rate : {5.0, 50.0, 500.0}) {
        INFO(rate << " requests a second");
        weir::generator random{7};
        weir::ewma::pool pool;
        weir::peak_ewma::pool peak_pool;
        one<weir::ewma> with_tail{pool}, without{pool};
        one<weir::peak_ewma> peak_with_tail{peak_pool}, peak_without{peak_pool};
        constexpr int samples = 40'000;
        const double settled = 5 * rate * decay;
        int asked = 0, slower = 0;
        double sum = 0;
        for (int i = 0; i < samples; ++i) {
            const nanoseconds now{static_cast<std::int64_t>(i * 1e9 / rate)};
            const double latency = exponential(random, random.below(100) == 0 ? 10 * base : base);
            with_tail.end(outcome::success, latency, now);
            peak_with_tail.end(outcome::success, latency, now);
            // The other one takes 30 ms, always.
            without.end(outcome::success, 30e6, now);
            peak_without.end(outcome::success, 30e6, now);
            if (i < settled || i % 100 != 0) continue;
            ++asked;
            sum += with_tail.state.estimate.mean.load();
            CHECK(with_tail.score(now) < without.score(now));
            slower += peak_with_tail.score(now) > peak_without.score(now) ? 1 : 0;
        }
        // The average of the averages is that of the samples, each of which is in many of them.
        CHECK(std::abs(sum / asked - 12e6) <= 5 * deviation / std::sqrt(samples - settled));
        CHECK(slower > asked / 2);  // the decaying maximum that users complain of
    }
}

TEST_CASE("one failure among many successes counts at once, and is one sample among many after the next success") {
    weir::ewma::pool pool;
    one<weir::ewma> backend{pool}, other{pool};
    for (int i = 0; i < 999; ++i) {
        backend.end(outcome::success, 10e6, 1s);
        other.end(outcome::success, 10e6, 1s);
    }
    const double before = backend.score(1s), median = pool.median.value();
    backend.end(outcome::failure, 1e3, 1s);
    CHECK(backend.score(1s) == Approx(2 * median));
    backend.end(outcome::success, 10e6, 1s);
    CHECK(backend.score(1s) > before);
    CHECK(backend.score(1s) == Approx(before + (2 * median - 10e6) / 1003).epsilon(1e-6));
}

TEST_CASE(
    "while failures go on the estimate of a fast backend stays above the median, and fades when it is left alone") {
    weir::ewma::pool pool;
    one<weir::ewma> backend{pool}, other{pool};
    for (int i = 0; i < 5000; ++i) {
        backend.end(outcome::success, 1e6, 1s);
        other.end(outcome::success, 10e6, 1s);
    }
    for (int row = 1; row <= 6; ++row) backend.end(outcome::failure, 1e3, 1s);
    const double median = pool.median.value();
    double last = backend.score(1s);
    CHECK(last == Approx(64 * median));
    for (const nanoseconds now : {nanoseconds{2s}, nanoseconds{11s}, nanoseconds{101s}, nanoseconds{1001s}}) {
        CHECK(backend.score(now) < last);
        last = backend.score(now);
    }
    CHECK(last < median * (1 + 2 * 63 / 5101.0));  // after 100 time constants, by quick_exp
}

TEST_CASE("ewma: a decay or an initial estimate that is not above 0 is refused in words") {
    CHECK_THROWS_WITH(weir::ewma{0s}, "weir: ewma: decay of 0 ns is not above 0");
    CHECK_THROWS_WITH(weir::ewma(10s, -1ns), "weir: ewma: initial of -1 ns is not above 0");
    const auto longest = (nanoseconds::max)();
    CHECK_NOTHROW(weir::ewma(longest, longest));
}

static_assert(weir::stateful_metric<weir::ewma>);
static_assert(weir::ewma::timed);
