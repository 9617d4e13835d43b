#include <weir/hashing/dialects/nginx_hash.hpp>

#include "catch.hpp"
#include "support/member_list.hpp"
#include "support/vectors.hpp"

#include <map>
#include <optional>

using table = weir::nginx_hash_table;
using weir_test::member_list;

namespace {

struct upstream {
    member_list servers;
    std::optional<std::uint32_t> down = {};
};

const std::map<std::string, upstream>& upstreams() {
    const std::string stem = "127.0.0.1:1900";
    static const std::map<std::string, upstream> all{
        {"hash_eq3", {{stem, 1, {1, 1, 1}}}},
        {"hash_eq5", {{stem, 1, {1, 1, 1, 1, 1}}}},
        {"hash_w_1_2_3", {{stem, 1, {1, 2, 3}}}},
        {"hash_w_5_1_1", {{stem, 1, {5, 1, 1}}}},
        {"hash_eq5_down3", {{stem, 1, {1, 1, 1, 1, 1}}, 2}},
        {"hash_eq5_without3", {{{stem + '1', stem + '2', stem + '4', stem + '5'}, {1, 1, 1, 1}}}},
        {"hash_w_1_2_3_down2", {{stem, 1, {1, 2, 3}}, 1}},
        {"hash_ips", {{"127.0.0.", 2, {1, 1, 1}, ":19001"}}},
    };
    return all;
}

/// nginx's rule, literally: the number of the try and the text, hashed as one.
std::vector<std::uint32_t> by_the_rule(const member_list& servers, const std::string& text, int tries) {
    std::uint64_t total = 0;
    for (const auto w : servers.weights) total += w;
    std::uint32_t sum = 0;
    std::vector<std::uint32_t> homes;
    for (int n = 0; n < tries; ++n) {
        sum += (weir::crc32{}((n > 0 ? std::to_string(n) : "") + text) >> 16) & 0x7fff;
        std::uint64_t left = sum % total;
        std::uint32_t i = 0;
        for (; left >= servers.weights[i]; ++i) left -= servers.weights[i];
        homes.push_back(i);
    }
    return homes;
}

}  // namespace

TEST_CASE("every answer of nginx's plain hash KEY, servers in the order of the configuration") {
    int rows = 0;
    for (const auto& row : weir_test::vector_rows("nginx_hash.csv")) {
        if (!row[0].starts_with("hash_")) continue;
        const upstream& u = upstreams().at(row[0]);
        const table t{u.servers.in_order(), {}};
        INFO(row[0] << ", key " << row[1]);
        const auto key = table::key_of(row[1]);
        const auto home = u.down ? weir_test::find_without(t, key, *u.down, table::walk_steps) : t.find(key);
        CHECK(home == std::stoul(row[2]));
        ++rows;
    }
    CHECK(rows == 1016);
}

TEST_CASE("all 21 tries are those of the rule, for texts of any length") {
    const member_list servers{"s", 1, {1, 2, 3, 1, 5}};
    const table t{servers.in_order(), {}};
    for (int i = 0; i < 300; ++i) {
        const std::string text = std::string(static_cast<std::size_t>(i % 40), 'x') + std::to_string(i);
        std::vector<std::uint32_t> walked;
        CHECK(t.walk(table::key_of(text), 21, [&](std::uint32_t s) { return walked.push_back(s), false; }) == 21);
        CHECK(walked == by_the_rule(servers, text, 21));
        CHECK(t.find(table::key_of(text)) == walked.front());
        CHECK(t.walk(table::key_of(text), 21, [&](std::uint32_t s) { return s == walked[4]; }) <= 4);
    }
    CHECK(t.walk(7, 0, [](std::uint32_t) { return true; }) == 0);
}

TEST_CASE("the order of servers is their history, and goes from table to table as a state") {
    const auto homes = [](const table& t) {
        std::vector<std::uint32_t> all;
        for (int i = 0; i < 300; ++i) all.push_back(t.find(table::key_of("k" + std::to_string(i))));
        return all;
    };
    const member_list servers{"s", 1, {1, 1, 1, 1, 1}};
    const table first{servers.in_order(), {}};
    CHECK(first.state() == std::vector<weir::server_number>{{"s1", 1}, {"s2", 2}, {"s3", 3}, {"s4", 4}, {"s5", 5}});
    CHECK(homes(table{servers.shuffled(1), {}}) != homes(first));  // another configuration

    // Made of its predecessor, or with its state, the order they come in does not matter.
    CHECK(homes(table{first, servers.shuffled(1)}) == homes(first));
    CHECK(homes(table{servers.shuffled(2), {first.state()}}) == homes(first));

    // s2 leaves, s6 and s7 come: s6 takes its place, s7 the end.
    auto changed = servers.in_order();
    changed.erase(changed.begin() + 1);
    changed.push_back({"s6", 1, 5});
    changed.push_back({"s7", 1, 6});
    const table second{first, changed};
    CHECK(second.state() ==
          std::vector<weir::server_number>{{"s1", 1}, {"s6", 2}, {"s3", 3}, {"s4", 4}, {"s5", 5}, {"s7", 6}});
    CHECK(homes(table{changed, {second.state()}}) == homes(second));

    // A weight of 0 leaves a place behind, to come back to.
    const table without{first, servers.without(1).in_order()};
    CHECK(without.state() == first.state());
    CHECK(homes(table{without, servers.in_order()}) == homes(first));
}

TEST_CASE("a state with a place of 0, or a place or an identity twice, is refused in words") {
    const auto made = [](std::vector<weir::server_number> state) {
        return table{member_list{"s", 1, {1, 1}}.in_order(), {std::move(state)}};
    };
    CHECK_THROWS_WITH(made({{"s1", 0}}), "weir: nginx_hash_table: \"s1\" has the number 0; numbers begin at 1");
    CHECK_THROWS_WITH(made({{"s1", 3}, {"s2", 3}}), "weir: nginx_hash_table: the number 3 is given twice");
    CHECK_THROWS_WITH(made({{"s1", 1}, {"s1", 2}}), "weir: nginx_hash_table: \"s1\" is numbered twice");
    CHECK(made({{"gone", 1}, {"s2", 9}}).state() == std::vector<weir::server_number>{{"s1", 1}, {"s2", 9}});
}

TEST_CASE("weights up to the largest are exact, and without weights a table is empty") {
    constexpr auto most = ~std::uint32_t{0};
    const member_list servers{"s", 1, {most, most, most}};
    const table t{servers.in_order(), {}};
    // 15 bits never leave the first server.
    for (int i = 0; i < 100; ++i) CHECK(t.find(table::key_of(std::to_string(i))) == 0);
    CHECK(table{std::span<const weir::hash_member>{}, {}}.empty());
    CHECK(table{member_list{"s", 1, {0, 0}}.in_order(), {}}.empty());
    CHECK_FALSE(table{member_list{"s", 1, {0, 1}}.in_order(), {}}.empty());
}
