#include <weir/tables/priority_load.hpp>

#include "catch.hpp"

#include <weir/random.hpp>

using weir::priority_level;
using weir::priority_share;

namespace {

/// Levels of 100 members: how many of each are healthy, and how many degraded.
std::vector<priority_level> hundreds(const std::vector<std::uint64_t>& healthy,
                                     const std::vector<std::uint64_t>& degraded = {}) {
    std::vector<priority_level> levels;
    for (std::size_t i = 0; i < healthy.size(); ++i)
        levels.push_back({100, healthy[i], i < degraded.size() ? degraded[i] : 0});
    return levels;
}

std::vector<std::uint32_t> healthy_load(const std::vector<priority_level>& levels,
                                        std::uint32_t overprovisioning = 140) {
    std::vector<std::uint32_t> loads;
    for (const priority_share& share : weir::priority_load(levels, overprovisioning)) loads.push_back(share.healthy);
    return loads;
}

using loads = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("the loads of Envoy's tables of priority levels") {
    struct row {
        std::vector<std::uint64_t> healthy;
        loads load;
    };
    const row rows[] = {{{100, 100}, {100, 0}},         {{72, 100}, {100, 0}},
                        {{71, 100}, {99, 1}},           {{50, 100}, {70, 30}},
                        {{25, 100}, {35, 65}},          {{0, 100}, {0, 100}},
                        {{72, 72}, {100, 0}},           {{71, 71}, {99, 1}},
                        {{50, 50}, {70, 30}},           {{25, 25}, {50, 50}},
                        {{100, 100, 100}, {100, 0, 0}}, {{72, 72, 100}, {100, 0, 0}},
                        {{71, 71, 100}, {99, 1, 0}},    {{50, 50, 100}, {70, 30, 0}},
                        {{25, 100, 100}, {35, 65, 0}},  {{25, 25, 100}, {35, 35, 30}},
                        {{25, 25, 20}, {37, 35, 28}},  // 35 35 28, and what is left; the table says 36 36 28
                        {{0, 0, 1}, {0, 0, 100}},       {{5}, {100}}};
    for (const row& r : rows) CHECK(healthy_load(hundreds(r.healthy)) == r.load);
}

TEST_CASE("the degraded come after the healthy of every level") {
    struct row {
        std::vector<std::uint64_t> healthy, degraded;
        std::vector<priority_share> shares;
    };
    const row rows[] = {{{100}, {0}, {{100, 0}}},
                        {{71}, {0}, {{100, 0}}},
                        {{71}, {29}, {{99, 1}}},
                        {{25}, {65}, {{35, 65}}},
                        {{5}, {0}, {{100, 0}}},
                        {{0}, {1}, {{0, 100}}},
                        {{50, 40}, {50, 60}, {{70, 0}, {30, 0}}},
                        {{50, 0}, {0, 100}, {{70, 0}, {0, 30}}},
                        {{50, 10}, {50, 90}, {{70, 16}, {14, 0}}}};
    for (const row& r : rows) CHECK(weir::priority_load(hundreds(r.healthy, r.degraded)) == r.shares);
    // Health 10 20 10 and 20 10 0 is scaled by 100 / 70, and rounding leaves 2 for the first.
    const std::vector<priority_level> thin{{14, 1, 2}, {14, 2, 1}, {14, 1, 0}};
    const std::vector<priority_share> scaled{{16, 28}, {28, 14}, {14, 0}};
    CHECK(weir::priority_load(thin) == scaled);
}

TEST_CASE("the overprovisioning says below what share of its members a level sheds load") {
    CHECK(healthy_load(hundreds({99, 100}), 100) == loads{99, 1});
    CHECK(healthy_load(hundreds({50, 100}), 200) == loads{100, 0});
    CHECK(healthy_load(hundreds({49, 100}), 200) == loads{98, 2});
    CHECK(healthy_load(hundreds({1, 100}), 10'000) == loads{100, 0});
}

TEST_CASE("nobody gets anything where nobody is eligible, and levels without members count for nothing") {
    CHECK(weir::priority_load({}).empty());
    CHECK(healthy_load(hundreds({0, 0})) == loads{0, 0});
    const std::vector<priority_level> hollow{{0, 0, 0}, {3, 3, 0}};
    CHECK(healthy_load(hollow) == loads{0, 100});
}

TEST_CASE("whatever the levels, the shares add up to 100, and only the able have one") {
    weir::generator random{1};
    for (int i = 0; i < 20'000; ++i) {
        std::vector<priority_level> levels;
        bool any = false;
        for (auto n = 1 + random.below(5); n > 0; --n) {
            priority_level level;
            level.members = random.below(4) == 0 ? random.below(std::uint64_t{1} << 32) : random.below(12);
            level.healthy = random.below(level.members + 1);
            level.degraded = random.below(level.members - level.healthy + 1);
            any = any || level.healthy * 140 >= level.members || level.degraded * 140 >= level.members;
            levels.push_back(level);
        }
        std::uint32_t sum = 0;
        const auto shares = weir::priority_load(levels);
        for (std::size_t k = 0; k < levels.size(); ++k) {
            sum += shares[k].healthy + shares[k].degraded;
            if (levels[k].healthy == 0) CHECK(shares[k].healthy == 0);
            if (levels[k].degraded == 0) CHECK(shares[k].degraded == 0);
        }
        if (sum != 0) CHECK(sum == 100);
    }
}
