#include <weir/hashing/anchor_table.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/members.hpp"

#include <weir/hashing/churn.hpp>

#include <cmath>

using weir::anchor_table;
using weir_test::equal;

TEST_CASE("without a capacity of its own it has a quarter to spare, and doubles when that is used up") {
    CHECK(anchor_table{}.buckets().size() == 0);
    CHECK(equal(0).make<anchor_table>().buckets().size() == 0);
    CHECK(equal(3).make<anchor_table>().buckets().size() == 17);
    auto t = equal(100).make<anchor_table>();
    CHECK(t.buckets().size() == 125);
    t = anchor_table{t, equal(125).members()};
    CHECK(t.buckets().size() == 125);
    const anchor_table grown{t, equal(126).members()};
    CHECK(grown.buckets().size() == 250);
    CHECK(anchor_table{grown, equal(1001).members()}.buckets().size() == 2000);
    // Growing moves half of the keys.
    constexpr int keys = 20'000;
    int moved = 0;
    for (std::uint64_t key = 0; key < keys; ++key) moved += grown.find(key) != t.find(key) ? 1 : 0;
    const double expected = 1 - (0.5 + 0.5 / 126) * 1;
    CHECK(std::abs(moved - keys * expected) <= weir_test::five_sigma(keys, expected));
}

TEST_CASE("a given capacity is kept, and what does not fit is refused") {
    const auto t = equal(10).make<anchor_table>({.capacity = 12});
    CHECK(t.buckets().size() == 13);  // an odd number
    CHECK(anchor_table{t, equal(12).members()}.buckets().size() == 13);
    CHECK_THROWS_WITH((anchor_table{t, equal(13).members()}),
                      "weir: anchor_table: 13 buckets are more than the capacity of 12");
    CHECK_THROWS_WITH(equal(13).make<anchor_table>({.capacity = 12}),
                      "weir: anchor_table: 13 buckets are more than the capacity of 12");
    CHECK_THROWS_WITH(equal(1).make<anchor_table>({.capacity = 20'000'000}),
                      "weir: anchor_buckets: a capacity of 20000000 is more than 16777216");
    const anchor_table empty{t, {}};
    CHECK(empty.empty());
    CHECK(anchor_table{empty, equal(2).members()}.buckets().size() == 13);
    CHECK(equal(1).make<anchor_table>({.capacity = 1}).buckets().size() == 1);
    CHECK_THROWS_AS(equal(2).make<anchor_table>({.capacity = 1}), std::invalid_argument);
}

TEST_CASE("head room is part of the mapping, so a state is taken only by its own capacity") {
    anchor_table::options o{.capacity = 12};
    o.state = equal(10).make<anchor_table>({.capacity = 12}).state();
    CHECK_NOTHROW(equal(10).make<anchor_table>(o));
    o.capacity = 0;
    CHECK(equal(13).make<anchor_table>(o).buckets().size() == 13);
    CHECK(equal(14).make<anchor_table>(o).buckets().size() == 26);
    o.capacity = 14;
    CHECK_THROWS_WITH(equal(10).make<anchor_table>(o),
                      "weir: anchor_table: a state of 13 buckets is not one of capacity 14");
}

TEST_CASE(
    "churn announces that a capacity will be outgrown: half of the keys, where a newcomer should take one in 126") {
    const auto now = equal(125), then = equal(126);
    const auto members = now.members(), more = then.members();
    const anchor_table full{equal(100).make<anchor_table>(), members}, grown{full, more};
    REQUIRE(full.buckets().size() == 125);
    constexpr std::uint64_t keys = 20'000;
    const auto announced = weir::churn(weir::mapping{full, members}, weir::mapping{grown, more}, keys);
    const double expected = 0.5 * (1 - 1 / 126.0);
    CHECK(std::abs(static_cast<double>(announced.moved) - keys * expected) <= weir_test::five_sigma(keys, expected));
    CHECK(std::abs(static_cast<double>(announced.excess()) - keys * (expected - 1 / 126.0)) <=
          weir_test::five_sigma(keys, expected));
    const auto fits = weir::churn<anchor_table>(members, more, keys, {.capacity = 150});
    CHECK(static_cast<double>(fits.excess()) <= weir_test::five_sigma(keys, 1 / 126.0));  // what is drawn, not needed
}

TEST_CASE("a table that has grown again and again maps as its export does, and keeps what it may") {
    auto t = equal(5).make<anchor_table>();
    double members = 5;
    for (const std::size_t n : {20u, 40u, 90u, 200u, 500u}) {
        const anchor_table before = t;
        t = anchor_table{t, equal(n).members()};
        anchor_table::options o;
        o.state = t.state();
        const auto copy = equal(n).make<anchor_table>(o);
        int kept = 0, different = 0;
        for (std::uint64_t key = 0; key < 5000; ++key) {
            kept += t.find(key) == before.find(key) ? 1 : 0;
            different += t.find(key) != copy.find(key) ? 1 : 0;
        }
        CHECK(different == 0);
        const double share = members / static_cast<double>(n);  // of those who were there
        const double stays = share * before.buckets().size() / t.buckets().size();
        members = static_cast<double>(n);
        CHECK(kept >= 5000 * stays - weir_test::five_sigma(5000, stays));
    }
}
