#include <weir/hashing/dialects/haproxy_map.hpp>

#include "catch.hpp"
#include "support/haproxy.hpp"

#include <map>

using table = weir::haproxy_map_table;
using weir_test::member_list;

TEST_CASE("every answer of HAProxy's hash-type map-based; who is down has no slots") {
    int rows = 0;
    for (const auto& row : weir_test::haproxy_rows("map-based_")) {
        const table t{(row.down ? row.servers.without(*row.down) : row.servers).in_order(), row.options};
        INFO(row.name);
        CHECK(t.find(t.key_of(row.key)) == row.answer);
        ++rows;
    }
    CHECK(rows == 1101);
}

TEST_CASE("the map has a slot for each unit of weight over the greatest common divisor, in id order at first") {
    const table t{member_list{"s", 1, {6, 2, 4, 0}}.in_order(), {}};
    CHECK(t.size() == 6);
    std::map<std::uint32_t, int> slots;
    for (std::uint64_t key = 0; key < 6; ++key) ++slots[t.find(key)];
    CHECK(slots == std::map<std::uint32_t, int>{{0, 3}, {1, 1}, {2, 2}});
    CHECK(t.find(0) == 0);
    CHECK(t.find(6) == 0);
}

TEST_CASE("a walk goes on in the map from the key's slot") {
    const table t{member_list{"s", 1, {1, 2, 3}}.in_order(), {}};
    for (std::uint64_t key = 0; key < 6; ++key) {
        std::vector<std::uint32_t> expected, walked;
        for (std::uint64_t i = 0; i < 9; ++i) expected.push_back(t.find((key + i) % 6));
        CHECK(t.walk(key, 9, [&](std::uint32_t s) { return walked.push_back(s), false; }) == 9);
        CHECK(walked == expected);
    }
}

TEST_CASE("ids say the order, and go from table to table") {
    const member_list servers{"s", 1, {1, 1, 1, 1}};
    const table first{servers.in_order(), {}}, second{first, servers.shuffled(1)};
    for (std::uint64_t key = 0; key < 4; ++key) {
        CHECK(first.find(key) == key);
        CHECK(second.find(key) == key);
    }
    CHECK(second.state() == first.state());
}

TEST_CASE("a map that would take too long to fill is refused with the bound, before any memory is taken") {
    constexpr auto most = ~std::uint32_t{0};
    CHECK_THROWS_WITH((table{member_list{"s", 1, {most, 1}}.in_order(), {}}),
                      "weir: haproxy_map_table: 2 servers times 4294967296 slots are more than 536870912; use smaller "
                      "weights");
    CHECK(table{member_list{"s", 1, {most, most}}.in_order(), {}}.size() == 2);
    CHECK(table{member_list{"s", 1, {0}}.in_order(), {}}.empty());
}
