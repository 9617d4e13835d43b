#include <weir/hash.hpp>

#include "catch.hpp"
#include "support/vectors.hpp"

#include <bit>
#include <set>

TEST_CASE("hash is xxHash64, for every length and seed that other implementations were asked for") {
    int rows = 0;
    for (const auto& row : weir_test::vector_rows("hash_functions.csv")) {
        if (row[0] != "xxh64") continue;
        INFO("seed " << row[1] << ", input " << row[2]);
        CHECK(weir::hash(weir_test::bytes_of_hex(row[2]), std::stoull(row[1])) == std::stoull(row[3], nullptr, 16));
        ++rows;
    }
    CHECK(rows == 164);
}

TEST_CASE("hash does not depend on where the text lies") {
    const std::string text = "the same thirty-three and more characters of text";
    for (std::size_t offset = 0; offset < 16; ++offset) {
        const std::string padded = std::string(offset, ' ') + text;
        CHECK(weir::hash(std::string_view{padded}.substr(offset)) == weir::hash(text));
    }
}

TEST_CASE("mix is the finalizer of splitmix64") {
    for (const auto& row : weir_test::vector_rows("splitmix64.csv")) {
        std::uint64_t state = std::stoull(row[0]);
        for (const std::string& expected : weir_test::split(row[1], ' '))
            CHECK(weir::mix(state += 0x9e3779b97f4a7c15) == std::stoull(expected));
    }
}

TEST_CASE("mix is a bijection in which each input bit reaches every output bit") {
    static_assert(weir::mix(0) == 0);
    std::set<std::uint64_t> seen;
    for (std::uint64_t i = 0; i < 10000; ++i) seen.insert(weir::mix(i));
    CHECK(seen.size() == 10000);
    for (int bit = 0; bit < 64; ++bit) {
        std::uint64_t reached = 0;
        for (std::uint64_t i = 0; i < 64; ++i) reached |= weir::mix(i) ^ weir::mix(i ^ (std::uint64_t{1} << bit));
        CHECK(reached == ~std::uint64_t{0});
    }
}

TEST_CASE("a seed makes another mixer, as good a one") {
    static_assert(weir::mix(77, 0) == weir::mix(77));
    std::set<std::uint64_t> seen;
    int same = 0;
    for (std::uint64_t i = 0; i < 1000; ++i) {
        same += weir::mix(i, 5) == weir::mix(i) ? 1 : 0;
        seen.insert(weir::mix(i, 5));
    }
    CHECK(same == 0);
    CHECK(seen.size() == 1000);
}

TEST_CASE("the upper 31 bits are mixed before the last step, and scaled they fill a range evenly") {
    for (std::uint64_t i = 0; i < 1000; ++i) CHECK(weir::detail::most_of_mix(i) >> 33 == weir::mix(i) >> 33);
    static_assert(weir::detail::scale_upper(~std::uint64_t{0}, 5'000'011) == 5'000'010);
    static_assert(weir::detail::scale_upper(~std::uint64_t{0}, std::uint64_t{1} << 32) == (std::uint64_t{1} << 32) - 2);
    static_assert(weir::detail::scale_upper(std::uint64_t{1} << 63, 10) == 5);
}

static_assert(noexcept(weir::hash(std::string_view{})) && noexcept(weir::mix(0)));
