#include <weir/hashing/churn.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/member_list.hpp"

#include <weir/hashing/dialects/nginx_consistent_hash.hpp>
#include <weir/hashing/dialects/nginx_hash.hpp>
#include <weir/hashing/ring_table.hpp>

using weir::churn;
using weir::churn_report;
using weir::hash_member;
using weir::mapping;
using weir::ring_table;
using weir_test::member_list;

namespace {

/// Keys go to the members with a weight in turn: whoever comes or goes moves nearly all.
struct modulo_table {
    struct options {};
    static constexpr bool history_free = true;
    std::vector<std::uint32_t> indices;
    modulo_table(std::span<const hash_member> members, const options&) {
        for (const auto& m : members)
            if (m.weight > 0) indices.push_back(m.index);
    }
    [[nodiscard]] bool empty() const noexcept { return indices.empty(); }
    [[nodiscard]] std::uint32_t find(std::uint64_t key) const noexcept { return indices[key % indices.size()]; }
    template <class Accept>
    std::uint32_t walk(std::uint64_t, std::uint32_t steps, Accept&&) const noexcept {
        return steps;
    }
};

/// Keys 0 to n - 1.
std::vector<std::uint64_t> counted(std::uint64_t n) {
    std::vector<std::uint64_t> keys(n);
    for (std::uint64_t i = 0; i < n; ++i) keys[i] = i;
    return keys;
}

std::vector<hash_member> named(std::initializer_list<std::pair<const char*, std::uint32_t>> list) {
    std::vector<hash_member> members;
    for (const auto& [name, weight] : list)
        members.push_back({name, weight, static_cast<std::uint32_t>(members.size())});
    return members;
}

}  // namespace

TEST_CASE("what moves, what had to, and who has how much, key by key") {
    // 12 keys modulo 3, then modulo 4: those that stay are 0, 1, 2 of each dozen.
    const auto three = named({{"a", 1}, {"b", 1}, {"c", 1}}), four = named({{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}});
    const auto keys = counted(12);
    const auto grown = churn<modulo_table>(three, four, keys);
    CHECK(grown.keys == 12);
    CHECK(grown.moved == 9);
    CHECK(grown.unavoidable == 3);  // d's quarter
    CHECK(grown.excess() == 6);
    CHECK(grown.imbalance_before == Approx(1));
    CHECK(grown.imbalance_after == Approx(1));
    REQUIRE(grown.members.size() == 4);
    CHECK(grown.members[3].identity == "d");
    CHECK(grown.members[3].weight_before == 0);
    CHECK(grown.members[3].weight_after == 1);
    CHECK(grown.members[3].keys_before == 0);
    CHECK(grown.members[3].keys_after == 3);
    CHECK(grown.members[0].keys_before == 4);

    const auto shrunk = churn<modulo_table>(four, three, keys);
    CHECK(shrunk.moved == 9);
    CHECK(shrunk.unavoidable == 3);  // d's keys
    const auto same = churn<modulo_table>(four, four, keys);
    CHECK(same.moved == 0);
    CHECK(same.unavoidable == 0);
}

TEST_CASE("owners are compared by identity: other slots for the same members move nothing") {
    const member_list pool{"m", 1, {1, 2, 3, 1}};
    auto other = pool.shuffled(5);
    for (std::uint32_t i = 0; i < other.size(); ++i) other[i].index = 100 - i;
    const auto report = churn<ring_table>(pool.in_order(), other, 20'000);
    CHECK(report.moved == 0);
    CHECK(report.members.size() == 4);
}

TEST_CASE("losing one of n moves its keys and no others: all of them unavoidable") {
    const member_list pool{"m", 1, std::vector<std::uint32_t>(20, 1)};
    const member_list less = pool.without(7);
    const auto before = pool.in_order(), after = less.in_order();
    const ring_table first{before, {}}, second{after, {}};
    std::uint64_t lost = 0;
    for (std::uint64_t i = 0; i < 50'000; ++i) lost += first.find(weir::mix(i)) == 7 ? 1 : 0;
    const auto report = churn(mapping{first, before}, mapping{second, after}, 50'000);
    CHECK(report.moved == lost);
    CHECK(report.unavoidable == lost);
    CHECK(report.excess() == 0);
    // The same where it is gone from the list, and told by its weight of 0.
    auto shorter = before;
    shorter.erase(shorter.begin() + 7);
    CHECK(churn<ring_table>(before, shorter, 50'000).moved == lost);
}

TEST_CASE("a newcomer's share, and what a raised weight adds, is unavoidable; it comes from those who stay") {
    const member_list ten{"m", 1, std::vector<std::uint32_t>(10, 1)};
    auto eleven = ten;
    eleven.names.push_back("newcomer");
    eleven.weights.push_back(1);
    auto raised = ten;
    raised.weights[3] = 2;
    CHECK(churn<modulo_table>(ten.in_order(), eleven.in_order(), 110'000).unavoidable ==
          10'000);  // one share in eleven
    // A ring moves keys towards the newcomer, or the raised one, only; what it moves is its luck.
    for (const auto& [then, share] : {std::pair{eleven, 10'000}, std::pair{raised, 9'000}}) {  // 1/11, 2/11 - 1/10
        const auto report = churn<ring_table>(ten.in_order(), then.in_order(), 110'000);
        std::uint64_t gained = 0;
        for (const auto& m : report.members)
            if (m.weight_after > m.weight_before) gained += m.keys_after - m.keys_before;
        CHECK(report.moved == gained);
        CHECK(report.unavoidable == std::min<std::uint64_t>(gained, static_cast<std::uint64_t>(share)));
        CHECK(report.excess() == gained - report.unavoidable);
    }
}

TEST_CASE("who comes in place of who leaves takes over its keys: they are not counted twice") {
    const auto before = named({{"a", 1}, {"b", 1}, {"c", 1}}), after = named({{"a", 1}, {"b", 1}, {"d", 1}});
    const auto report = churn<modulo_table>(before, after, counted(30));
    CHECK(report.moved == 10);
    CHECK(report.unavoidable == 10);
    CHECK(report.members.size() == 4);
}

TEST_CASE("imbalance is max/mean per weight") {
    // 6 keys over a and b in turn, of which a is to have one in three.
    const auto report = churn<modulo_table>(named({{"a", 1}, {"b", 2}}), named({{"a", 1}, {"b", 5}}), counted(6));
    CHECK(report.imbalance_before == Approx(3 / 2.0));
    CHECK(report.imbalance_after == Approx(3.0));
}

TEST_CASE("from nobody and to nobody all keys move, and had to") {
    const auto one = named({{"a", 1}}), none = named({{"a", 0}});
    const auto arrival = churn<ring_table>(none, one, 1000), loss = churn<ring_table>(one, none, 1000);
    for (const auto& report : {arrival, loss}) {
        CHECK(report.moved == 1000);
        CHECK(report.unavoidable == 1000);
    }
    CHECK(arrival.imbalance_before == 0);
    CHECK(arrival.imbalance_after == Approx(1));
    CHECK(churn<ring_table>(none, {}, 1000).moved == 0);
}

TEST_CASE("the operator's own keys: numbers, and texts as each table reads them") {
    const member_list pool{"10.0.0.", 1, {1, 1, 1}, ":80"};
    const member_list less = pool.without(0);
    const auto before = pool.in_order(), after = less.in_order();
    std::vector<std::string> texts;
    std::vector<std::uint64_t> hashed, crc;
    for (int i = 0; i < 3000; ++i) {
        texts.push_back("/path/" + std::to_string(i));
        hashed.push_back(weir::hash(texts.back()));
        crc.push_back(weir::crc32{}(texts.back()));
    }
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    CHECK(churn<ring_table>(before, after, texts).moved == churn<ring_table>(before, after, hashed).moved);
    CHECK(churn<ring_table>(before, after, views).moved == churn<ring_table>(before, after, hashed).moved);
    using nginx = weir::nginx_consistent_hash_table;
    const auto by_text = churn<nginx>(before, after, texts), by_crc = churn<nginx>(before, after, crc);
    CHECK(by_text.moved == by_crc.moved);
    CHECK(by_text.members[1].keys_after == by_crc.members[1].keys_after);
    // Also from one table to another: going over from nginx to a ring.
    const ring_table ring{before, {}};
    const nginx other{before};
    const auto migration = churn(mapping{other, before}, mapping{ring, before}, texts);
    CHECK(migration.moved > 1000);  // two of three move by chance
    CHECK(migration.unavoidable == 0);
}

TEST_CASE("a table with a history goes on from the first") {
    const member_list pool{"s", 1, {1, 1, 1, 1}};
    const auto after = pool.shuffled(3);  // the same members in another order are the same configuration
    CHECK(churn<weir::nginx_hash_table>(pool.in_order(), after, 1000).moved == 0);
}

TEST_CASE("the sample tells the whole within what its size allows") {
    const member_list pool{"m", 1, std::vector<std::uint32_t>(50, 1)};
    const member_list less = pool.without(3);
    const auto before = pool.in_order(), after = less.in_order();
    const auto large = churn<ring_table>(before, after, 500'000), small = churn<ring_table>(before, after, 5000);
    const double p = static_cast<double>(large.moved) / 500'000;
    CHECK(std::abs(static_cast<double>(small.moved) - 5000 * p) <= weir_test::five_sigma(5000, p, 1.01));
}

TEST_CASE("samples and members that cannot be are refused in words") {
    const auto members = named({{"a", 1}, {"b", 1}});
    CHECK_THROWS_WITH(churn<ring_table>(members, members, 0), "weir: a sample of 0 keys is not from 1 to 4294967296");
    CHECK_THROWS_WITH(churn<ring_table>(members, members, -5), "weir: a sample of -5 keys is not from 1 to 4294967296");
    CHECK_THROWS_AS(churn<ring_table>(members, members, ~std::uint64_t{0}), std::invalid_argument);
    CHECK_THROWS_AS(churn<ring_table>(members, members, std::vector<std::string>{}), std::invalid_argument);
    const ring_table ring{members, {}};
    const auto fewer = named({{"a", 1}});
    CHECK_THROWS_WITH(churn(mapping{ring, fewer}, mapping{ring, members}, 100),
                      "weir: churn: a table gave the index 1, which is not in the list of its members");
    const std::vector<hash_member> twins{{"a", 1, 0}, {"a", 1, 1}}, doubled{{"a", 1, 0}, {"b", 1, 0}};
    CHECK_THROWS_WITH(churn<modulo_table>(twins, members, 10),
                      "weir: churn: the identity \"a\" is in one list of members twice");
    CHECK_THROWS_WITH(churn<modulo_table>(members, doubled, 10),
                      "weir: churn: the index 0 is in one list of members twice");
    const std::vector<hash_member> far{{"a", 1, ~std::uint32_t{0}}};
    CHECK_THROWS_WITH(churn<modulo_table>(members, far, 10),
                      "weir: churn: an index of 4294967295 is not below 16777216; indices number the members");
}
