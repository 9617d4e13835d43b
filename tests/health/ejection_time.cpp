#include <weir/health/ejection_time.hpp>

#include "catch.hpp"

#include <limits>

using namespace std::chrono_literals;
using weir::ejection_time;

TEST_CASE("ejections last base x n up to the maximum, and n falls by one per clean sweep") {
    enum step { out, clean };
    struct row {
        step what;
        std::chrono::seconds lasts;
        std::uint64_t in_a_row;
    };
    // Envoy's numbers: 30 s x n, at most 300 s.
    const row rows[] = {{out, 30s, 1},   {out, 60s, 2},  {out, 90s, 3},  {clean, 0s, 2},  {clean, 0s, 1},
                        {out, 60s, 2},   {clean, 0s, 1}, {clean, 0s, 0}, {clean, 0s, 0},  {out, 30s, 1},
                        {out, 60s, 2},   {out, 90s, 3},  {out, 120s, 4}, {out, 150s, 5},  {out, 180s, 6},
                        {out, 210s, 7},  {out, 240s, 8}, {out, 270s, 9}, {out, 300s, 10}, {out, 300s, 10},
                        {out, 300s, 10}, {clean, 0s, 9}, {out, 300s, 10}};
    ejection_time one;
    int at = 0;
    for (const row& r : rows) {
        INFO("row " << at++);
        if (r.what == out)
            CHECK(one.eject(30s, 300s, 0, 0.5) == r.lasts);
        else
            one.forgive();
        CHECK(one.in_a_row() == r.in_a_row);
    }
}

TEST_CASE("a maximum that is no multiple of the base is reached, and not exceeded") {
    ejection_time one;
    CHECK(one.eject(40s, 100s, 0, 0) == 40s);
    CHECK(one.eject(40s, 100s, 0, 0) == 80s);
    CHECK(one.eject(40s, 100s, 0, 0) == 100s);
    CHECK(one.eject(40s, 100s, 0, 0) == 100s);
    CHECK(one.in_a_row() == 3);
    ejection_time always;
    CHECK(always.eject(10s, 10s, 0, 0) == 10s);
    CHECK(always.eject(10s, 10s, 0, 0) == 10s);
}

TEST_CASE("jitter adds up to its share, also to the maximum") {
    for (const double random : {0.0, 0.25, 0.999}) {
        ejection_time one;
        CHECK(one.eject(30s, 60s, 0.5, random).count() == Approx(30e9 + 15e9 * random));
        CHECK(one.eject(30s, 60s, 0.5, random).count() == Approx(60e9 + 30e9 * random));
        CHECK(one.eject(30s, 60s, 0, random) == 60s);
    }
}

TEST_CASE("the longest durations do not overflow") {
    constexpr std::chrono::nanoseconds most = (std::chrono::nanoseconds::max)();
    ejection_time one;
    for (int i = 0; i < 5; ++i) CHECK(one.eject(most / 3, most, 1, 0.999).count() > 0);
    CHECK(one.eject(most, most, 1, 0.999) == most);
    ejection_time small;
    for (int i = 0; i < 5; ++i) CHECK(small.eject(1ns, most, 1, 0.999).count() > 0);
}
