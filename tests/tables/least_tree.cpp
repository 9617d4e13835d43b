#include <weir/tables/least_tree.hpp>

#include "catch.hpp"
#include "support/length.hpp"

#include <weir/random.hpp>

#include <thread>

using weir::least_tree;
using loads = std::vector<std::uint32_t>;

namespace {

/// The same by looking at all.
least_tree::least literally(const loads& all, const loads& without = {}) {
    least_tree::least best;
    for (std::uint32_t i = 0; i < all.size(); ++i) {
        if (all[i] >= least_tree::absent || std::find(without.begin(), without.end(), i) != without.end()) continue;
        if (all[i] < best.load) best = {all[i], 0};
        best.count += all[i] == best.load ? 1 : 0;
    }
    return best;
}

/// All places with the least load, in order, as the tree finds them.
loads found(const least_tree& tree, const loads& without = {}) {
    const auto least = tree.total(without);
    loads places;
    for (std::uint32_t k = 0; k < least.count; ++k) places.push_back(tree.find(least.load, k, without));
    CHECK(tree.find(least.load, least.count, without) == least_tree::nobody);
    return places;
}
loads literally_found(const loads& all, const loads& without = {}) {
    loads places;
    const auto least = literally(all, without);
    for (std::uint32_t i = 0; i < all.size(); ++i)
        if (least.count > 0 && all[i] == least.load && std::find(without.begin(), without.end(), i) == without.end())
            places.push_back(i);
    return places;
}

}  // namespace

TEST_CASE("the least load and its places are those of a literal scan, through random changes, for every size") {
    weir::generator random{1};
    for (const std::uint32_t n : {1u, 2u, 7u, 8u, 9u, 63u, 64u, 65u, 511u, 513u, 5000u}) {
        loads all(n);
        for (auto& one : all) one = static_cast<std::uint32_t>(random.below(4));
        least_tree tree{all};
        REQUIRE(tree.size() == n);
        for (int round = 0; round < 300; ++round) {
            const auto at = static_cast<std::uint32_t>(random.below(n));
            switch (random.below(6)) {
            case 0: all[at] = least_tree::absent; break;
            case 1: all[at] = static_cast<std::uint32_t>(random.below(least_tree::absent)); break;
            default: all[at] = static_cast<std::uint32_t>(random.below(3)); break;
            }
            tree.refresh(at, [&] { return all[at]; });
            REQUIRE(tree.load(at) == all[at]);
            REQUIRE(tree.total() == literally(all));
            if (round % 50 == 0) REQUIRE(found(tree) == literally_found(all));
        }
    }
}

TEST_CASE("places that are passed over are as if they were absent") {
    weir::generator random{2};
    for (const std::uint32_t n : {1u, 9u, 70u, 600u}) {
        loads all(n);
        for (int round = 0; round < 200; ++round) {
            for (auto& one : all) one = random.below(5) == 0 ? 0 : static_cast<std::uint32_t>(random.below(40));
            const least_tree tree{all};
            // Also the least loaded ones, one after the other.
            loads without;
            while (without.size() < std::min(n, 6u)) {
                const auto next = round % 2 == 0 ? tree.find(tree.total(without).load, 0, without)
                                                 : static_cast<std::uint32_t>(random.below(n));
                if (std::find(without.begin(), without.end(), next) == without.end()) without.push_back(next);
            }
            REQUIRE(tree.total(without) == literally(all, without));
            REQUIRE(found(tree, without) == literally_found(all, without));
        }
    }
}

TEST_CASE("none at all, and none that is not absent") {
    for (const loads& all : {loads{}, loads{least_tree::absent}, loads(100, least_tree::absent)}) {
        const least_tree tree{all};
        CHECK(tree.total() == least_tree::least{});
        CHECK(tree.find(least_tree::absent, 0) == least_tree::nobody);
        CHECK(tree.find(0, 0) == least_tree::nobody);
    }
    CHECK(least_tree{}.total().count == 0);
    least_tree one{loads{least_tree::absent}};
    one.refresh(0, [] { return 5u; });
    CHECK(one.total() == least_tree::least{5, 1});
    one.refresh(0, [] { return ~std::uint32_t{0}; });  // more than can be told is absent
    CHECK(one.total().count == 0);
}

TEST_CASE("more places than a word can count are refused with the bound") {
    CHECK_THROWS_WITH(least_tree{loads(std::size_t{1} << 24)},
                      "weir: least_tree: 16777216 places are more than 16777215");
}

TEST_CASE("once nobody changes anything, a tree of the least is right: whatever went on before", "[threads]") {
    // Few places, so that both threads meet in every node; many rounds, each ending at rest.
    for (const std::uint32_t n : {3u, 20u, 100u}) {
        std::vector<std::atomic<std::uint32_t>> all(n);
        least_tree tree{loads(n)};
        std::atomic<std::uint64_t> ready{0};
        int wrong = 0;
        const std::uint64_t rounds = weir_test::repetitions(20'000);
        const auto changes = [&](std::uint64_t seed) {
            weir::generator random{seed};
            for (int i = 0; i < 30; ++i) {
                const auto at = static_cast<std::uint32_t>(random.below(n));
                if (random.below(2) == 0)
                    all[at].fetch_add(1);
                else
                    all[at].store(static_cast<std::uint32_t>(random.below(3)));
                tree.refresh(at, [&] { return all[at].load(); });
            }
        };
        const auto meet = [&](std::uint64_t count) {
            ready.fetch_add(1);
            while (ready.load() < count) std::this_thread::yield();
        };
        std::thread other{[&] {
            for (std::uint64_t round = 0; round < rounds; ++round) {
                meet(4 * round + 2);
                changes(2 * round);
                meet(4 * round + 4);
            }
        }};
        for (std::uint64_t round = 0; round < rounds; ++round) {
            meet(4 * round + 2);
            changes(2 * round + 1);
            ready.fetch_add(1);
            while (ready.load() < 4 * round + 4) std::this_thread::yield();
            loads now;
            for (const auto& one : all) now.push_back(one.load());
            wrong += tree.total() != literally(now) || found(tree) != literally_found(now) ? 1 : 0;
        }
        other.join();
        CHECK(wrong == 0);
    }
}
