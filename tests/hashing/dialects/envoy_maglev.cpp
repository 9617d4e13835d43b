#include <weir/hashing/dialects/envoy_maglev.hpp>

#include "catch.hpp"
#include "support/json.hpp"
#include "support/member_list.hpp"
#include "support/vectors.hpp"

#include <map>

using table = weir::envoy_maglev_table;
using weir_test::json;
using weir_test::member_list;

namespace {

const json& vectors() {
    static const json all{weir_test::vector_text("envoy_ring_maglev.json")};
    return all;
}

std::vector<std::uint32_t> slots(const table& t) { return {t.slots().begin(), t.slots().end()}; }

/// Envoy's rounds, literally.
std::vector<std::uint32_t> by_the_rule(const member_list& pool, std::uint32_t size) {
    auto members = pool.in_order();
    std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.identity < b.identity; });
    double sum = 0, most = 0;
    for (const auto& m : members) sum += m.weight;
    for (const auto& m : members) most = std::max(most, m.weight / sum);
    std::vector<double> target(members.size());
    std::vector<std::uint64_t> next(members.size());
    std::vector<std::uint32_t> filled(size, ~std::uint32_t{0});
    std::uint32_t left = size;
    for (std::uint64_t round = 1; left > 0; ++round) {
        for (std::size_t i = 0; i < members.size() && left > 0; ++i) {
            if (members[i].weight == 0 || static_cast<double>(round) * (members[i].weight / sum) < target[i]) continue;
            target[i] += most;
            const auto place = [&] {
                return (weir::hash(members[i].identity) % size +
                        next[i] * (weir::hash(members[i].identity, 1) % (size - 1) + 1)) %
                       size;
            };
            while (filled[place()] != ~std::uint32_t{0}) ++next[i];
            filled[place()] = members[i].index;
            --left;
        }
    }
    return filled;
}

}  // namespace

TEST_CASE("every table that Envoy's tests assert, in whatever order members come") {
    int tables = 0;
    for (const json& test : vectors()["maglev"]) {
        INFO(test["case"].text());
        // Effective weights of .8 and .2 are shares: 4 to 1.
        const auto weights = test["weights"].list<std::uint32_t>(
            [](const json& w) { return static_cast<std::uint32_t>(w.real() < 1 ? w.real() * 5 + 0.5 : w.real()); });
        const member_list pool{test["keys"].texts(), weights};
        const table::options o{test["table_size"].small()};
        CHECK(slots(table{pool.in_order(), o}) == test["expected_host_index_per_slot"].numbers());
        for (std::uint64_t seed = 1; seed <= 3; ++seed)
            CHECK(slots(table{pool.shuffled(seed), o}) == test["expected_host_index_per_slot"].numbers());
        ++tables;
    }
    CHECK(tables == 5);
}

TEST_CASE("retries of Envoy's test: hash 10 goes to host 1, then 0, then 5") {
    const json& test = vectors()["maglev_retry"];
    const member_list pool{test["keys"].texts(), std::vector<std::uint32_t>(test["keys"].size(), 1)};
    const table t{pool.in_order(), {test["table_size"].small()}};
    std::vector<std::uint32_t> walked;
    CHECK(t.walk(10, 3, [&](std::uint32_t i) { return walked.push_back(i), false; }) == 3);
    CHECK(walked == std::vector<std::uint32_t>{1, 0, 5});
    CHECK(t.walk(10, 3, [](std::uint32_t i) { return i == 0; }) == 1);
}

TEST_CASE("the slots are those of Envoy's rounds for any weights, also where a double's last bit decides") {
    weir::generator random{11};
    for (int round = 0; round < 60; ++round) {
        std::vector<std::uint32_t> weights;
        const std::uint64_t most = round % 3 == 0 ? 10 : round % 3 == 1 ? 1000 : 50;
        for (std::uint64_t n = 1 + random.below(30); n > 0; --n)
            weights.push_back(static_cast<std::uint32_t>(random.below(most + 1)));
        weights.push_back(1);
        const member_list pool{"10.1.2.", round, weights};
        for (const std::uint32_t size : {251u, 1009u})
            CHECK(slots(table{pool.in_order(), {size}}) == by_the_rule(pool, size));
    }
}

TEST_CASE("weights far apart do not make the table slow: rounds in which nothing happens are not gone through") {
    std::vector<std::uint32_t> weights(1000, 1);
    weights.back() = 4'000'000'000;
    const table t{member_list{"m", 1, weights}.in_order(), {}};
    std::map<std::uint32_t, std::uint32_t> counts;
    for (const auto index : t.slots()) ++counts[index];
    CHECK(counts.size() == 1000);  // the first round is everybody's
    CHECK(counts[999] == 65'537 - 999);
}

TEST_CASE("sizes that are not prime, too large or below the pool are refused in words") {
    const auto made = [](std::size_t n, std::uint32_t size) {
        return table{member_list{"m", 1, std::vector<std::uint32_t>(n, 1)}.in_order(), {size}};
    };
    CHECK_THROWS_WITH(made(2, 65'536),
                      "weir: envoy_maglev_table: a table size of 65536 is not a prime from 3 to 5000011");
    for (const std::uint32_t size : {0u, 1u, 2u, 4u, 9u, 65'535u, 5'000'013u, 5'000'021u, 4'294'967'291u})
        CHECK_THROWS_AS(made(1, size), std::invalid_argument);
    CHECK_THROWS_WITH(made(8, 7), "weir: envoy_maglev_table: a table size of 7 is below the number of members, 8");
    CHECK(made(7, 7).slots().size() == 7);
    CHECK(made(1, 3).slots().size() == 3);
    CHECK(made(0, 7).empty());
    CHECK_THROWS_AS((table{member_list{"m", 1, {~std::uint32_t{0}, 1}}.in_order(), {}}), std::invalid_argument);
}
