#include <weir/detail/fixed_log.hpp>

#include "catch.hpp"

#include <weir/random.hpp>

#include <cmath>
#include <vector>

using weir::detail::negative_log2;

namespace {

double as_double(std::uint64_t fixed) { return std::ldexp(static_cast<double>(fixed), -57); }

double exact(std::uint64_t bits) {
    // Near 1 the logarithm of the complement is the accurate one.
    const std::uint64_t odd = bits | 1, missing = ~odd + 1;
    if (missing < odd) return -std::log1p(-std::ldexp(static_cast<double>(missing), -64)) / std::log(2.0);
    return 64 - std::log2(static_cast<double>(odd));
}

}  // namespace

TEST_CASE("negative_log2 is within 3e-6 of the logarithm") {
    weir::generator random{1};
    double worst = 0;
    for (int i = 0; i < 200'000; ++i) {
        const std::uint64_t bits = random() >> random.below(60);
        worst = std::max(worst, std::abs(as_double(negative_log2(bits)) - exact(bits)));
    }
    CHECK(worst < 3e-6);
}

TEST_CASE("negative_log2 stays in its range at both ends") {
    CHECK(as_double(negative_log2(0)) == Approx(64));
    CHECK(negative_log2(~std::uint64_t{0}) > 0);
    CHECK(as_double(negative_log2(~std::uint64_t{0})) < 1e-5);
    CHECK(as_double(negative_log2(~std::uint64_t{0} >> 1)) == Approx(1));
    CHECK(as_double(negative_log2((std::uint64_t{1} << 32) - 1)) == Approx(32));
}

TEST_CASE("negative_log2 never grows") {
    std::vector<std::uint64_t> points;
    for (int shift = 0; shift < 64; ++shift)
        for (std::int64_t near = -3; near <= 3; ++near)
            points.push_back((std::uint64_t{1} << shift) + static_cast<std::uint64_t>(near));
    // Each joint of the table, in the highest octave and in a low one.
    for (std::uint64_t i = 0; i < 256; ++i)
        for (const int shift : {55, 12})
            for (std::int64_t near = -2; near <= 2; ++near)
                points.push_back(((256 + i) << shift) + static_cast<std::uint64_t>(near));
    weir::generator random{2};
    for (int i = 0; i < 100'000; ++i) points.push_back(random() >> random.below(64));
    std::sort(points.begin(), points.end());
    int grew = 0;
    for (std::size_t i = 1; i < points.size(); ++i)
        grew += negative_log2(points[i]) > negative_log2(points[i - 1]) ? 1 : 0;
    CHECK(grew == 0);
}

TEST_CASE("the table, made of integers while compiling, holds the logarithms") {
    static_assert(negative_log2(0) == (std::uint64_t{64} << 57) + 1);
    double worst = 0;
    for (unsigned i = 0; i <= 256; ++i)
        worst = std::max(worst, std::abs(as_double(weir::detail::log_table[i]) - std::log2(1 + i / 256.0)));
    CHECK(worst < 1e-15);
}
