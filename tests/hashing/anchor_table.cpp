#include <weir/hashing/anchor_table.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/members.hpp"

#include <cmath>

using weir::anchor_table;
using weir_test::equal;

TEST_CASE("without a capacity of its own it has a quarter to spare, and doubles when that is used up") {
    CHECK(anchor_table{}.buckets().size() == 0);
    CHECK(equal(0).make<anchor_table>().buckets().size() == 0);
    CHECK(equal(3).make<anchor_table>().buckets().size() == 16);
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
    CHECK(t.buckets().size() == 12);
    CHECK(anchor_table{t, equal(12).members()}.buckets().size() == 12);
    CHECK_THROWS_WITH((anchor_table{t, equal(13).members()}),
                      "weir: anchor_table: 13 buckets are more than the capacity of 12");
    CHECK_THROWS_WITH(equal(13).make<anchor_table>({.capacity = 12}),
                      "weir: anchor_table: 13 buckets are more than the capacity of 12");
    CHECK_THROWS_WITH(equal(1).make<anchor_table>({.capacity = 20'000'000}),
                      "weir: anchor_buckets: a capacity of 20000000 is more than 16777216");
    const anchor_table empty{t, {}};
    CHECK(empty.empty());
    CHECK(anchor_table{empty, equal(2).members()}.buckets().size() == 12);
}

TEST_CASE("head room is part of the mapping, so a state is taken only by its own capacity") {
    anchor_table::options o{.capacity = 12};
    o.state = equal(10).make<anchor_table>({.capacity = 12}).state();
    CHECK_NOTHROW(equal(10).make<anchor_table>(o));
    o.capacity = 0;
    CHECK(equal(13).make<anchor_table>(o).buckets().size() == 24);
    o.capacity = 13;
    CHECK_THROWS_WITH(equal(10).make<anchor_table>(o),
                      "weir: anchor_table: a state of 12 buckets is not one of capacity 13");
}
