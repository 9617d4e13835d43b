#include <weir/weight.hpp>

#include "catch.hpp"

#include <cmath>
#include <limits>

using Catch::Matchers::ContainsSubstring;

static_assert(!std::is_convertible_v<bool, weir::weight>);
static_assert(!std::is_convertible_v<const char*, weir::weight>);
static_assert(noexcept(std::declval<weir::weight>().value()));

TEST_CASE("every whole number from 0 to 2^32-1 is a weight, in any type") {
    CHECK(weir::weight{0}.value() == 0);
    CHECK(weir::weight{std::uint8_t{200}}.value() == 200);
    CHECK(weir::weight{4294967295LL}.value() == 4294967295u);
    CHECK(weir::weight{~std::uint32_t{0}}.value() == 4294967295u);
    CHECK(weir::weight{3.0}.value() == 3);
    CHECK(weir::weight{3.0F} == weir::weight{3});
    CHECK(weir::weight{4294967295.0}.value() == 4294967295u);
    CHECK(weir::weight{-0.0}.value() == 0);
}

TEST_CASE("what is no whole number from 0 to 2^32-1 is refused by name, never wrapped") {
    const auto refusal = [](auto number) -> std::string {
        try {
            return "taken as " + std::to_string(weir::weight{number}.value());
        } catch (const std::invalid_argument& e) {
            return e.what();
        }
    };
    CHECK(refusal(-1) == "weir: weight -1 is not a whole number from 0 to 4294967295");
    CHECK_THAT(refusal(4294967296LL), ContainsSubstring("weight 4294967296 is not"));
    CHECK_THAT(refusal(~std::uint64_t{0}), ContainsSubstring("weight 18446744073709551615 is not"));
    CHECK_THAT(refusal(std::numeric_limits<long long>::min()), ContainsSubstring("weight -9223372036854775808 is not"));
    CHECK_THAT(refusal(0.5), ContainsSubstring("weight 0.5 is"));
    CHECK_THAT(refusal(-1.0), ContainsSubstring("weight -1 is"));
    CHECK_THAT(refusal(4294967296.0), ContainsSubstring("is not a whole number"));
    CHECK_THAT(refusal(4294967296.0F), ContainsSubstring("is not a whole number"));
    CHECK_THAT(refusal(4294967294.5), ContainsSubstring("is not a whole number"));
    CHECK_THAT(refusal(std::nan("")), ContainsSubstring("nan"));
    CHECK_THAT(refusal(std::numeric_limits<double>::infinity()), ContainsSubstring("inf"));
}
