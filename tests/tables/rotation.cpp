#include <weir/tables/rotation.hpp>

#include "catch.hpp"
#include "statistics.hpp"

#include <weir/registry.hpp>

#include <set>

using weir::rotation;

namespace {

struct members {
    weir::registry<int> registry;
    std::vector<weir::backend_id> ids;

    explicit members(const std::vector<std::uint32_t>& weights) {
        registry.update([&](auto& change) {
            for (const auto w : weights) ids.push_back(change.add(static_cast<int>(ids.size()), {.weight = w}));
        });
    }
    /// The present view, which stays.
    [[nodiscard]] const weir::view& now() {
        views.push_back(std::make_unique<weir::view>(*registry.hub()->seen()));
        return *views.back();
    }
    std::vector<std::unique_ptr<weir::view>> views;
};

std::string turns(const rotation& r, std::uint64_t from, std::uint64_t to) {
    std::string all;
    for (std::uint64_t t = from; t < to; ++t) all += static_cast<char>('a' + r.at(t));
    return all;
}

}  // namespace

TEST_CASE("a first rotation begins where its phase says, at any turn") {
    members m{{5, 1, 1}};
    const auto& v = m.now();
    rotation::common shared;
    constexpr std::uint64_t half = std::uint64_t{1} << 63;
    for (const std::uint64_t now : {std::uint64_t{0}, std::uint64_t{1000}, ~std::uint64_t{0} - 5000}) {
        CHECK(turns(rotation{v, shared, now, 0}, now, now + 14) == "aabacaaaabacaa");
        CHECK(turns(rotation{v, shared, now, half}, now, now + 14) == "acaaaabacaaaab");  // 3 of 7
    }
}

TEST_CASE("turns far ahead and far behind are those of the cycle, whoever asks first") {
    members m{{5, 1, 1}};
    const auto& v = m.now();
    rotation::common shared;
    const rotation r{v, shared, 7'000'000, 0};
    CHECK(turns(r, 7'700'000, 7'700'007) == "aabacaa");
    CHECK(turns(r, 7'000'000, 7'000'007) == "aabacaa");  // late: others have moved the base on
    CHECK(turns(r, 7'000'003, 7'000'006) == "aca");
}

TEST_CASE("rotations of one view in which nobody is owed anything share their entries") {
    members m{{3, 2, 1}};
    const auto& v = m.now();
    rotation::common shared, other;
    CHECK(rotation::same_turns(v, v));
    const rotation a{v, shared, 0, 0}, b{v, shared, 0, std::uint64_t{1} << 62}, c{v, other, 0, 0};
    CHECK(a.shares_entries(b));
    CHECK_FALSE(a.shares_entries(c));
    CHECK(rotation{v, shared, 5, v, c, true}.shares_entries(c));
}

TEST_CASE("turns are the same for the same eligible members with the same weights, whatever else has changed") {
    members m{{3, 2, 1, 0}};
    const auto& first = m.now();
    const auto same = [&] { return rotation::same_turns(m.now(), first); };
    m.registry.set(m.ids[0], weir::condition::degraded);
    m.registry.set(m.ids[3], weir::condition::draining);
    m.registry.remove(m.ids[3]);
    m.registry.add(9, {.weight = 0});
    CHECK(same());
    m.registry.set_weight(m.ids[1], 3);
    CHECK_FALSE(same());
    m.registry.set_weight(m.ids[1], 2);
    CHECK(same());
    m.registry.set(m.ids[2], weir::condition::draining);
    CHECK_FALSE(same());
    m.registry.clear(m.ids[2], weir::condition::draining);
    CHECK(same());
    m.registry.remove(m.ids[2]);
    const auto fresh = m.registry.add(7, {.weight = 1});
    CHECK(fresh.slot == m.ids[2].slot);
    CHECK_FALSE(same());
}

TEST_CASE("with nobody eligible nobody has a turn, and afterwards it goes on") {
    members m{{1, 1, 1}};
    const auto& before = m.now();
    rotation::common shared, none, again;
    const rotation r{before, shared, 0, 0};
    CHECK_FALSE(rotation{}.usable());
    CHECK(rotation{}.at(5) == rotation::nobody);
    for (const auto id : m.ids) m.registry.set(id, weir::condition::draining);
    const auto& empty = m.now();
    const rotation nobody{empty, none, 4, before, r, false};  // b is next
    CHECK_FALSE(nobody.usable());
    CHECK(nobody.at(4) == rotation::nobody);
    for (const auto id : m.ids) m.registry.clear(id, weir::condition::draining);
    const auto& after = m.now();
    CHECK(turns(rotation{after, again, 4, empty, nobody, false}, 4, 10) == "bcabca");
}

TEST_CASE("who takes a slot that was used is not owed what the one before it was") {
    members m{{4, 1}};
    const auto& before = m.now();
    rotation::common shared, next;
    const rotation first{before, shared, 0, 0};
    CHECK(turns(first, 0, 5) == "aabaa");
    m.registry.remove(m.ids[1]);
    const auto fresh = m.registry.add(7);
    REQUIRE(fresh.slot == m.ids[1].slot);
    const auto& after = m.now();
    const rotation second{after, next, 2, before, first, false};
    CHECK(turns(second, 2, 5) == "aab");  // the one that left would have been next
    CHECK(turns(first, 2, 3) == "b");
}

TEST_CASE("draws are by weight, for written cycles and for long ones, and the lead-in does not count") {
    for (const std::vector<std::uint32_t>& weights :
         {std::vector<std::uint32_t>{5, 1, 1}, {1, 1, 1}, {70'001, 30'000, 0, 100}}) {
        members m{weights};
        const auto& before = m.now();
        rotation::common shared;
        const rotation first{before, shared, 0, 0};
        m.registry.set_weight(m.ids[0], 2 * weights[0] + 1);
        const auto& v = m.now();
        rotation::common next;
        const rotation r{v, next, 2, before, first, false};
        std::vector<std::uint64_t> counts(weights.size());
        std::vector<std::uint32_t> now = weights;
        now[0] = 2 * weights[0] + 1;
        weir::generator random{3};
        for (int i = 0; i < 50'000; ++i) ++counts[r.draw(random())];
        CHECK(weir_test::unfair(counts, now) == "");
    }
}
