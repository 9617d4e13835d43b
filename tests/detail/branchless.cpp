#include "catch.hpp"

#include <weir/detail/branchless.hpp>

#include <cstdint>

TEST_CASE("branchless gives the first of two where asked for it, else the second, whatever their bits") {
    const std::uint32_t values[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    for (const std::uint32_t a : values) {
        for (const std::uint32_t b : values) {
            CHECK(weir::detail::branchless(true, a, b) == a);
            CHECK(weir::detail::branchless(false, a, b) == b);
        }
    }
}
