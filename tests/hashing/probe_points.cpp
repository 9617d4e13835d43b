#include <weir/hashing/probe_points.hpp>

#include "catch.hpp"
#include "support/vectors.hpp"

#include <weir/hash.hpp>
#include <weir/hashing/functions/siphash.hpp>
#include <weir/random.hpp>

#include <algorithm>
#include <map>
#include <tuple>

using weir::detail::probe_points;

namespace {

using hash_function = std::uint64_t (*)(const std::string&, std::uint64_t);
std::uint64_t siphash(const std::string& text, std::uint64_t seed) { return weir::siphash_2_4{seed}(text); }
std::uint64_t xxhash(const std::string& text, std::uint64_t seed) { return weir::hash(text, seed); }

std::vector<probe_points::point> sorted(std::vector<probe_points::point> points) {
    std::sort(points.begin(), points.end(),
              [](auto& a, auto& b) { return a.hash != b.hash ? a.hash < b.hash : a.index < b.index; });
    return points;
}

/// All points in the order of their distances behind the probes; of equal ones the first probe's comes first.
std::vector<std::uint32_t> by_the_book(const std::vector<probe_points::point>& points,
                                       const std::vector<std::uint64_t>& probes) {
    std::vector<std::tuple<std::uint64_t, std::size_t, std::uint32_t>> all;
    for (const std::uint64_t probe : probes)
        for (const auto& p : points) all.emplace_back(p.hash - probe - 1, all.size(), p.index);  // 0 is furthest
    std::sort(all.begin(), all.end());
    std::vector<std::uint32_t> order;
    for (const auto& [distance, number, index] : all) order.push_back(index);
    return order;
}

}  // namespace

TEST_CASE("the known answers of go-mpchash, by SipHash and by xxHash64") {
    std::map<std::pair<std::string, std::uint32_t>, probe_points> circles;
    const auto rows = weir_test::vector_rows("multiprobe_hash.csv");
    REQUIRE(rows.size() > 1000);
    int different = 0;
    for (const auto& row : rows) {
        const hash_function hash = row[0] == "siphash24" ? siphash : xxhash;
        const auto k = static_cast<std::uint32_t>(std::stoul(row[1])),
                   n = static_cast<std::uint32_t>(std::stoul(row[2]));
        auto& circle = circles[{row[0], n}];
        if (circle.size() == 0) {
            std::vector<probe_points::point> points;
            for (std::uint32_t i = 1; i <= n; ++i) points.push_back({hash("shard-" + std::to_string(i), 0), i});
            circle = probe_points{sorted(points)};
        }
        const std::uint64_t h1 = hash(row[3], 1), h2 = hash(row[3], 2);
        const std::uint32_t found = circle.nearest(k, [&](std::uint32_t i) { return h1 + i * h2; });
        different += row[4] != "shard-" + std::to_string(found) ? 1 : 0;
    }
    CHECK(different == 0);
}

TEST_CASE("the nearest point and the order of all are those by the book, around the end and in crowds") {
    weir::generator random{3};
    for (const std::size_t n : {1u, 2u, 7u, 300u}) {
        for (int round = 0; round < 50; ++round) {
            std::vector<probe_points::point> points;
            for (std::uint32_t i = 0; i < n; ++i)  // some in a crowd, one at each end
                points.push_back({i == 0 ? 0 : i == 1 ? ~std::uint64_t{0} : random() >> (random.below(2) * 60), i});
            points = sorted(points);
            points.erase(std::unique(points.begin(), points.end(), [](auto& a, auto& b) { return a.hash == b.hash; }),
                         points.end());
            const probe_points circle{points};
            for (const std::uint32_t k : {1u, 2u, 21u, 64u}) {
                std::vector<std::uint64_t> probes;
                for (std::uint32_t i = 0; i < k; ++i)
                    probes.push_back(random.below(4) == 0 ? points[random.below(points.size())].hash : random());
                const auto probe = [&](std::uint32_t i) { return probes[i]; };
                const auto book = by_the_book(points, probes);
                CHECK(circle.nearest(k, probe) == book.front());
                const auto steps = static_cast<std::uint32_t>(std::min<std::size_t>(points.size(), 20));
                std::vector<std::uint32_t> order;
                CHECK(circle.walk(k, probe, steps, [&](auto i) { return order.push_back(i), false; }) == steps);
                CHECK(std::equal(order.begin(), order.end(), book.begin()));
                if (steps > 1 && book[0] != book[1])
                    CHECK(circle.walk(k, probe, steps, [&](auto i) { return i == book[1]; }) == 1);
            }
        }
    }
}

TEST_CASE("no points") { CHECK(probe_points{}.size() == 0); }
