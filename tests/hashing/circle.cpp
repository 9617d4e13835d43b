#include <weir/hashing/circle.hpp>

#include "catch.hpp"

#include <weir/random.hpp>

#include <algorithm>

using weir::detail::circle;

namespace {

/// Points of a few hashes only, so that many are equal and buckets are crowded.
std::vector<circle::point> crowd(std::size_t n, std::uint64_t seed) {
    weir::generator random{seed};
    std::vector<circle::point> points;
    for (std::uint32_t i = 0; i < n; ++i) {
        const std::uint64_t near = random.below(4) << 62;
        points.push_back({random.below(3) == 0 ? near + random.below(3) : random(), i});
    }
    std::sort(points.begin(), points.end(),
              [](auto& a, auto& b) { return a.hash != b.hash ? a.hash < b.hash : a.index < b.index; });
    return points;
}

int differences(const circle& c, const std::vector<circle::point>& book) {
    int different = c.size() != book.size() ? 1 : 0;
    const auto by_hash = [](const circle::point& p, std::uint64_t h) { return p.hash < h; };
    const auto check = [&](std::uint64_t h) {
        const auto lower = std::lower_bound(book.begin(), book.end(), h, by_hash);
        const auto upper = std::find_if(lower, book.end(), [&](auto& p) { return p.hash != h; });
        different += c.lower(h) != static_cast<std::size_t>(lower - book.begin()) ? 1 : 0;
        different += c.upper(h) != static_cast<std::size_t>(upper - book.begin()) ? 1 : 0;
        different += c.index_at(c.lower(h)) != (lower == book.end() ? book.front() : *lower).index ? 1 : 0;
    };
    for (std::size_t i = 0; i < book.size(); ++i) {
        different += c.index_at(i) != book[i].index ? 1 : 0;
        for (const std::uint64_t h : {book[i].hash - 1, book[i].hash, book[i].hash + 1}) check(h);
    }
    for (const std::uint64_t h : {std::uint64_t{0}, ~std::uint64_t{0}}) check(h);
    return different;
}

}  // namespace

TEST_CASE("lower and upper are those of the sorted points, also in crowded buckets and around the end") {
    for (const std::size_t n : {1u, 2u, 3u, 64u, 1000u}) {
        const auto points = crowd(n, n);
        CHECK(differences(circle{points, n}, points) == 0);
        CHECK(differences(circle{points, 5000}, points) == 0);  // indices need more bits than points
    }
}

TEST_CASE("edits give the circle that the edited points make") {
    weir::generator random{2};
    for (int round = 0; round < 200; ++round) {
        auto points = crowd(300, static_cast<std::uint64_t>(round));
        const circle old{points, 1000};
        std::vector<circle::edit> edits;
        std::vector<circle::point> book;
        for (std::size_t at = 0; at <= points.size(); ++at) {
            for (const bool from_below : {true, false}) {  // new points between two old ones, or equal to the later one
                if (at == points.size() || random.below(12) != 0) continue;
                const std::uint64_t below = at == 0 ? 0 : points[at - 1].hash + 1;
                if (from_below && below > points[at].hash) continue;
                const circle::point fresh{from_below ? below : points[at].hash, 500 + static_cast<std::uint32_t>(at)};
                edits.push_back({fresh, false, at});
                book.push_back(fresh);
            }
            if (at == points.size()) break;
            if (random.below(8) == 0)
                edits.push_back({points[at], true, at});
            else
                book.push_back(points[at]);
        }
        REQUIRE(old.has_room(book.size(), 1000));
        CHECK(differences(circle{old, edits}, book) == 0);
    }
}

TEST_CASE("a circle that is too full, too empty or without points has no room") {
    const auto points = crowd(1000, 1);
    const circle c{points, 1000};
    CHECK(c.has_room(1000, 1000));
    CHECK(c.has_room(2000, 1024));
    CHECK_FALSE(c.has_room(2100, 1000));
    CHECK_FALSE(c.has_room(100, 1000));
    CHECK_FALSE(c.has_room(1000, 1025));
    CHECK_FALSE(circle{}.has_room(0, 0));
    CHECK_FALSE(circle{{}, 0}.has_room(1, 1));
}
