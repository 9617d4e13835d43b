#include <weir/hashing/multi_probe_table.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/members.hpp"

#include <cmath>
#include <numeric>

using weir::hash_member;
using weir::multi_probe_table;
using weir_test::named;

TEST_CASE("a member's points do not depend on the others or their weights") {
    // With a common divisor taken out of the weights, {2, 4} would have other points than {2, 4, 1}.
    const named three{{2, 4, 1}}, two{{2, 4, 0}};
    const auto before = three.make<multi_probe_table>(), after = two.make<multi_probe_table>();
    int strays = 0, moved = 0;
    for (std::uint64_t key = 0; key < 5000; ++key) {
        const bool lost = before.find(key) == 2;
        strays += !lost && after.find(key) != before.find(key) ? 1 : 0;
        moved += lost ? 1 : 0;
    }
    CHECK(strays == 0);
    CHECK(moved > 0);
}

TEST_CASE("where a lost member's keys go is where a walk goes") {
    const auto n = weir_test::equal(20);
    const auto before = n.make<multi_probe_table>();
    for (std::size_t lost = 0; lost < 20; ++lost) {
        auto less = n;
        less.weights[lost] = 0;
        const auto after = less.make<multi_probe_table>();
        int strays = 0;
        for (std::uint64_t key = 0; key < 1000; ++key) {
            std::uint32_t walked = 0;
            before.walk(key, 64, [&](std::uint32_t i) { return walked = i, i != lost; });
            strays += walked != after.find(key) ? 1 : 0;
        }
        CHECK(strays == 0);
    }
}

TEST_CASE("with k probes a share varies by 1 / sqrt(2 k - 1), and hardly anybody has more than k / (k - 1)") {
    // One probe is a ring of one point each, whose shares vary by 1. Over many sets of 100.
    for (const std::uint32_t k : {1u, 2u, 5u, 21u, 64u}) {
        const std::size_t sets = 40, n = 100, keys = 4000;
        double squares = 0, largest = 0;
        for (std::size_t set = 0; set < sets; ++set) {
            const auto t = weir_test::equal(n, "set" + std::to_string(set) + '-').make<multi_probe_table>({k, 0});
            std::vector<double> counts(n);
            for (std::uint64_t key = 0; key < keys; ++key) ++counts[t.find(key)];
            for (const double c : counts) squares += std::pow(c * n / keys - 1, 2);
            largest = std::max(largest, *std::max_element(counts.begin(), counts.end()) * n / keys);
        }
        const double variance = squares / (sets * n) - static_cast<double>(n) / keys;  // less that of the keys
        CHECK(variance == Approx(1.0 / (2 * k - 1)).epsilon(0.15).margin(0.002));
        if (k > 2) CHECK(largest <= k / (k - 1.0) * 1.1 + 5 * std::sqrt(static_cast<double>(n) / keys));
    }
}

TEST_CASE("bad numbers are refused") {
    const auto make = [](const std::vector<hash_member>& m, std::uint32_t probes) {
        return multi_probe_table{m, {probes, 0}};
    };
    CHECK_THROWS_WITH(make({}, 0), "weir: multi_probe_table: 0 probes are not from 1 to 64");
    CHECK_THROWS_WITH(make({}, 65), "weir: multi_probe_table: 65 probes are not from 1 to 64");
    CHECK_THROWS_WITH(make({{"a", 16'777'216, 0}, {"b", 1, 1}}, 1),
                      "weir: multi_probe_table: weights of 16777217 in all are more than 16777216 points; use smaller "
                      "weights");
    CHECK_THROWS_WITH(make({{"a", 1, 0}, {"b", 1, 1}, {"a", 2, 2}}, 1),
                      "weir: multi_probe_table: the identity \"a\" comes twice");
    CHECK(make({{"a", 1, 4}, {"a", 0, 2}}, 1).find(1) == 4);
}
