#include <weir/outcome.hpp>

#include "catch.hpp"

#include <set>

namespace {

template <class Enum>
std::set<std::string_view> names(std::size_t count) {
    std::set<std::string_view> all;
    for (std::size_t i = 0; i < count; ++i) all.insert(weir::to_string(static_cast<Enum>(i)));
    return all;
}

}  // namespace

TEST_CASE("every outcome, error and reason has a name of its own, and a value beyond them is unknown") {
    CHECK(names<weir::outcome>(weir::outcome_count).size() == weir::outcome_count);
    CHECK(names<weir::pick_error>(weir::pick_error_count).size() == weir::pick_error_count);
    CHECK(names<weir::pick_reason>(weir::pick_reason_count).size() == weir::pick_reason_count);
    CHECK(weir::to_string(static_cast<weir::outcome>(weir::outcome_count)) == "unknown");
    CHECK(weir::to_string(static_cast<weir::pick_error>(weir::pick_error_count)) == "unknown");
    CHECK(weir::to_string(static_cast<weir::pick_reason>(weir::pick_reason_count)) == "unknown");
    CHECK(names<weir::pick_reason>(weir::pick_reason_count).count("unknown") == 0);
}

TEST_CASE("names are those of the enumerators") {
    CHECK(weir::to_string(weir::outcome::connect_failure) == "connect_failure");
    CHECK(weir::to_string(weir::outcome::cancelled) == "cancelled");
    CHECK(weir::to_string(weir::pick_error::none) == "none");
    CHECK(weir::to_string(weir::pick_error::all_excluded) == "all_excluded");
    CHECK(weir::to_string(weir::pick_error::overloaded) == "overloaded");
    CHECK(weir::to_string(weir::pick_reason::chosen) == "chosen");
    CHECK(weir::to_string(weir::pick_reason::sticky) == "sticky");
}
