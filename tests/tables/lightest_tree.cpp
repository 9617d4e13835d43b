#include <weir/tables/lightest_tree.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/length.hpp"

#include <weir/weight.hpp>

#include <atomic>
#include <set>
#include <thread>

using weir::lightest_tree;

namespace {

std::vector<std::uint32_t> random_weights(std::size_t n, weir::generator& random) {
    std::vector<std::uint32_t> weights(n);
    for (auto& w : weights)
        w = static_cast<std::uint32_t>(1 + random.below(random.below(2) == 0 ? 5 : weir::weight::max));
    return weights;
}

/// All places that no other is lighter than, but those of `without`.
std::set<std::uint32_t> lightest_of(const std::vector<std::uint32_t>& loads, const std::vector<std::uint32_t>& weights,
                                    const std::vector<std::uint32_t>& without = {}) {
    std::set<std::uint32_t> all;
    for (std::uint32_t i = 0; i < loads.size(); ++i) {
        if (loads[i] == lightest_tree::absent || std::find(without.begin(), without.end(), i) != without.end())
            continue;
        const std::uint32_t best = all.empty() ? i : *all.begin();
        const std::uint64_t mine = std::uint64_t{loads[i]} * weights[best],
                            its = std::uint64_t{loads[best]} * weights[i];
        if (mine < its) all.clear();
        if (mine <= its) all.insert(i);
    }
    return all;
}

}  // namespace

TEST_CASE("the lightest are those of a literal scan, through random changes, for every size") {
    weir::generator random{1};
    for (const std::size_t n : {1u, 2u, 7u, 8u, 9u, 63u, 64u, 65u, 500u, 513u}) {
        const auto weights = random_weights(n, random);
        std::vector<std::uint32_t> loads(n);
        lightest_tree tree{loads, weights};
        int wrong = 0;
        for (int step = 0; step < 2'000; ++step) {
            const auto at = static_cast<std::uint32_t>(random.below(n));
            loads[at] = random.below(10) == 0 ? lightest_tree::absent
                                              : static_cast<std::uint32_t>(random.below(1u << 20));
            tree.refresh(at, [&] { return loads[at]; });
            std::vector<std::uint32_t> without;
            if (step % 3 == 0) without = {static_cast<std::uint32_t>(random.below(n))};
            const auto expected = lightest_of(loads, weights, without);
            const auto top = tree.top(without);
            if (expected.empty()) {
                wrong += top.load != lightest_tree::absent ? 1 : 0;
                continue;
            }
            const auto drawn = tree.draw(top, random(), without);
            wrong += expected.count(top.place) == 0 || expected.count(drawn.place) == 0 ? 1 : 0;
            wrong += top.load != loads[top.place] || drawn.load != loads[drawn.place] ? 1 : 0;
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("those that tie are drawn by weight, wherever they stand") {
    weir::generator random{2};
    std::vector<std::uint32_t> weights(300), loads(300);
    for (std::uint32_t i = 0; i < 300; ++i) {
        weights[i] = static_cast<std::uint32_t>(1 + random.below(50));
        loads[i] = i % 3 == 0 ? 3 * weights[i] : 2 * weights[i];
    }
    const lightest_tree tree{loads, weights};
    auto lightest = weights;
    for (std::uint32_t i = 0; i < 300; i += 3) lightest[i] = 0;
    std::vector<std::uint64_t> counts(300);
    for (int i = 0; i < 500'000; ++i) ++counts[tree.draw(tree.top(), random()).place];
    CHECK(weir_test::unfair(counts, lightest) == "");
}

TEST_CASE("none at all, none that is not absent, and more places than fit") {
    CHECK(lightest_tree{}.top().load == lightest_tree::absent);
    const std::vector<std::uint32_t> absent(20, lightest_tree::absent);
    CHECK(lightest_tree{absent, std::vector<std::uint32_t>(20, 1)}.top().load == lightest_tree::absent);
    const std::vector<std::uint32_t> many(std::size_t{lightest_tree::max_size} + 1);
    CHECK_THROWS_WITH((lightest_tree{many, {}}), "weir: lightest_tree: 16777216 places are more than 16777215");
}

TEST_CASE("once nobody changes anything, a tree of the lightest is right: whatever went on before", "[threads]") {
    weir::generator random{3};
    const auto weights = random_weights(100, random);
    std::vector<std::atomic<std::uint32_t>> loads(100);
    lightest_tree tree{std::vector<std::uint32_t>(100), weights};
    int wrong = 0;
    for (int round = 0; round < 200; ++round) {
        const auto work = [&](std::uint64_t seed) {
            weir::generator mine{seed};
            for (std::uint64_t i = 0; i < weir_test::repetitions(500); ++i) {
                const auto at = static_cast<std::uint32_t>(mine.below(100));
                loads[at] = static_cast<std::uint32_t>(mine.below(1'000));
                tree.refresh(at, [&] { return loads[at].load(); });
            }
        };
        std::thread other{work, 2 * round + 1};
        work(2 * static_cast<std::uint64_t>(round));
        other.join();
        const std::vector<std::uint32_t> now(loads.begin(), loads.end());
        wrong += lightest_of(now, weights).count(tree.top().place) == 0 ? 1 : 0;
        for (std::uint32_t i = 0; i < 100; ++i) wrong += tree.load(i) != now[i] ? 1 : 0;
    }
    CHECK(wrong == 0);
}
