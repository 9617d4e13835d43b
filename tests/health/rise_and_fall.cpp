#include <weir/health/rise_and_fall.hpp>

#include "catch.hpp"

#include <string>
#include <string_view>

using weir::check_state;

namespace {

/// The states after each of a row of results: "+" passed, "-" failed; "?" unknown, "u" up, "d" down.
std::string states(std::string_view results, std::uint32_t rise, std::uint32_t fall) {
    weir::rise_and_fall machine;
    std::string all;
    for (const char one : results) {
        const auto before = machine.state();
        const bool changed = machine.report(one == '+', rise, fall);
        REQUIRE(changed == (machine.state() != before));
        all += machine.state() == check_state::up ? 'u' : machine.state() == check_state::down ? 'd' : '?';
    }
    return all;
}

}  // namespace

TEST_CASE("the first result decides at once, then it takes a row of them") {
    struct row {
        std::uint32_t rise, fall;
        std::string_view results, states;
    };
    const row table[] = {
        {2, 3, "+", "u"},
        {2, 3, "-", "d"},
        {2, 3, "+--+--+---", "uuuuuuuuud"},  // a pass ends the row of failures
        {2, 3, "-+-+-++", "ddddddu"},        // a failure ends the row of passes
        {2, 3, "+---++---", "uuudduuud"},    // and back, and down again
        {2, 3, "-++--+---", "dduuuuuud"},    //
        {1, 1, "+-+-+-", "ududud"},          // thresholds of 1 follow every result
        {1, 4, "+----+----", "uuuuduuuud"},  //
        {5, 1, "+-+++++",
         "uddddd"
         "u"},                 //
        {1, 1, "-", "d"},      //
        {100, 100, "+", "u"},  // the first, whatever the thresholds
        {100, 100, "-", "d"},  //
    };
    for (const row& r : table) {
        INFO(r.results << " with rise " << r.rise << ", fall " << r.fall);
        CHECK(states(r.results, r.rise, r.fall) == r.states);
    }
}

TEST_CASE("a state is changing before the first result and during a row that contradicts it") {
    weir::rise_and_fall m;
    CHECK(m.changing());
    CHECK(m.state() == check_state::unknown);
    m.report(true, 2, 3);
    CHECK_FALSE(m.changing());
    m.report(false, 2, 3);
    CHECK(m.changing());
    CHECK(m.streak() == 1);
    m.report(true, 2, 3);
    CHECK_FALSE(m.changing());
    for (int i = 0; i < 3; ++i) m.report(false, 2, 3);
    CHECK_FALSE(m.changing());
    m.report(true, 2, 3);
    CHECK(m.changing());
    m.report(true, 2, 3);
    CHECK_FALSE(m.changing());
    CHECK(to_string(m.state()) == "up");
}

TEST_CASE("a threshold that falls below the row decides with the next result") {
    weir::rise_and_fall m;
    m.report(true, 2, 10);
    for (int i = 0; i < 5; ++i) CHECK_FALSE(m.report(false, 2, 10));
    CHECK(m.report(false, 2, 3));
    CHECK(m.state() == check_state::down);
}
