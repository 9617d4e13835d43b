#include <weir/random.hpp>

#include "catch.hpp"
#include "statistics.hpp"

#include <random>

static_assert(std::uniform_random_bit_generator<weir::generator>);
static_assert(noexcept(std::declval<weir::generator&>()()));

TEST_CASE("equal seeds give equal sequences, different seeds different ones") {
    weir::generator a{7}, b{7}, c{8};
    int equal = 0, same_as_c = 0;
    for (int i = 0; i < 1000; ++i) {
        const auto from_a = a();
        equal += from_a == b() ? 1 : 0;
        same_as_c += from_a == c() ? 1 : 0;
    }
    CHECK(equal == 1000);
    CHECK(same_as_c == 0);
}

TEST_CASE("below stays below n and is uniform") {
    weir::generator random{1};
    CHECK(random.below(0) == 0);
    CHECK(random.below(1) == 0);
    for (const std::uint32_t n : {2u, 3u, 10u, 100u}) {
        std::vector<std::uint64_t> counts(n);
        for (std::uint32_t i = 0; i < 1000 * n; ++i) {
            const auto drawn = random.below(n);
            REQUIRE(drawn < n);
            ++counts[drawn];
        }
        CHECK(weir_test::unfair(counts, std::vector<std::uint32_t>(n, 1)) == "");
    }
    for (int i = 0; i < 100; ++i) CHECK(random.below(~std::uint64_t{0}) != ~std::uint64_t{0});
}

TEST_CASE("every bit is set half of the time") {
    weir::generator random{3};
    constexpr int n = 10000;
    std::vector<int> set(64);
    for (int i = 0; i < n; ++i) {
        const auto bits = random();
        for (unsigned b = 0; b < 64; ++b) set[b] += static_cast<int>((bits >> b) & 1);
    }
    for (unsigned b = 0; b < 64; ++b) CHECK(std::abs(set[b] - n / 2) <= weir_test::five_sigma(n, 0.5));
}
