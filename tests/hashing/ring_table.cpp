#include <weir/hashing/ring_table.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/members.hpp"

#include <weir/random.hpp>

#include <map>
#include <numeric>
#include <set>

using weir::hash_member;
using weir::ring_table;
using pool = weir_test::named;

namespace {

ring_table ring_of(const pool& p, const ring_table::options& o = {}) { return p.make<ring_table>(o); }

/// The ring by the book: a map from points to members, and the next one at or after the key.
std::map<std::uint64_t, std::uint32_t> by_the_book(const pool& p, const ring_table::options& o = {}) {
    std::map<std::uint64_t, std::uint32_t> ring;
    for (std::uint32_t i = 0; i < p.names.size(); ++i)
        for (std::uint64_t k = 0; k < std::uint64_t{p.weights[i]} * o.points_per_weight; ++k)
            ring.emplace(weir::hash(p.names[i] + '_' + std::to_string(k), o.seed), i);
    return ring;
}

std::uint32_t look_up(const std::map<std::uint64_t, std::uint32_t>& ring, std::uint64_t point) {
    const auto next = ring.lower_bound(point);
    return next == ring.end() ? ring.begin()->second : next->second;
}

/// The key whose mixed value is `point`: the inverse of the finalizer.
std::uint64_t key_at(std::uint64_t point) {
    const auto unshift = [](std::uint64_t x, int by) {
        std::uint64_t result = x;
        for (int i = 0; i < 64; i += by) result = x ^ (result >> by);
        return result;
    };
    point = unshift(point, 31) * 0x319642b2d24d8ec3;
    point = unshift(point, 27) * 0x96de1b173f119089;
    return unshift(point, 30);
}

}  // namespace

TEST_CASE("find gives what a map of the points gives, between the points, on them and beside them") {
    REQUIRE(weir::mix(key_at(12345)) == 12345);
    for (const auto& weights :
         {std::vector<std::uint32_t>{1}, {1, 1}, {3, 0, 1, 7}, std::vector<std::uint32_t>(60, 1)}) {
        for (const ring_table::options& o : {ring_table::options{}, {1, 0}, {17, 99}}) {
            const pool p{weights};
            const auto ring = ring_of(p, o);
            const auto book = by_the_book(p, o);
            CHECK(ring.size() == book.size());
            int different = 0;
            for (std::uint64_t key = 0; key < 5000; ++key)
                different += ring.find(key) != look_up(book, weir::mix(key)) ? 1 : 0;
            for (const auto& [point, index] : book)
                for (const std::uint64_t near : {point - 1, point, point + 1})
                    different += ring.find(key_at(near)) != look_up(book, near) ? 1 : 0;
            for (const std::uint64_t end : {std::uint64_t{0}, ~std::uint64_t{0}})
                different += ring.find(key_at(end)) != look_up(book, end) ? 1 : 0;
            CHECK(different == 0);
        }
    }
}

TEST_CASE("walk gives the points' members in order from the key on, none twice in a row") {
    const pool p{{1, 2, 0, 3}};
    const ring_table::options o{5, 0};
    const auto ring = ring_of(p, o);
    const auto book = by_the_book(p, o);
    for (std::uint64_t key = 0; key < 300; ++key) {
        std::vector<std::uint32_t> expected;
        auto at = book.lower_bound(weir::mix(key));
        for (std::size_t i = 0; i < 2 * book.size(); ++i, ++at) {
            if (at == book.end()) at = book.begin();
            if (expected.empty() || expected.back() != at->second) expected.push_back(at->second);
        }
        expected.resize(8);
        std::vector<std::uint32_t> walked;
        CHECK(ring.walk(key, 8, [&](std::uint32_t i) {
            walked.push_back(i);
            return false;
        }) == 8);
        CHECK(walked == expected);
        CHECK(walked.front() == ring.find(key));
        CHECK(ring.walk(key, 8, [&](std::uint32_t i) { return i == expected[2]; }) ==
              (expected[0] == expected[2] ? 0u : 2u));
    }
}

TEST_CASE("a walk around a single member ends") {
    const auto ring = ring_of(pool{{1}});
    int calls = 0;
    CHECK(ring.walk(1, 16, [&](std::uint32_t) { return ++calls, false; }) == 16);
    CHECK(calls == 16);
    CHECK(ring.walk(1, 0, [](std::uint32_t) { return true; }) == 0);
}

TEST_CASE("losing a member moves exactly its keys, and they come back") {
    pool p{{1, 2, 1, 5, 1}};
    const auto before = ring_of(p);
    for (std::size_t lost = 0; lost < p.weights.size(); ++lost) {
        pool less = p;
        less.weights[lost] = 0;
        const auto after = ring_of(less);
        int strays = 0, moved = 0;
        for (std::uint64_t key = 0; key < 5000; ++key) {
            const bool its_own = before.find(key) == lost;
            strays += !its_own && after.find(key) != before.find(key) ? 1 : 0;
            strays += after.find(key) == lost ? 1 : 0;
            moved += its_own ? 1 : 0;
            // Where they go is where a walk goes.
            before.walk(key, 64, [&](std::uint32_t i) {
                if (i == lost) return false;
                strays += i != after.find(key) ? 1 : 0;
                return true;
            });
        }
        CHECK(strays == 0);
        CHECK(moved > 0);
    }
}

TEST_CASE("raising a weight moves keys only towards that member") {
    const pool p{{2, 2, 2}};
    pool more = p;
    more.weights[1] = 5;
    const auto before = ring_of(p), after = ring_of(more);
    int gained = 0, strays = 0;
    for (std::uint64_t key = 0; key < 5000; ++key) {
        if (before.find(key) == after.find(key)) continue;
        ++gained;
        strays += after.find(key) != 1 ? 1 : 0;
    }
    CHECK(strays == 0);
    CHECK(gained > 0);
}

TEST_CASE("the mapping depends on identities and weights alone, not on the order or the indices") {
    static_assert(ring_table::history_free);
    const pool p{{1, 2, 3, 1, 1, 0, 4}};
    const auto ring = ring_of(p);
    weir::generator random{1};
    for (int round = 0; round < 10; ++round) {
        auto shuffled = p.members();
        std::shuffle(shuffled.begin(), shuffled.end(), random);
        std::vector<std::string> names;
        for (auto& m : shuffled) {
            names.emplace_back(m.identity);
            m.index = static_cast<std::uint32_t>(names.size() - 1);
        }
        const ring_table other{shuffled, {}};
        int different = 0;
        for (std::uint64_t key = 0; key < 1000; ++key)
            different += names[other.find(key)] != p.names[ring.find(key)] ? 1 : 0;
        CHECK(different == 0);
    }
}

TEST_CASE("of equal points none is lost: a walk meets the members of both") {
    // Points of different identities do not meet in practice; twins of one identity (a registry refuses them) share all.
    const std::vector<hash_member> twins{{"a", 1, 7}, {"a", 1, 8}};
    const ring_table ring{twins, {}};
    CHECK(ring.size() == 320);
    for (std::uint64_t key = 0; key < 200; ++key) {
        std::set<std::uint32_t> met;
        ring.walk(key, 2, [&](std::uint32_t i) { return met.insert(i), false; });
        CHECK(met == std::set<std::uint32_t>{7, 8});
    }
}

TEST_CASE("keys spread in proportion to weight, as evenly as random points do") {
    for (const auto& weights : {std::vector<std::uint32_t>(2, 1),
                                std::vector<std::uint32_t>(100, 1),
                                {1, 2, 3},
                                {1, 1, 1, 1000},
                                {1, 0, 5}}) {
        constexpr std::uint64_t sets = 20, keys = 3000;
        std::vector<std::uint64_t> counts(weights.size());
        for (std::uint64_t set = 0; set < sets; ++set) {
            const auto ring = ring_of(pool{weights, "set" + std::to_string(set) + '-'});
            for (std::uint64_t key = 0; key < keys; ++key) ++counts[ring.find(key)];
        }
        const double points = 160.0 * std::accumulate(weights.begin(), weights.end(), 0.0);
        CHECK(weir_test::unfair(counts, weights, weir_test::ring_overdispersion(keys, points)) == "");
    }
}

TEST_CASE("the fullest of 100 members has about 1.26 times the mean") {
    // The relative spread of one share is 1 / sqrt(160): the largest of 100 lies between 1 and 5 of them above the mean.
    const auto ring = ring_of(weir_test::equal(100));
    std::vector<double> counts(100);
    for (std::uint64_t key = 0; key < 1'000'000; ++key) ++counts[ring.find(key)];
    const double fullest = *std::max_element(counts.begin(), counts.end()) / 10'000;
    CHECK(fullest > 1 + 1 / std::sqrt(160.0));
    CHECK(fullest < 1 + 5 / std::sqrt(160.0));
}

TEST_CASE("hardening 5: too many points are refused with the bound, before any memory is taken") {
    constexpr auto most = ~std::uint32_t{0};
    CHECK_THROWS_WITH(
        ring_of(pool{{most, most, most}}),
        "weir: ring_table: weights of 12884901885 in all times 160 points are more than 16777216 points; use "
        "smaller weights");
    CHECK_THROWS_AS(ring_of(pool{{104858}}), std::invalid_argument);
    CHECK(ring_of(pool{{5}}, {3'355'443, 0}).size() == 16'777'215);
    CHECK_THROWS_AS(ring_of(pool{{5}}, {3'355'444, 0}), std::invalid_argument);
    CHECK_THROWS_AS(ring_of(pool{{most}}, {most, 0}), std::invalid_argument);
    CHECK_THROWS_WITH(ring_of(pool{{1}}, {0, 0}), "weir: ring_table: points_per_weight 0 is not above 0");
}

TEST_CASE("without weights a ring is empty") {
    CHECK(ring_table{}.empty());
    CHECK(ring_of(pool{{}}).empty());
    CHECK(ring_of(pool{{0, 0}}).empty());
    CHECK_FALSE(ring_of(pool{{0, 1}}).empty());
}

TEST_CASE("a seed makes another mapping") {
    const pool p{{1, 1, 1, 1}};
    const auto plain = ring_of(p), seeded = ring_of(p, {160, 1});
    int different = 0;
    for (std::uint64_t key = 0; key < 1000; ++key) different += plain.find(key) != seeded.find(key) ? 1 : 0;
    CHECK(different > 500);  // three of four would differ if the two were independent
}

TEST_CASE("an index that is too large or comes twice is refused") {
    CHECK_THROWS_WITH((ring_table{std::vector<hash_member>{{"a", 1, 1u << 24}}, {}}),
                      "weir: ring_table: an index of 16777216 is not below 16777216; indices number the members");
    CHECK_THROWS_WITH((ring_table{std::vector<hash_member>{{"a", 1, 3}, {"b", 1, 3}}, {}}),
                      "weir: ring_table: the index 3 comes twice");
    const auto ring = ring_of(pool{{1, 1}});
    CHECK_THROWS_AS((ring_table{ring, std::vector<hash_member>{{"a", 1, 3}, {"b", 1, 3}}}), std::invalid_argument);
    CHECK_THROWS_AS((ring_table{ring, std::vector<hash_member>{{"a", 104'858, 3}}}), std::invalid_argument);
}

TEST_CASE("a ring made of its predecessor is the ring made anew, through any changes") {
    weir::generator random{5};
    for (const ring_table::options& o : {ring_table::options{}, {1, 7}, {12, 0}}) {
        // By index: a name, or none, and a weight. Slots are emptied and filled with others, as a registry does.
        std::vector<std::pair<std::string, std::uint32_t>> slots(40);
        ring_table followed{{}, o};
        for (int round = 0; round < 300; ++round) {
            const std::uint64_t changes = round % 50 == 0 ? 20 : random.below(4);
            for (std::uint64_t i = 0; i < changes; ++i) {
                auto& [name, weight] = slots[random.below(slots.size())];
                if (random.below(3) == 0) name = name.empty() ? "n" + std::to_string(random.below(1000)) : "";
                weight = static_cast<std::uint32_t>(random.below(4));
            }
            std::vector<hash_member> members;
            for (std::uint32_t i = 0; i < slots.size(); ++i)
                if (!slots[i].first.empty()) members.push_back({slots[i].first, slots[i].second, i});
            std::shuffle(members.begin(), members.end(), random);
            followed = ring_table{followed, members};
            const ring_table anew{members, o};
            REQUIRE(followed.size() == anew.size());
            if (anew.empty()) continue;
            std::vector<std::uint32_t> order, expected;
            const auto key = random();
            followed.walk(key, 600, [&](std::uint32_t i) { return order.push_back(i), false; });
            anew.walk(key, 600, [&](std::uint32_t i) { return expected.push_back(i), false; });
            REQUIRE(order == expected);
            int different = 0;
            for (int i = 0; i < 300; ++i) {
                const auto some = random();
                different += followed.find(some) != anew.find(some) ? 1 : 0;
            }
            REQUIRE(different == 0);
        }
    }
}

static_assert(noexcept(std::declval<const ring_table&>().find(0)));
