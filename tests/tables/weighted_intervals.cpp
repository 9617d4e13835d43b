#include <weir/tables/weighted_intervals.hpp>

#include "catch.hpp"
#include "statistics.hpp"

#include <weir/random.hpp>

using weir::weighted_intervals;

namespace {

/// By the definition: the first whose sum of weights exceeds point * total / 2^64.
std::uint32_t by_scan(const std::vector<std::uint32_t>& weights, std::uint64_t point) {
    std::uint64_t total = 0, sum = 0;
    for (const auto w : weights) total += w;
    const std::uint64_t at = weir::detail::scale(point, total);
    for (std::uint32_t i = 0;; ++i)
        if ((sum += weights[i]) > at) return i;
}

}  // namespace

TEST_CASE("find agrees with a scan over the sums, at random points and at every border") {
    weir::generator random{1};
    for (std::size_t n = 1; n < 70; ++n) {
        std::vector<std::uint32_t> weights;
        for (std::size_t i = 0; i < n; ++i)
            weights.push_back(random.below(4) == 0 ? 0
                                                   : static_cast<std::uint32_t>(random() >> (32 + random.below(32))));
        weights[random.below(n)] = 1 + static_cast<std::uint32_t>(random.below(9));
        const weighted_intervals intervals{weights};
        CHECK(intervals.size() == n);
        std::vector<std::uint64_t> points{0, 1, ~std::uint64_t{0}, ~std::uint64_t{0} - 1, std::uint64_t{1} << 63};
        std::uint64_t total = 0, sum = 0;
        for (const auto w : weights) total += w;
        for (const auto w : weights) {
            sum += w;
            if (sum == 0) continue;
            const auto border = static_cast<std::uint64_t>(std::ldexp(static_cast<long double>(sum) / total, 64) - 1);
            for (std::uint64_t near = 0; near < 4; ++near) points.insert(points.end(), {border - near, border + near});
        }
        for (int i = 0; i < 200; ++i) points.push_back(random());
        int different = 0;
        for (const auto point : points) different += intervals.find(point) != by_scan(weights, point) ? 1 : 0;
        INFO(n << " weights");
        CHECK(different == 0);
    }
}

TEST_CASE("hardening 5: the largest weights are exact, and those of 0 have no interval") {
    constexpr auto most = ~std::uint32_t{0};
    const std::vector<std::uint32_t> weights{0, most, 0, most, most, 0};
    const weighted_intervals intervals{weights};
    std::vector<std::uint64_t> counts(weights.size());
    weir::generator random{2};
    for (int i = 0; i < 30'000; ++i) ++counts[intervals.find(random())];
    CHECK(weir_test::unfair(counts, weights) == "");
    CHECK(intervals.find(0) == 1);
    CHECK(intervals.find(~std::uint64_t{0}) == 4);
}

TEST_CASE("weights of nothing but 0 are refused") {
    CHECK_THROWS_AS((weighted_intervals{std::vector<std::uint32_t>{0, 0}}), std::invalid_argument);
    CHECK_THROWS_AS((weighted_intervals{std::vector<std::uint32_t>{}}), std::invalid_argument);
}

static_assert(noexcept(std::declval<const weighted_intervals&>().find(0)));
