#include <weir/health/elapsed_time.hpp>

#include "catch.hpp"

#include <limits>

using namespace std::chrono_literals;
using weir::detail::elapsed_time;

TEST_CASE("time begins with the first reading and goes on with each later one") {
    elapsed_time time;
    CHECK(time.at(1000s) == 0s);
    CHECK(time.at(1001s) == 1s);
    CHECK(time.at(1001s) == 1s);
    CHECK(time.at(1010s) == 10s);
}

TEST_CASE("a clock that steps back costs no time, and what it gains afterwards counts") {
    elapsed_time time;
    time.at(1000s);
    CHECK(time.at(1005s) == 5s);
    CHECK(time.at(0s) == 5s);
    CHECK(time.at(1s) == 6s);
    CHECK(time.at(-3600s) == 6s);
    CHECK(time.at(-3590s) == 16s);
    // Late by less than a second is no step: nothing is counted twice.
    CHECK(time.at(-3590s - 999ms) == 16s);
    CHECK(time.at(-3589s) == 17s);
    CHECK(time.at(-3590s) == 17s);
    CHECK(time.at(-3589s) == 18s);
}

TEST_CASE("the widest jumps stay finite, and a duration can still be added") {
    constexpr std::chrono::nanoseconds least = (std::chrono::nanoseconds::min)(),
                                       most = (std::chrono::nanoseconds::max)();
    elapsed_time time;
    for (int i = 0; i < 100; ++i) {
        time.at(least);
        const auto now = time.at(most);
        CHECK(now >= 0s);
        CHECK(now <= elapsed_time::longest);
        CHECK(elapsed_time::after(now, 300s) == now + 300s);
        CHECK(elapsed_time::after(most, now + 1ns) == elapsed_time::never);
        CHECK(elapsed_time::after(least, most) == -1ns);  // readings may be negative
        CHECK(elapsed_time::after(-5s, 3s) == -2s);
    }
}
