#include <weir/hashing/dialects/envoy_ring.hpp>

#include "catch.hpp"
#include "support/json.hpp"
#include "support/member_list.hpp"
#include "support/vectors.hpp"

#include <map>

using weir::envoy_ring_table;
using weir::grpc_ring_table;
using weir_test::json;
using weir_test::member_list;

namespace {

const json& vectors() {
    static const json all{weir_test::vector_text("envoy_ring_maglev.json")};
    return all;
}

/// Tables of one pool whose members come in several orders.
std::vector<envoy_ring_table> in_any_order(const member_list& pool, const envoy_ring_table::options& o) {
    std::vector<envoy_ring_table> tables{{pool.in_order(), o}};
    for (std::uint64_t seed = 1; seed <= 3; ++seed) tables.emplace_back(pool.shuffled(seed), o);
    return tables;
}

member_list pool_of(const json& test) { return {test["keys"].texts(), test["weights"].numbers()}; }

}  // namespace

// Envoy goes through hosts in the order of its list, gRPC for Go sorts them. The rings that Envoy's tests assert list
// hosts in the order of their names, so that both agree; weir goes by name, for a mapping without history.

TEST_CASE("every ring that Envoy's tests assert: each point, look-up and retry, in whatever order members come") {
    int rings = 0, points = 0;
    for (const json& test : vectors()["ring"]) {
        INFO(test["case"].text());
        const member_list pool = pool_of(test);
        const std::uint64_t size = test["ring_size"].number();
        const auto function = test["hash"].text() == "xxh64" ? weir::envoy_function::xx_hash
                                                             : weir::envoy_function::murmur_hash_2;
        for (const auto& ring : in_any_order(pool, {size, size, function})) {
            CHECK(ring.size() == size);
            CHECK(test["ring"].size() == size);
            std::uint64_t before = test["ring"][size - 1][1].number();
            for (const json& point : test["ring"]) {
                const std::uint64_t at = point[1].number();
                const auto owner = [&](std::uint64_t key) {
                    const std::string& name = pool.names[ring.find(key)];
                    return name.substr(name.find(':') + 1);  // the last number, or all of a host name
                };
                CHECK(owner(at) == point[0].text());
                CHECK(owner(before + 1) == point[0].text());  // all that lies between two points is the second's
                before = at;
                ++points;
            }
            for (const json& look_up : test["lookups"]) CHECK(ring.find(look_up[0].number()) == look_up[1].number());
            if (!test.has("retry_lookups")) continue;
            for (const json& retry : test["retry_lookups"]) {
                std::vector<std::uint32_t> walked;
                ring.walk(retry[0].number(), 14, [&](std::uint32_t i) { return walked.push_back(i), false; });
                CHECK(walked.at(retry[1].number()) == retry[2].number());
            }
        }
        ++rings;
    }
    CHECK(rings == 7);
    CHECK(points == 4 * (12 + 12 + 12 + 4 + 4 + 6 + 9));
}

TEST_CASE("every histogram of large rings that Envoy's tests assert") {
    int rows = 0;
    for (const json& test : vectors()["ring_histograms"]) {
        INFO(test["case"].text());
        const member_list pool = pool_of(test);
        const std::uint64_t size = test["ring_size"].number();
        std::uint64_t queries = 0;
        for (const auto count : test["expected_counts"].numbers()) queries += count;
        for (const auto& ring : in_any_order(pool, {size, size})) {
            std::vector<std::uint32_t> counts(pool.names.size());
            for (std::uint64_t i = 0; i < queries; ++i) ++counts[ring.find(i * (~std::uint64_t{0} / queries))];
            CHECK(counts == test["expected_counts"].numbers());
        }
        ++rows;
    }
    CHECK(rows == 3);
}

TEST_CASE("the minimum is shared out: 11 points each of 94 equal members, 12 of 93, 13 of 85") {
    const auto size = [](std::size_t n) {
        return envoy_ring_table{member_list{"m", 1, std::vector<std::uint32_t>(n, 1)}.in_order(), {}}.size();
    };
    CHECK(size(94) == 94 * 11);
    CHECK(size(93) == 93 * 12 + 1);  // 93 shares, each rounded, sum up to a little more than 1: Envoy's doubles do that
    CHECK(size(85) == 85 * 13);
    CHECK(size(1) == 1024);
    CHECK(size(2000) == 2000);
}

TEST_CASE("gRPC's ring is Envoy's, of at most 4,096 points") {
    const auto ring = [](std::size_t n) { return member_list{"m", 1, std::vector<std::uint32_t>(n, 1)}; };
    const grpc_ring_table small{ring(94).in_order(), {}}, large{ring(5000).in_order(), {}};
    const envoy_ring_table same{ring(94).shuffled(1), {}}, capped{ring(5000).shuffled(1), {1024, 4096}};
    CHECK(small.size() == 94 * 11);
    CHECK(large.size() == 4096);
    int different = 0;
    for (std::uint64_t i = 0; i < 5000; ++i) {
        const auto key = weir::mix(i);
        different += small.find(key) != same.find(key) || large.find(key) != capped.find(key) ? 1 : 0;
    }
    CHECK(different == 0);
}

TEST_CASE("gRPC goes on to the first usable endpoint as if the others had no points; Envoy tries points one by one") {
    const member_list pool{"m", 1, {1, 3, 1}};
    const grpc_ring_table ring{pool.in_order(), {64, 64}};
    const envoy_ring_table points{pool.in_order(), {64, 64}};
    for (std::uint64_t i = 0; i < 500; ++i) {
        const auto key = weir::mix(i);
        std::vector<std::uint32_t> by_point, by_member, unique;
        points.walk(key, 40, [&](std::uint32_t m) { return by_point.push_back(m), false; });
        ring.walk(key, 8, [&](std::uint32_t m) { return by_member.push_back(m), false; });
        std::unique_copy(by_point.begin(), by_point.end(), std::back_inserter(unique));
        unique.resize(8);
        CHECK(by_member == unique);
    }
}

TEST_CASE("where the maximum caps the ring, a small share may have no point, as in Envoy, and the ring stays whole") {
    const member_list pool{"m", 1, {1, 4'000'000, 1, 4'000'000}};
    const envoy_ring_table ring{pool.in_order(), {10, 1000}};
    CHECK(ring.size() == 1000);
    std::map<std::uint32_t, int> seen;
    for (std::uint64_t i = 0; i < 5000; ++i) ++seen[ring.find(weir::mix(i))];
    CHECK(seen.size() <= 4);
    CHECK(seen[1] > 2000);
    CHECK(seen[3] > 2000);
}

TEST_CASE("sizes and weights that Envoy refuses are refused in words") {
    const auto ring = [](std::vector<std::uint32_t> weights, const envoy_ring_table::options& o) {
        return envoy_ring_table{member_list{"m", 1, std::move(weights)}.in_order(), o};
    };
    CHECK_THROWS_WITH(ring({1}, {.minimum_ring_size = 0}),
                      "weir: envoy_ring_table: a minimum_ring_size of 0 is not from 1 to the maximum, 8388608");
    CHECK_THROWS_WITH(ring({1}, {.minimum_ring_size = 11, .maximum_ring_size = 10}),
                      "weir: envoy_ring_table: a minimum_ring_size of 11 is not from 1 to the maximum, 10");
    CHECK_THROWS_WITH(ring({1}, {.maximum_ring_size = 8'388'609}),
                      "weir: envoy_ring_table: a maximum_ring_size of 8388609 is not from 1 to 8388608");
    CHECK_THROWS_AS(ring({1}, {.maximum_ring_size = 0}), std::invalid_argument);
    CHECK_THROWS_WITH(ring({~std::uint32_t{0}, 1}, {}),
                      "weir: envoy_ring_table: weights of 4294967296 in all are more than 4294967295");
    CHECK(ring({~std::uint32_t{0}}, {}).size() == 1024);
    CHECK(ring({}, {}).empty());
    CHECK(ring({0}, {}).empty());
    CHECK_THROWS_AS((grpc_ring_table{member_list{"m", 1, {1}}.in_order(), {0, 10}}), std::invalid_argument);
}
