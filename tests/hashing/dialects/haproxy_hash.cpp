#include <weir/hashing/dialects/haproxy_hash.hpp>

#include "catch.hpp"
#include "support/haproxy.hpp"

#include <set>

using table = weir::haproxy_hash_table;
using weir_test::member_list;

TEST_CASE("every answer of HAProxy's hash-type consistent") {
    int rows = 0;
    for (const auto& row : weir_test::haproxy_rows("consistent_")) {
        const table t{row.servers.in_order(), row.options};
        INFO(row.name);
        const auto key = t.key_of(row.key);
        CHECK((row.down ? weir_test::find_without(t, key, *row.down, 16) : t.find(key)) == row.answer);
        ++rows;
    }
    CHECK(rows == 1383);
}

TEST_CASE("HAProxy: a server that is down is passed over as if its points were not there") {
    const member_list five{"s", 1, {1, 3, 1, 2, 1}};
    const table whole{five.in_order(), {.avalanche = true}};
    for (std::uint32_t down = 0; down < 5; ++down) {
        const table less{whole, five.without(down).in_order()};
        int different = 0;
        for (int i = 0; i < 1000; ++i) {
            const auto key = whole.key_of("k" + std::to_string(i));
            different += weir_test::find_without(whole, key, down, 16) != less.find(key) ? 1 : 0;
        }
        CHECK(different == 0);
    }
}

TEST_CASE("find gives the nearest point, and walk the members by distance, literally") {
    const member_list servers{"s", 1, {2, 1, 3}};
    const table t{servers.in_order(), {}};
    std::vector<std::pair<std::uint32_t, std::uint32_t>> points;
    for (std::uint32_t id = 1; id <= 3; ++id)
        for (std::uint32_t p = 0; p < 16 * servers.weights[id - 1]; ++p)
            points.emplace_back(weir::jenkins_mix(4096 * id + p) * 3221225473u, id - 1);
    for (std::uint32_t i = 0; i < 2000; ++i) {
        const std::uint32_t key = i < 96 ? points[i].first : weir::jenkins_mix(i);  // also on the points themselves
        auto by_distance = points;
        std::sort(by_distance.begin(), by_distance.end(), [&](const auto& a, const auto& b) {
            const auto distance = [&](std::uint32_t p) { return std::min(p - key, key - p); };
            if (distance(a.first) != distance(b.first)) return distance(a.first) < distance(b.first);
            return key - a.first < key - b.first;  // the one before
        });
        std::vector<std::uint32_t> expected, walked;
        for (const auto& [at, index] : by_distance)
            if (expected.empty() || expected.back() != index) expected.push_back(index);
        expected.resize(8);
        t.walk(key, 8, [&](std::uint32_t s) { return walked.push_back(s), false; });
        CHECK(walked == expected);
        CHECK(t.find(key) == expected.front());
    }
}

TEST_CASE("ids are what counts: names do not, and a state says which id is whose") {
    const member_list servers{"s", 1, {1, 1, 1, 1}}, renamed{"another ", 11, {1, 1, 1, 1}};
    const table t{servers.in_order(), {}}, other{renamed.in_order(), {}};
    const table numbered{servers.shuffled(3), {.state = {{"s1", 1}, {"s2", 2}, {"s3", 3}, {"s4", 4}}}};
    const table backwards{servers.in_order(), {.state = {{"s1", 4}, {"s2", 3}, {"s3", 2}, {"s4", 1}}}};
    int moved = 0;
    for (std::uint64_t key = 0; key < 500; ++key) {
        const auto at = weir::mix(key);
        CHECK(other.find(at) == t.find(at));
        CHECK(numbered.find(at) == t.find(at));
        CHECK(backwards.find(at) == 3 - t.find(at));
        moved += backwards.find(at) != t.find(at) ? 1 : 0;
    }
    CHECK(moved > 0);
}

TEST_CASE("survivors keep their ids when others leave, and so their keys") {
    const member_list servers{"s", 1, {1, 1, 1, 1, 1}};
    const table before{servers.in_order(), {.function = weir::haproxy_function::djb2, .avalanche = true}};
    auto left = servers.in_order();
    left.erase(left.begin() + 1);
    const table after{before, left};
    int strays = 0, lost = 0;
    for (int i = 0; i < 2000; ++i) {
        const auto key = before.key_of(std::to_string(i));
        CHECK(after.key_of(std::to_string(i)) == key);  // options are taken over
        lost += before.find(key) == 1 ? 1 : 0;
        strays += before.find(key) != 1 && after.find(key) != before.find(key) ? 1 : 0;
    }
    CHECK(strays == 0);
    CHECK(lost > 0);
}

TEST_CASE("weights and ids that HAProxy does not have are refused in words") {
    CHECK_THROWS_WITH((table{member_list{"s", 1, {257}}.in_order(), {}}),
                      "weir: haproxy_hash_table: \"s1\" has a weight of 257; HAProxy's go up to 256");
    CHECK_THROWS_WITH((table{member_list{"s", 1, {1}}.in_order(), {.state = {{"s1", 1 << 20}}}}),
                      "weir: haproxy_hash_table: \"s1\" has the id 1048576, which is not below 1048576");
    CHECK_NOTHROW(table{member_list{"s", 1, {256}}.in_order(), {.state = {{"s1", (1 << 20) - 1}}}});
    CHECK_THROWS_AS((table{member_list{"s", 1, std::vector<std::uint32_t>(4097, 256)}.in_order(), {}}),
                    std::invalid_argument);
    CHECK(table{member_list{"s", 1, {0}}.in_order(), {}}.empty());
}
