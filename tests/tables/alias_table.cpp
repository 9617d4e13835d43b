#include <weir/tables/alias_table.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/alias_cases.hpp"

#include <weir/random.hpp>

using weir::alias_table;

namespace {

std::string refusal(const std::vector<std::uint32_t>& weights) {
    try {
        alias_table table{weights};
        return "taken";
    } catch (const std::invalid_argument& e) {
        return e.what();
    }
}

void check_probabilities(const std::vector<std::uint32_t>& weights) {
    const alias_table table{weights};
    double sum = 0;
    for (const auto w : weights) sum += w;
    const double bound = std::ldexp(1.0, -32) * 1.0000001;  // of each column; a probability adds up n columns / n
    for (std::uint32_t i = 0; i < weights.size(); ++i) {
        INFO("index " << i << " of " << weights.size());
        CHECK(std::abs(table.probability(i) - weights[i] / sum) <= bound);
        CHECK((table.probability(i) > 0) == (weights[i] > 0));
    }
}

}  // namespace

TEST_CASE("the table implies the probabilities that other implementations do") {
    const auto cases = weir_test::alias_cases();
    CHECK(cases.size() == 11);
    for (const auto& one : cases) {
        INFO(one.line);
        const alias_table table{one.weights};
        REQUIRE(table.size() == one.gsl.size());
        for (std::uint32_t i = 0; i < table.size(); ++i) {
            CHECK(table.probability(i) == Approx(one.gsl[i]).epsilon(1e-6).margin(1e-12));
            CHECK(table.probability(i) == Approx(one.finagle[i]).epsilon(1e-6).margin(1e-12));
        }
    }
}

TEST_CASE("hardening 5: weight sums never wrap, and every probability is within 2^-32") {
    constexpr auto most = ~std::uint32_t{0};
    check_probabilities({most, most});
    check_probabilities({most, 1});
    check_probabilities(std::vector<std::uint32_t>(1000, most));
    check_probabilities({1, most, 0, most, 1, most - 1});
    check_probabilities({0, 0, 1});
    weir::generator random{5};
    for (int n = 1; n < 60; ++n) {
        std::vector<std::uint32_t> weights;
        for (int i = 0; i < n; ++i) weights.push_back(static_cast<std::uint32_t>(random() >> (32 + random.below(32))));
        weights.push_back(1);
        check_probabilities(weights);
    }
}

TEST_CASE("weights of nothing but 0 are refused in words, no weights make an empty table") {
    CHECK(refusal({0}) == "weir: alias_table: all weights are 0; at least one has to be above");
    CHECK(refusal({0, 0, 0}).find("all weights are 0") != std::string::npos);
    CHECK(alias_table{std::span<const std::uint32_t>{}}.size() == 0);
    CHECK(alias_table{}.size() == 0);
}

TEST_CASE("draws are in proportion, and a weight of 0 is never drawn, not even by the extreme numbers") {
    const std::vector<std::uint32_t> weights{0, 1, 2, 3, 0, 1000, 0};
    const alias_table table{weights};
    std::vector<std::uint64_t> counts(weights.size());
    weir::generator random{6};
    for (int i = 0; i < 200'000; ++i) ++counts[table.draw(random())];
    CHECK(weir_test::unfair(counts, weights) == "");
    for (std::uint64_t column = 0; column < 8; ++column)
        for (const std::uint64_t between : {std::uint64_t{0}, (std::uint64_t{1} << 29) - 1})
            for (const std::uint64_t low : {0u, 1u, ~0u - 1, ~0u})
                CHECK(weights[table.draw(column << 61 | between << 32 | low)] > 0);
}

TEST_CASE("any number of weights: every index is drawn within the bounds, one alone always") {
    for (const std::size_t n : {1u, 2u, 3u, 4u, 5u, 63u, 64u, 65u, 1000u, 1024u}) {
        const alias_table table{std::vector<std::uint32_t>(n, 7)};
        CHECK(table.size() == n);
        std::vector<std::uint64_t> counts(n);
        weir::generator random{7};
        for (std::size_t i = 0; i < 200 * n; ++i) ++counts.at(table.draw(random()));
        INFO(n << " weights");
        CHECK(weir_test::unfair(counts, std::vector<std::uint32_t>(n, 7)) == "");
    }
}

static_assert(noexcept(std::declval<const alias_table&>().draw(0)));
