#include <weir/hashing/jump_hash.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/vectors.hpp"

#include <weir/hash.hpp>

using weir::jump_hash;

TEST_CASE("jump_hash gives the known answers, up to 2^31 - 1 buckets") {
    const auto rows = weir_test::vector_rows("jump_hash.csv");
    REQUIRE(rows.size() > 1900);
    int different = 0;
    for (const auto& row : rows) {
        const auto key = std::stoull(row[0]);
        const auto n = static_cast<std::uint32_t>(std::stoul(row[1]));
        different += jump_hash(key, n) != std::stoul(row[2]) ? 1 : 0;
    }
    CHECK(different == 0);
}

TEST_CASE("one more bucket takes keys from all others alike, and no other key moves") {
    constexpr std::uint64_t keys = 200'000;
    for (const std::uint32_t n : {1u, 2u, 10u, 99u}) {
        int strays = 0;
        std::vector<std::uint64_t> lost(n);
        for (std::uint64_t key = 0; key < keys; ++key) {
            const std::uint32_t before = jump_hash(weir::mix(key), n), after = jump_hash(weir::mix(key), n + 1);
            strays += after != before && after != n ? 1 : 0;
            if (after == n) ++lost[before];
        }
        CHECK(strays == 0);
        CHECK(weir_test::unfair(lost, std::vector<std::uint32_t>(n, 1)) == "");
    }
}

TEST_CASE("no bucket, one bucket, and as many as 32 bits count") {
    static_assert(jump_hash(12345, 1) == 0);
    CHECK(jump_hash(~std::uint64_t{0}, 0) == 0);
    CHECK(jump_hash(0, ~std::uint32_t{0}) == 2'147'483'648);  // its first jump is 2^31 wide
    std::uint32_t largest = 0;
    for (std::uint64_t key = 0; key < 1000; ++key)
        largest = (std::max)(largest, jump_hash(weir::mix(key), ~std::uint32_t{0}));
    CHECK(largest > 4'200'000'000);  // of 1000 keys none in the upper 2 %: a chance of 2e-9
}
static_assert(noexcept(jump_hash(1, 1)));
