#include "statistics.hpp"

#include "catch.hpp"

#include <weir/random.hpp>

using namespace weir_test;

TEST_CASE("critical values are those of the tables") {
    CHECK(normal_quantile(0.5) == Approx(0).margin(1e-9));
    CHECK(normal_quantile(0.025) == Approx(1.959964));
    CHECK(normal_quantile(1e-9) == Approx(5.997807));
    CHECK(chi_square_critical(10, 0.05) == Approx(18.307).epsilon(0.002));
    CHECK(chi_square_critical(99, 0.001) == Approx(148.230).epsilon(0.002));
    CHECK(chi_square_critical(1, 1e-9) > 37.32);  // the exact value: it errs on the generous side
}

TEST_CASE("fair draws are found fair, and each kind of unfairness is found") {
    const std::vector<std::uint32_t> weights{1, 2, 3, 0, 1};
    std::vector<std::uint64_t> counts(5);
    weir::generator random{1};
    for (int i = 0; i < 70000; ++i) {
        const auto at = random.below(7);
        ++counts[at < 1 ? 0 : at < 3 ? 1 : at < 6 ? 2 : 4];
    }
    CHECK(unfair(counts, weights) == "");

    auto swapped = counts;
    std::swap(swapped[0], swapped[1]);
    CHECK(unfair(swapped, weights) != "");
    auto stray = counts;
    ++stray[3];
    CHECK(unfair(stray, weights) != "");
    auto starved = counts;
    starved[2] += starved[4];
    starved[4] = 0;
    CHECK(unfair(starved, weights) != "");
    auto skewed = counts;
    skewed[0] += static_cast<std::uint64_t>(2 * five_sigma(70000, 1.0 / 7));
    CHECK(unfair(skewed, weights) != "");
    // Nobody is off by 5 sigma, all of them are off by 4.
    const std::vector<std::uint32_t> hundred(100, 1);
    std::vector<std::uint64_t> alternating;
    for (int i = 0; i < 100; ++i) alternating.push_back(i % 2 == 0 ? 1126 : 874);
    CHECK(unfair(alternating, hundred) != "");
}

TEST_CASE("tails are exact") {
    // Binomial: 25 or more of 100 at 0.1; none of an expected 12. Beta-binomial: none, and 40 or more, of an expected 10.
    const struct {
        share_of_draws draws;
        double count, tail;
    } cases[] = {{{100, 0.1}, 25, 1.307282e-5},
                 {{12'000, 0.001}, 0, 6.107383e-6},
                 {{1000, 0.01, 3}, 0, 4.059724e-3},
                 {{1000, 0.01, 3}, 40, 1.620651e-4}};
    for (const auto& one : cases) {
        CHECK(one.draws.refuses(one.count, one.tail * 1.0001));
        CHECK_FALSE(one.draws.refuses(one.count, one.tail * 0.9999));
    }
    CHECK(share_of_draws{1e9, 0.3}.refuses(3e8 + 1e5, 1e-6));
    CHECK_FALSE(share_of_draws{1e9, 0.3}.refuses(3e8, 1e-6));
    CHECK_FALSE(share_of_draws{7, 1}.refuses(7, 1e-6));  // the only backend has all
    CHECK(share_of_draws{7, 1}.refuses(6, 1e-6));
}

TEST_CASE("a light backend that gets nothing is found, beside however heavy a one") {
    const auto light_has = [](std::uint64_t count) {
        return unfair(std::vector<std::uint64_t>{count, 12'012 - count}, std::vector<std::uint32_t>{1, 1000});
    };
    CHECK(light_has(0) != "");
    CHECK(light_has(3) == "");
    CHECK(light_has(12) == "");
    CHECK(light_has(40) != "");
    // Fifty of them, none of which would be missed alone.
    std::vector<std::uint64_t> counts(100);
    std::vector<std::uint32_t> weights(100, 1);
    for (std::size_t i = 50; i < 100; ++i) counts[i] = 800, weights[i] = 1000;
    CHECK(unfair(counts, weights) != "");
}

TEST_CASE("draws from half of the backends are found, whether each should have had many or next to none") {
    for (const std::uint64_t picks : {500'000u, 30'000u, 1'500u}) {
        weir::generator random{2};
        const std::vector<std::uint32_t> equal(10'000, 1);
        std::vector<std::uint64_t> of_all(10'000), of_half(10'000), of_first_half(10'000);
        for (std::uint64_t i = 0; i < picks; ++i) {
            ++of_all[random.below(10'000)];
            ++of_half[2 * random.below(5'000)];
            ++of_first_half[random.below(5'000)];
        }
        CHECK(unfair(of_all, equal) == "");
        CHECK(unfair(of_half, equal) != "");
        CHECK(unfair(of_first_half, equal) != "");
    }
}

TEST_CASE("what could not fail is no test") {
    CHECK(unfair(std::vector<std::uint64_t>{0, 0}, std::vector<std::uint32_t>{1, 1}) != "");
    CHECK(unfair(std::vector<std::uint64_t>{3, 2}, std::vector<std::uint32_t>{1, 1}) != "");
    CHECK(unfair(std::vector<std::uint64_t>{5, 4'995}, std::vector<std::uint32_t>{1, 1000}) != "");
    CHECK(unfair(std::vector<std::uint64_t>{1}, std::vector<std::uint32_t>{1}) == "");  // of one there is no doubt
}
