#include <weir/tables/staggered_turns.hpp>

#include "catch.hpp"

#include <weir/random.hpp>

#include <cmath>
#include <numeric>

using weir::staggered_turns;

namespace {

/// How far anybody was from its share after the first `settled` of 2,000 turns, as a part of what is allowed: 1 turn, and
/// the own share of `slack n`. For: the t-th turn is the one due at a T with t - slack n <= T <= t + n, since at T each
/// index has had its share of T and up to one more or less; and at T nobody is a whole turn off.
double worst_of(const std::vector<std::uint32_t>& weights, std::vector<double> owed, double slack,
                std::size_t settled = 0) {
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    const double excess = std::accumulate(owed.begin(), owed.end(), 0.0);
    const auto order = staggered_turns(weights, owed, 2000);
    for (std::size_t i = 0; i < weights.size(); ++i) owed[i] -= excess * (weights[i] / total);
    double worst = 0;
    for (std::size_t turn = 0; turn < order.size(); ++turn) {
        for (std::size_t i = 0; i < weights.size(); ++i) owed[i] += weights[i] / total;
        owed[order[turn]] -= 1;
        for (std::size_t i = 0; i < weights.size() && turn >= settled; ++i)
            worst = std::max(worst, std::abs(owed[i]) /
                                        (1 + slack * static_cast<double>(weights.size()) * (weights[i] / total)));
    }
    return worst;
}

}  // namespace

TEST_CASE("nobody is much more than a turn off its share, and what is owed at the beginning is paid back") {
    weir::generator random{1};
    for (int round = 0; round < 200; ++round) {
        std::vector<std::uint32_t> weights;
        std::vector<double> either_way, behind;
        const std::size_t n = 1 + random.below(12);
        for (std::size_t i = 0; i < n; ++i) {
            weights.push_back(1 + static_cast<std::uint32_t>(random() >> (32 + random.below(24))));
            either_way.push_back(static_cast<double>(random.below(2001)) / 1000 - 1);
            behind.push_back(static_cast<double>(random.below(3001)) / 1000);
        }
        CHECK(worst_of(weights, std::vector<double>(n), 1) <= 1);
        CHECK(worst_of(weights, either_way, 3) <= 1);  // ahead by one at most, and the excess of one each
        CHECK(worst_of(weights, behind, 4, 4 * n) <= 1);
    }
}

TEST_CASE("many that are alike beside a heavy one do not come in a bunch") {
    std::vector<std::uint32_t> weights(100, 1'000'003);
    weights.push_back(99 * weights[0]);
    int run = 0, longest = 0;
    for (const auto index : staggered_turns(weights, std::vector<double>(weights.size()), 3000)) {
        run = index != 100 ? run + 1 : 0;
        longest = std::max(longest, run);
    }
    // Half of the turns are theirs. With one part of a turn for all of them they would come a hundred in a row.
    CHECK(longest <= 4);
}

TEST_CASE("who is owed most is first, and a weight of 0 has no turn") {
    const std::vector<std::uint32_t> alike{1, 1, 1};
    CHECK(staggered_turns(alike, std::vector<double>{-1, 0, 1}, 1) == std::vector<std::uint32_t>{2});
    CHECK(staggered_turns(alike, std::vector<double>{1, 0, -1}, 1) == std::vector<std::uint32_t>{0});
    for (const auto index : staggered_turns(std::vector<std::uint32_t>{0, 3, 0, 5}, std::vector<double>(4), 100))
        CHECK((index == 1 || index == 3));
    CHECK(staggered_turns(std::vector<std::uint32_t>{0, 0}, std::vector<double>(2), 10).empty());
    CHECK(staggered_turns({}, {}, 10).empty());
    CHECK(staggered_turns(alike, std::vector<double>(3), 0).empty());
}
