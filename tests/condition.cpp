#include <weir/condition.hpp>

#include "catch.hpp"

using weir::condition;
using weir::conditions;

static_assert(conditions{}.empty() && !conditions{}.exclude());
static_assert((condition::draining | condition::ejected).has(condition::draining));

TEST_CASE("every condition excludes but degraded and half_open") {
    for (unsigned bit = 0; bit < 15; ++bit) {
        const auto one = static_cast<condition>(1u << bit);
        INFO(weir::to_string(one));
        CHECK(conditions{one}.exclude() == (one != condition::degraded && one != condition::half_open));
        CHECK(conditions{one}.has(one));
        CHECK(!conditions{one}.empty());
        CHECK(weir::to_string(one) != "unknown");
    }
}

TEST_CASE("conditions are set and cleared each on its own") {
    const conditions both = condition::draining | condition::failed_check;
    CHECK(both.without(condition::failed_check) == condition::draining);
    CHECK(both.without(condition::failed_check).exclude());
    CHECK(both.without(condition::ejected) == both);
    CHECK(both.with(condition::draining) == both);
    CHECK(both.without(both).empty());
    CHECK((conditions{condition::degraded} | condition::disabled).exclude());
    CHECK((condition::half_open | condition::ejected).exclude());
}

TEST_CASE("conditions have names") {
    CHECK(weir::to_string(condition::failed_check) == "failed_check");
    CHECK(weir::to_string(condition::user_8) == "user_8");
    CHECK(weir::to_string(static_cast<condition>(3)) == "unknown");
    CHECK(weir::to_string(conditions{}).empty());
    CHECK(weir::to_string(condition::unreachable | condition::user_1) == "unreachable,user_1");
}
