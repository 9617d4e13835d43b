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
