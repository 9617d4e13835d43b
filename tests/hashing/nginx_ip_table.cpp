#include <weir/hashing/nginx_ip_table.hpp>

#include "catch.hpp"

#include <weir/random.hpp>

#include <stdexcept>
#include <string>

using weir::ip_address;
using weir::nginx_ip_table;

namespace {

std::vector<weir::hash_member> members(const std::vector<std::uint32_t>& weights) {
    std::vector<weir::hash_member> all;
    for (std::uint32_t i = 0; i < weights.size(); ++i) all.push_back({"", weights[i], i});
    return all;
}

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
        const nginx_ip_table table{members(weights)};
        std::vector<std::uint32_t> ours;
        const auto key = nginx_ip_table::key(client);
        CHECK(table.walk(key, 25, [&](std::uint32_t i) { return ours.push_back(i), false; }) == 25);
        CHECK(ours == literally(client, weights, 25));
        CHECK(table.find(key) == ours[0]);
        CHECK(table.walk(key, 25, [&](std::uint32_t i) { return i == ours[0]; }) == 0);
    }
}

TEST_CASE("any number is a key") {
    const nginx_ip_table table{members({1, 2, 3})};
    for (const std::uint64_t key : {std::uint64_t{0}, std::uint64_t{12'541}, std::uint64_t{12'542}, ~std::uint64_t{0}})
        CHECK(table.find(key) < 3);
}

TEST_CASE("more weight than the hash has values is refused with the bound") {
    CHECK_NOTHROW(nginx_ip_table{members({6270, 1})});
    CHECK_THROWS_WITH(nginx_ip_table{members({6270, 2})},
                      "weir: nginx_ip_table: weights of 6272 in all are more than the 6271 values of the hash; use "
                      "smaller weights");
    CHECK_THROWS_AS((nginx_ip_table{members({~0u, ~0u, 2})}), std::invalid_argument);
    CHECK(nginx_ip_table{}.empty());
    CHECK(nginx_ip_table{members({})}.empty());
    CHECK(nginx_ip_table{members({0, 0})}.empty());
    CHECK_FALSE(nginx_ip_table{members({0, 1})}.empty());
}
