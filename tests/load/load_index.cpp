#include <weir/load/load_index.hpp>

#include "catch.hpp"
#include "statistics.hpp"

#include <weir/random.hpp>
#include <weir/registry.hpp>
#include <weir/select/random.hpp>

#include <deque>

using weir::load_index;
using weir_test::unfair;

namespace {

/// A registry whose leases tell no index: so that one can be asked what it knows, and what it finds out.
struct pool {
    weir::registry<int> registry;
    std::vector<weir::backend_id> ids;
    weir::random<int> any{registry, {.seed = 1}};

    explicit pool(const std::vector<std::uint32_t>& weights, std::uint32_t limit = weir::unlimited) {
        registry.update([&](auto& change) {
            for (const auto w : weights)
                ids.push_back(change.add(static_cast<int>(ids.size()), {.weight = w, .max_in_flight = limit}));
        });
    }
    [[nodiscard]] const weir::view& now() const { return *registry.hub()->seen(); }
    weir::lease<int> lease_of(std::size_t at) {
        auto others = ids;
        others.erase(others.begin() + static_cast<std::ptrdiff_t>(at));
        return any.pick({.exclude = others});
    }
};

std::vector<std::uint32_t> repeat(std::size_t n, const std::vector<std::uint32_t>& weights) {
    std::vector<std::uint32_t> all;
    for (std::size_t i = 0; i < n; ++i) all.push_back(weights[i % weights.size()]);
    return all;
}

/// How often each slot is drawn.
std::vector<std::uint64_t> draws(load_index& index, std::size_t slots, int n,
                                 const std::vector<std::uint32_t>& refused = {}) {
    weir::generator random{3};
    std::vector<std::uint64_t> counts(slots);
    for (int i = 0; i < n; ++i) ++counts[index.draw(random(), refused).slot];
    return counts;
}

}  // namespace

TEST_CASE("there is none for few backends") {
    std::vector<std::uint32_t> weights(load_index::smallest_pool - 1, 1);
    CHECK(load_index::make(pool{weights}.now()) == nullptr);
    weights.push_back(1);
    CHECK(load_index::make(pool{weights}.now()) != nullptr);
    CHECK(load_index::make(pool{{}}.now()) == nullptr);
}

TEST_CASE("ties are drawn by weight: of all, of some, and of some that are passed over") {
    for (const auto& weights :
         {repeat(50, {1}), repeat(60, {1, 2, 3}), repeat(40, {7, weir::weight::max, weir::weight::max - 1, 1})}) {
        pool p{weights};
        const auto index = load_index::make(p.now());
        CHECK(unfair(draws(*index, weights.size(), 60'000), weights) == "");
        // Every third has a lease.
        auto left = weights;
        std::vector<weir::lease<int>> held;
        for (std::size_t i = 0; i < left.size(); i += 3) {
            held.push_back(p.lease_of(i));
            index->refresh_slot(p.ids[i].slot);
            left[i] = 0;
        }
        CHECK(unfair(draws(*index, weights.size(), 60'000), left) == "");
        left[1] = left[2] = left[11] = 0;
        CHECK(unfair(draws(*index, weights.size(), 60'000, {2, 11, 1}), left) == "");
    }
}

TEST_CASE("with many weights the least load / weight is found exactly, whatever starts, ends and is passed over") {
    weir::generator random{5};
    std::vector<std::uint32_t> weights;
    for (int i = 0; i < 200; ++i) weights.push_back(1 + static_cast<std::uint32_t>(random.below(1'000'000)));
    weights[3] = weir::weight::max;
    pool p{weights};
    const auto index = load_index::make(p.now());
    CHECK(unfair(draws(*index, weights.size(), 60'000), weights) == "");  // all are idle
    std::deque<std::pair<std::size_t, weir::lease<int>>> held;
    const auto loads = [&](std::size_t i) { return std::uint64_t{p.now().in_flight(p.ids[i].slot)}; };
    int wrong = 0, busy = 0;
    for (int step = 0; step < 5'000; ++step) {
        std::vector<std::uint32_t> refused;
        for (std::uint64_t n = random.below(4); refused.size() < n;) {
            const auto one = static_cast<std::uint32_t>(random.below(weights.size()));
            if (std::find(refused.begin(), refused.end(), one) == refused.end()) refused.push_back(one);
        }
        const auto found = index->draw(random() | 1, refused);  // odd: no entry is put right by the way
        const std::size_t at = found.slot;
        wrong += std::find(refused.begin(), refused.end(), at) != refused.end() || found.load != loads(at) ? 1 : 0;
        for (std::size_t i = 0; i < weights.size(); ++i)
            if (std::find(refused.begin(), refused.end(), i) == refused.end() &&
                loads(i) * weights[at] < loads(at) * weights[i])
                ++wrong;
        busy += found.load > 0 ? 1 : 0;
        if (held.size() > 2'000 || (random.below(4) == 0 && !held.empty())) {
            const std::size_t ended = held.front().first;
            held.pop_front();
            index->refresh_slot(p.ids[ended].slot);
        }
        held.emplace_back(at, p.lease_of(at));
        index->refresh_slot(p.ids[at].slot);
    }
    CHECK(wrong == 0);
    CHECK(busy > 1'000);
}

TEST_CASE("the idle are drawn by weight, also where one with nearly all weight is busy") {
    std::vector<std::uint32_t> weights;
    for (std::uint32_t w = 1; w <= 39; ++w) weights.push_back(w);
    weights.push_back(1'000'000);
    pool p{weights};
    const auto index = load_index::make(p.now());
    const auto lease = p.lease_of(39);
    index->refresh_slot(p.ids[39].slot);
    weights.back() = 0;
    CHECK(unfair(draws(*index, weights.size(), 100'000), weights) == "");
}

TEST_CASE("different weights tie when their loads are in proportion, and not otherwise") {
    pool p{repeat(32, {2, 3})};
    const auto index = load_index::make(p.now());
    std::vector<weir::lease<int>> held;
    const auto hold = [&](std::size_t at, int n) {
        for (int i = 0; i < n; ++i) held.push_back(p.lease_of(at));
        index->refresh_slot(p.ids[at].slot);
    };
    for (std::size_t i = 0; i < 32; ++i) hold(i, i % 2 == 0 ? 4 : 6);  // 2 for each unit of weight
    CHECK(unfair(draws(*index, 32, 20'000), repeat(32, {2, 3})) == "");
    for (std::size_t i = 0; i < 31; i += 2) hold(i, 1);
    CHECK(unfair(draws(*index, 32, 20'000), repeat(32, {0, 3})) == "");
    for (std::size_t i = 1; i < 32; i += 2) hold(i, 2);  // 5 / 2 against 8 / 3
    CHECK(unfair(draws(*index, 32, 20'000), repeat(32, {2, 0})) == "");
}

TEST_CASE("who is at its limit is not found, and nobody is when all are") {
    pool p{repeat(32, {1}), 2};
    const auto index = load_index::make(p.now());
    std::vector<weir::lease<int>> held;
    for (std::size_t i = 0; i < 32; ++i) {
        for (int k = 0; k < 2; ++k) held.push_back(p.lease_of(i));
        index->refresh_slot(p.ids[i].slot);
        const auto found = index->draw(i << 40 | 1, {});
        if (i < 31) {
            CHECK(found.slot > i);
            CHECK(found.load == 0);
        } else {
            CHECK(found.slot == weir::least_tree::nobody);
        }
    }
    held.pop_back();
    index->refresh_slot(31);
    CHECK(index->draw(1, {}).slot == 31);
    CHECK(index->draw(1, {}).load == 1);
}

TEST_CASE("an entry is a hint: it is found out, and put right by itself in time") {
    pool p{repeat(40, {1})};
    std::deque<weir::lease<int>> held;
    for (std::size_t i = 0; i < 40; ++i) held.push_back(p.lease_of(i));
    const auto index = load_index::make(p.now());
    held.push_back(p.lease_of(7));
    CHECK_FALSE(index->agrees({.slot = 7, .load = 1}));
    CHECK(index->agrees({.slot = 7, .load = 2}));
    // Slot 5 looks busier than it is: nobody would ever be sent there to see.
    held.erase(held.begin() + 5);
    weir::generator random{4};
    int until = 0;
    while (until < 100'000 && index->draw(random(), {}).load != 0) ++until;
    CHECK(until < 100'000);
    CHECK(index->draw(1, {}).slot == 5);
    held.clear();
    index->refresh_all();
    CHECK(unfair(draws(*index, 40, 20'000), repeat(40, {1})) == "");
}

TEST_CASE("it follows the conditions, and fits until members, weights or limits change") {
    pool p{repeat(130, {1, 1, 3})};
    const auto index = load_index::make(p.now());
    auto expected = repeat(130, {1, 1, 3});
    weir::generator random{5};
    for (int round = 0; round < 20; ++round) {
        p.registry.update([&](auto& change) {
            for (std::size_t i = 0; i < 130; ++i) {
                const bool up = random.below(2) == 0;
                expected[i] = up ? i % 3 == 2 ? 3 : 1 : 0;
                up ? change.clear(p.ids[i], weir::condition::ejected) : change.set(p.ids[i], weir::condition::ejected);
            }
        });
        REQUIRE(index->fits(p.now()));
        index->follow(p.now());
        CHECK(unfair(draws(*index, 130, 20'000), expected) == "");
    }
    p.registry.set_weight(p.ids[0], 2);
    CHECK_FALSE(index->fits(p.now()));
}

TEST_CASE("slots that the snapshot does not know are nobody's") {
    pool p{repeat(33, {1})};
    p.registry.remove(p.ids[4]);
    const auto index = load_index::make(p.now());
    REQUIRE(index != nullptr);
    index->refresh_slot(4);
    index->refresh_slot(33);
    index->refresh_slot(~std::uint32_t{0});
    auto expected = repeat(33, {1});
    expected[4] = 0;
    CHECK(unfair(draws(*index, 33, 20'000), expected) == "");
}
