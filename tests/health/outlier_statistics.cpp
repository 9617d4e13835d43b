#include <weir/health/outlier_statistics.hpp>

#include "catch.hpp"

#include <weir/random.hpp>

#include <limits>

using weir::mean_and_sigma;
using weir::median_and_mad;
using weir::request_sample;

namespace {

std::vector<double> rates(std::size_t good, std::size_t bad, double worse) {
    std::vector<double> all(good, 100.0);
    all.insert(all.end(), bad, worse);
    return all;
}

request_sample sample(std::uint64_t requests, double rate) {
    return {requests, static_cast<std::uint64_t>(std::llround(static_cast<double>(requests) * (100 - rate) / 100))};
}

}  // namespace

TEST_CASE("one at 50 % among four at 100 %: the threshold is 52 with the population sigma") {
    const std::vector<double> all{50, 100, 100, 100, 100};
    const mean_and_sigma pool{all};
    CHECK(pool.mean() == Approx(90));
    CHECK(pool.sigma() == Approx(20));
    CHECK(pool.threshold(1.9) == Approx(52));
    CHECK(weir::is_below(50, pool.threshold(1.9)));
    CHECK_FALSE(weir::is_below(100, pool.threshold(1.9)));
}

TEST_CASE("k equal outliers of n score sqrt((n - k) / k) sigma, however bad they are") {
    for (std::size_t n = 2; n <= 40; ++n)
        for (std::size_t k = 1; k < n; ++k)
            for (const double worse : {0.0, 50.0, 99.0}) {
                const mean_and_sigma pool{rates(n - k, k, worse)};
                const double score = (pool.mean() - worse) / pool.sigma();
                const auto good = static_cast<double>(n - k), bad = static_cast<double>(k);
                CHECK(score == Approx(std::sqrt(good / bad)));
            }
}

TEST_CASE("pain 11: 1.9 sigma finds nobody below 5 backends, nor past 21.7 % of equally bad ones; the median does") {
    for (std::size_t n = 2; n <= 100; ++n)
        for (std::size_t k = 1; 2 * k < n; ++k) {
            const auto all = rates(n - k, k, 0);
            const bool found = weir::is_below(0, mean_and_sigma{all}.threshold(1.9));
            CHECK(found == (static_cast<double>(k) / static_cast<double>(n) < 1 / (1 + 1.9 * 1.9)));
            if (n < 5) CHECK_FALSE(found);
            const median_and_mad robust{all};
            CHECK(weir::is_below(0, robust.threshold(3, sample(100, 0))));
            CHECK_FALSE(weir::is_below(100, robust.threshold(3, sample(100, 100))));
        }
}

TEST_CASE("the median and the distance from it, for odd and even numbers, in any order") {
    const median_and_mad odd{{90, 100, 20, 95, 99}};
    CHECK(odd.median() == 95);
    CHECK(odd.mad() == 5);  // of 5 5 75 0 4
    const median_and_mad even{{100, 80, 90, 0}};
    CHECK(even.median() == 85);
    CHECK(even.mad() == 10);  // of 15 5 5 85
    const median_and_mad one{{37}};
    CHECK(one.median() == 37);
    CHECK(one.mad() == 0);
    const median_and_mad none{{}};
    CHECK(none.median() == 100);
    CHECK(none.mad() == 0);
}

TEST_CASE("the scale is the largest of 1.4826 MAD, the binomial sigma and one point") {
    const median_and_mad spread{{100, 90, 80, 70, 60}};
    CHECK(spread.mad() == 10);
    CHECK(spread.scale(sample(1'000'000, 80)) == Approx(14.826));
    const median_and_mad healthy{{100, 100, 100}};
    CHECK(healthy.scale(sample(100, 100)) == 1);
    CHECK(healthy.scale(sample(100, 50)) == Approx(5));  // sqrt(.5 x .5 / 100)
    CHECK(healthy.scale(sample(10'000, 50)) == 1);       // sqrt(.5 x .5 / 10,000) is half a point
    CHECK(healthy.scale({0, 0}) == 1);
    const median_and_mad halved{{50, 50, 50}};
    CHECK(halved.scale(sample(25, 100)) == Approx(10));  // the median's own uncertainty counts as well
}

TEST_CASE("a handful of failures among few requests is no outlier by the median, a share of many is") {
    const median_and_mad healthy{{100, 100, 100, 100, 95}};
    CHECK_FALSE(weir::is_below(95, healthy.threshold(3, sample(20, 95))));
    CHECK(weir::is_below(95, healthy.threshold(3, sample(2000, 95))));
}

TEST_CASE("equal rates are nobody's outliers, whatever the rounding") {
    weir::generator random{1};
    for (int i = 0; i < 2000; ++i) {
        const auto requests = 1 + random.below(1000);
        const request_sample same{requests, random.below(requests + 1)};
        const std::vector<double> all(3 + random.below(60), same.rate());
        CHECK_FALSE(weir::is_below(same.rate(), mean_and_sigma{all}.threshold(1.9)));
        CHECK_FALSE(weir::is_below(same.rate(), median_and_mad{all}.threshold(3, same)));
    }
}

TEST_CASE("a sample's rates, and what has come since another one") {
    CHECK(request_sample{}.rate() == 100);
    CHECK(request_sample{}.failure_rate() == 0);
    CHECK(request_sample{4, 1}.rate() == 75);
    CHECK(request_sample{10, 4}.since({6, 3}).requests == 4);
    CHECK(request_sample{10, 4}.since({6, 3}).failures == 1);
    CHECK(request_sample{10, 4}.since({11, 5}).requests == 0);  // counters that are read while they move never wrap
    CHECK(request_sample{10, 4}.since({11, 5}).failures == 0);
}

TEST_CASE("pain 11: the cap is max(1, floor(share x members))") {
    CHECK(weir::ejection_cap(0.1, 9) == 1);  // 10 % of 9 is not none
    CHECK(weir::ejection_cap(0.1, 10) == 1);
    CHECK(weir::ejection_cap(0.1, 19) == 1);
    CHECK(weir::ejection_cap(0.1, 20) == 2);
    CHECK(weir::ejection_cap(0.0, 1000) == 1);
    CHECK(weir::ejection_cap(1.0, 1000) == 1000);
    CHECK(weir::ejection_cap(0.5, 0) == 1);
    // Whole in decimal, not in binary.
    for (std::uint64_t percent = 1; percent <= 100; ++percent)
        for (const std::uint64_t hundreds : {1u, 3u, 100u})
            CHECK(weir::ejection_cap(static_cast<double>(percent) / 100, 100 * hundreds) == percent * hundreds);
}
