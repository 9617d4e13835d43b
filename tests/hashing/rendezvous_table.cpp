#include <weir/hashing/rendezvous_table.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/members.hpp"

#include <weir/random.hpp>

#include <algorithm>
#include <cmath>

using weir::hash_member;
using weir::rendezvous_table;
using weir_test::named;

// Published implementations (go-rendezvous, tysonmote/rendezvous) hash differently, disagree with each other and know no
// weights; weir follows neither, and is held against the rule, computed one member after the other.

namespace {

/// Everybody in the key's order, by the rule.
std::vector<std::uint32_t> by_the_book(const std::vector<hash_member>& members, std::uint64_t key,
                                       std::uint64_t seed = 0) {
    struct scored {
        std::uint64_t score, hash;
        const hash_member* member;
    };
    std::vector<scored> all;
    for (const auto& m : members) {
        if (m.weight == 0) continue;
        const std::uint64_t id = weir::hash(m.identity, seed), k = weir::mix(key);
        std::uint32_t h = (static_cast<std::uint32_t>(id) ^ static_cast<std::uint32_t>(k)) * 0x85ebca6b;
        h ^= h >> 15;
        h += static_cast<std::uint32_t>(id >> 32) ^ static_cast<std::uint32_t>(k >> 32);
        h *= 0xc2b2ae35;
        h ^= h >> 16;
        all.push_back({weir::detail::negative_log2(2 * (std::uint64_t{h} << 31) + (std::uint64_t{1} << 31)), id, &m});
    }
    std::sort(all.begin(), all.end(), [](const scored& a, const scored& b) {
        const auto left = weir::detail::multiply(a.score, b.member->weight),
                   right = weir::detail::multiply(b.score, a.member->weight);
        if (left < right || right < left) return left < right;
        return a.member->weight != b.member->weight ? a.member->weight > b.member->weight : a.hash < b.hash;
    });
    std::vector<std::uint32_t> order;
    for (const auto& s : all) order.push_back(s.member->index);
    return order;
}

}  // namespace

TEST_CASE("find and walk give the order by the rule, whatever the weights and the number of members") {
    constexpr auto most = ~std::uint32_t{0};
    std::vector<std::uint32_t> different(40);
    for (std::uint32_t i = 0; i < 40; ++i) different[i] = i;
    for (const auto& weights : {std::vector<std::uint32_t>{1},
                                {1, 1},
                                std::vector<std::uint32_t>(100, 7),
                                {1, 2, 0, 3},
                                {most, 1, most},
                                different}) {
        const named n{weights};
        const auto members = n.members();
        for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{9}}) {
            const rendezvous_table t{members, {seed}};
            for (std::uint64_t key = 0; key < 200; ++key) {
                const auto book = by_the_book(members, key, seed);
                std::vector<std::uint32_t> order;
                CHECK(t.find(key) == book.front());
                CHECK(t.walk(key, 1000, [&](std::uint32_t i) { return order.push_back(i), false; }) == 1000);
                CHECK(order == book);
                order.clear();
                t.walk(key, 20, [&](std::uint32_t i) { return order.push_back(i), false; });
                CHECK(order == std::vector<std::uint32_t>(
                                   book.begin(),
                                   book.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(20, book.size()))));
                CHECK(t.walk(key, 20, [&](std::uint32_t i) { return i == book.back(); }) ==
                      std::min<std::size_t>(20, book.size() <= 20 ? book.size() - 1 : 20));
                CHECK(t.walk(key, 0, [](std::uint32_t) { return true; }) == 0);
            }
        }
    }
}

TEST_CASE("shares are the weights, and so is each second choice among the others") {
    for (const auto& weights : {std::vector<std::uint32_t>(5, 1),
                                std::vector<std::uint32_t>(200, 3),
                                {1, 2, 3, 4},
                                {50, 1, 1},
                                {0, 1, 0, 1}}) {
        const auto t = named{weights}.make<rendezvous_table>();
        std::vector<std::uint64_t> first(weights.size());
        std::vector<std::vector<std::uint64_t>> second(weights.size(), first);
        for (std::uint64_t key = 0; key < 100'000; ++key) {
            const std::uint32_t home = t.find(key);
            ++first[home];
            t.walk(key, 2, [&](std::uint32_t i) { return i != home && ++second[home][i] > 0; });
        }
        CHECK(weir_test::unfair(first, weights) == "");
        for (std::size_t i = 0; i < weights.size(); ++i) {
            auto others = weights;
            others[i] = 0;
            if (weights[i] > 0) CHECK(weir_test::unfair(second[i], others) == "");
        }
    }
}

TEST_CASE("keys that differ in one half alone are spread as well as others") {
    const auto t = weir_test::equal(7).make<rendezvous_table>();
    const auto unmixed = [](std::uint64_t hashed) {  // the key whose hash that is: the inverse of mix
        const auto unshift = [](std::uint64_t x, int by) {
            std::uint64_t result = x;
            for (int i = 0; i < 64; i += by) result = x ^ (result >> by);
            return result;
        };
        hashed = unshift(hashed, 31) * 0x319642b2d24d8ec3;
        hashed = unshift(hashed, 27) * 0x96de1b173f119089;
        return unshift(hashed, 30);
    };
    for (const int shift : {0, 32}) {
        std::vector<std::uint64_t> counts(7);
        for (std::uint64_t i = 0; i < 100'000; ++i) ++counts[t.find(unmixed(weir::hash("", i) >> 32 << shift))];
        CHECK(weir_test::unfair(counts, std::vector<std::uint32_t>(7, 1)) == "");
    }
}

TEST_CASE("an identity that comes twice is refused, unless it has no weight") {
    CHECK_THROWS_WITH((rendezvous_table{std::vector<hash_member>{{"b", 1, 0}, {"a", 1, 1}, {"b", 2, 2}}, {}}),
                      "weir: rendezvous_table: the identity \"b\" comes twice");
    CHECK(rendezvous_table{std::vector<hash_member>{{"b", 1, 5}, {"b", 0, 2}}, {}}.find(1) == 5);
}
