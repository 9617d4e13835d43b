#include <weir/hashing/dialects/nginx_consistent_hash.hpp>

#include "catch.hpp"
#include "support/member_list.hpp"
#include "support/vectors.hpp"

#include <map>
#include <optional>

using table = weir::nginx_consistent_hash_table;
using weir_test::member_list;

namespace {

struct upstream {
    member_list servers;
    std::optional<std::uint32_t> down = {};
};

const std::map<std::string, upstream>& upstreams() {
    const std::string stem = "127.0.0.1:1900";
    static const std::map<std::string, upstream> all{
        {"chash_eq3", {{stem, 1, {1, 1, 1}}}},
        {"chash_eq5", {{stem, 1, {1, 1, 1, 1, 1}}}},
        {"chash_w_1_2_3", {{stem, 1, {1, 2, 3}}}},
        {"chash_w_5_1_1", {{stem, 1, {5, 1, 1}}}},
        {"chash_eq5_down3", {{stem, 1, {1, 1, 1, 1, 1}}, 2}},
        {"chash_eq5_without3", {{{stem + '1', stem + '2', stem + '4', stem + '5'}, {1, 1, 1, 1}}}},
        {"chash_w_1_2_3_down2", {{stem, 1, {1, 2, 3}}, 1}},
        {"chash_ips", {{"127.0.0.", 2, {1, 1, 1}, ":19001"}}},
    };
    return all;
}

}  // namespace

TEST_CASE("every answer of nginx's hash KEY consistent, in whatever order the servers come") {
    int rows = 0;
    std::string last;
    std::vector<table> tables;
    for (const auto& row : weir_test::vector_rows("nginx_hash.csv")) {
        if (!row[0].starts_with("chash_")) continue;
        const upstream& u = upstreams().at(row[0]);
        if (std::exchange(last, row[0]) != row[0]) {
            tables.clear();
            tables.emplace_back(u.servers.in_order());
            for (std::uint64_t seed = 1; seed <= 3; ++seed) tables.emplace_back(u.servers.shuffled(seed));
        }
        INFO(row[0] << ", key " << row[1]);
        for (const table& t : tables) {
            const auto key = table::key_of(row[1]);
            const auto home = u.down ? weir_test::find_without(t, key, *u.down, table::walk_steps) : t.find(key);
            CHECK(home == std::stoul(row[2]));
        }
        ++rows;
    }
    CHECK(rows == 997);
}

TEST_CASE("nginx: a server that is down is passed over as if its points were not there") {
    const member_list five{"10.0.0.", 1, {1, 3, 1, 2, 1}, ":80"};
    const table whole{five.in_order()};
    for (std::uint32_t down = 0; down < 5; ++down) {
        const table less{five.without(down).in_order()};
        int different = 0;
        for (int i = 0; i < 1000; ++i) {
            const auto key = table::key_of("k" + std::to_string(i));
            different += weir_test::find_without(whole, key, down, table::walk_steps) != less.find(key) ? 1 : 0;
        }
        CHECK(different == 0);
    }
}

TEST_CASE("names are taken apart as nginx does: the port is the digits behind the last colon") {
    const auto same = [](const std::string& a, const std::string& b) {
        const std::vector<weir::hash_member> one{{a, 1, 0}, {"other", 1, 1}}, two{{b, 1, 0}, {"other", 1, 1}};
        const table left{one}, right{two};
        for (std::uint64_t key = 0; key < 1000; ++key)
            if (left.find(key << 22) != right.find(key << 22)) return false;
        return true;
    };
    CHECK(same("unix:/run/app", "UNIX:/run/app"));
    CHECK(same("unix:host", "host"));  // the prefix is not hashed
    CHECK(same("host:", "host"));      // an empty port
    CHECK_FALSE(same("host:80", "host"));
    CHECK_FALSE(same("host:80", "host:81"));
    CHECK(same(std::string{"host\0", 5} + "80", "host:80") == false);  // a port is what follows a colon alone
    CHECK_FALSE(same("[::1]:80", "[::1]"));
    CHECK_FALSE(same("123", "host"));
}

TEST_CASE("points number 160 per unit of weight, of equal ones the lesser identity's stays") {
    CHECK(table{member_list{"10.0.0.", 1, {1, 2, 0}, ":80"}.in_order()}.size() == 480);
    // Twins of one identity share all points: the first of them in the order of identities has them all.
    const std::vector<weir::hash_member> twins{{"unix:a", 1, 7}, {"a", 1, 8}};  // hashed alike
    const table t{twins};
    CHECK(t.size() == 160);
    for (std::uint64_t key = 0; key < 100; ++key) CHECK(t.find(key << 25) == 8);  // "a" < "unix:a"
}

TEST_CASE("a key is 32 bits: what is above them does not count") {
    const table t{member_list{"10.0.0.", 1, {1, 1, 1, 1, 1}}.in_order()};
    for (std::uint64_t key = 0; key < 1000; ++key)
        CHECK(t.find(weir::mix(key)) == t.find(weir::mix(key) | 0xffffffff00000000));
}

TEST_CASE("too many points are refused with the bound; without weights a ring is empty") {
    CHECK_THROWS_WITH(table{(member_list{"a", 1, {104'858}}.in_order())},
                      "weir: nginx_consistent_hash_table: weights of 104858 in all times 160 points are more than "
                      "16777216 points; use smaller weights");
    CHECK_THROWS_AS(table{(member_list{"a", 1, {~std::uint32_t{0}, ~std::uint32_t{0}}}.in_order())},
                    std::invalid_argument);
    CHECK(table{std::span<const weir::hash_member>{}}.empty());
    CHECK(table{member_list{"a", 1, {0, 0}}.in_order()}.empty());
    CHECK_FALSE(table{member_list{"a", 1, {0, 1}}.in_order()}.empty());
}
