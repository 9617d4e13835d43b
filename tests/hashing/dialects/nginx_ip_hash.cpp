#include <weir/hashing/dialects/nginx_ip_hash.hpp>

#include "catch.hpp"
#include "support/member_list.hpp"

#include <stdexcept>

using table = weir::nginx_ip_hash_table;
using weir::ip_address;
using weir_test::member_list;

namespace {

table table_of(const std::vector<std::uint32_t>& weights) { return table{member_list{"s", 0, weights}.in_order(), {}}; }

/// The rule as nginx has it, for any number of tries.
std::vector<std::uint32_t> literally(const ip_address& client, const std::vector<std::uint32_t>& weights, int tries) {
    std::uint32_t total = 0;
    for (const auto w : weights) total += w;
    std::uint32_t h = 89;
    std::vector<std::uint32_t> candidates;
    while (tries-- > 0) {
        for (std::size_t i = 0; i < (client.is_v4() ? 3 : 16); ++i) h = (h * 113 + client.bytes()[i]) % 6271;
        std::uint32_t w = h % total, at = 0;
        while (w >= weights[at]) w -= weights[at++];
        candidates.push_back(at);
    }
    return candidates;
}

}  // namespace

TEST_CASE("candidates are nginx's, try by try, for any address and any weights") {
    weir::generator random{1};
    for (int round = 0; round < 3000; ++round) {
        std::vector<std::uint32_t> weights;
        for (std::uint64_t n = 1 + random.below(9); n > 0; --n)
            weights.push_back(static_cast<std::uint32_t>(random.below(round % 2 == 0 ? 4 : 600)));
        weights.push_back(1);
        std::array<std::uint8_t, 16> bytes;
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random() >> 56);
        const auto client = round % 3 == 0 ? ip_address{bytes}
                                           : ip_address{std::array{bytes[0], bytes[1], bytes[2], bytes[3]}};
        const table t = table_of(weights);
        std::vector<std::uint32_t> ours;
        const auto key = table::key_of(client);
        CHECK(t.walk(key, 25, [&](std::uint32_t i) { return ours.push_back(i), false; }) == 25);
        CHECK(ours == literally(client, weights, 25));
        CHECK(t.find(key) == ours[0]);
        CHECK(t.walk(key, 25, [&](std::uint32_t i) { return i == ours[0]; }) == 0);
    }
}

TEST_CASE("any number is a key") {
    const table t = table_of({1, 2, 3});
    for (const std::uint64_t key : {std::uint64_t{0}, std::uint64_t{12'541}, std::uint64_t{12'542}, ~std::uint64_t{0}})
        CHECK(t.find(key) < 3);
}

TEST_CASE("an address's text is its key; what is no address is that of 0.0.0.0, as in nginx") {
    CHECK(table::key_of("10.1.2.3") == table::key_of(*ip_address::parse("10.1.2.250")));
    CHECK(table::key_of("10.1.2.3") != table::key_of("10.1.3.3"));
    CHECK(table::key_of("::ffff:10.1.2.3") != table::key_of("10.1.2.3"));
    CHECK(table::key_of("unix:") == table::key_of("0.0.0.0"));
}

TEST_CASE("servers keep their places, whoever comes takes a free one, and a state says all of them") {
    const std::vector<weir::hash_member> four{{"a", 1, 0}, {"b", 2, 1}, {"c", 1, 2}, {"d", 1, 3}};
    const table first{four, {}};
    CHECK(first.state() == std::vector<weir::server_number>{{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}});
    const std::vector<weir::hash_member> changed{{"d", 1, 3}, {"e", 2, 1}, {"c", 1, 2}, {"a", 1, 0}};
    const table second{first, changed};
    for (std::uint64_t key = 0; key < 2 * table::values; ++key) CHECK(second.find(key) == first.find(key));
    const table imported{changed, {.state = second.state()}};
    const table in_order{changed, {}};
    int different = 0;
    for (std::uint64_t key = 0; key < 2 * table::values; ++key) {
        CHECK(imported.find(key) == second.find(key));
        different += in_order.find(key) != second.find(key) ? 1 : 0;
    }
    CHECK(different > 0);
    CHECK_THROWS_WITH((table{four, {.state = {{"a", 1}, {"b", 1}}}}),
                      "weir: nginx_ip_hash_table: the number 1 is given twice");
}

TEST_CASE("more weight than the hash has values is refused with the bound") {
    CHECK_NOTHROW(table_of({6270, 1}));
    CHECK_THROWS_WITH(
        table_of({6270, 2}),
        "weir: nginx_ip_hash_table: weights of 6272 in all are more than the 6271 values of the hash; use "
        "smaller weights");
    CHECK_THROWS_AS(table_of({~0u, ~0u, 2}), std::invalid_argument);
    CHECK(table_of({}).empty());
    CHECK(table_of({0, 0}).empty());
    CHECK_FALSE(table_of({0, 1}).empty());
}
