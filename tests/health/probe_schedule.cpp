#include <weir/health/probe_schedule.hpp>

#include "catch.hpp"

#include <weir/random.hpp>

#include <cmath>
#include <set>
#include <vector>

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using weir::check_options;
using weir::check_state;
using weir::outcome_counts;
using weir::detail::probe_schedule;

namespace {

/// The starts of the next n probes, each of which ends with `passed` after `took`.
std::vector<nanoseconds> starts(probe_schedule& s, int n, bool passed, nanoseconds took = 0ns) {
    std::vector<nanoseconds> all;
    for (int i = 0; i < n; ++i) {
        const nanoseconds now = s.next();
        REQUIRE(s.due(now));
        REQUIRE_FALSE(s.due(now - 1ns));
        all.push_back(now);
        s.start(now);
        s.report(passed, now + took);
    }
    return all;
}

const check_options plain{.interval = 10s, .jitter = 0};

}  // namespace

TEST_CASE("probes start one interval after another, however long each takes") {
    probe_schedule s{plain, 1, 3s};
    CHECK(starts(s, 4, true, 4s) == std::vector<nanoseconds>{3s, 13s, 23s, 33s});
}

TEST_CASE("while a state is changing the fast interval holds; before, and when it is decided, the usual one") {
    probe_schedule s{{.interval = 10s, .fast_interval = 2s, .rise = 2, .fall = 3, .jitter = 0}, 1, 0s};
    CHECK(starts(s, 2, true) == std::vector<nanoseconds>{0s, 10s});
    CHECK(starts(s, 4, false) == std::vector<nanoseconds>{20s, 22s, 24s, 34s});  // down at 24 s
    CHECK(s.state() == check_state::down);
    CHECK(starts(s, 3, true) == std::vector<nanoseconds>{44s, 46s, 56s});  // up at 46 s
    CHECK(s.state() == check_state::up);
    CHECK(starts(s, 1, false) == std::vector<nanoseconds>{66s});
    CHECK(starts(s, 2, true) == std::vector<nanoseconds>{68s, 78s});  // the pass ended the row
}

TEST_CASE("a probe that outlasts the fast interval delays the next: one is out at a time") {
    probe_schedule s{{.interval = 10s, .fast_interval = 1s, .jitter = 0}, 1, 0s};
    starts(s, 1, true);
    s.start(10s);
    CHECK_FALSE(s.due(12s));
    CHECK(s.next() == 20s);  // its deadline
    s.report(false, 15s);
    CHECK(s.due(15s));  // at once: the second was due at 11 s
}

TEST_CASE("a probe that is not reported before its deadline has failed, whatever its result says later") {
    probe_schedule s{{.interval = 10s, .timeout = 3s, .fall = 1, .jitter = 0}, 1, 0s};
    starts(s, 1, true);
    const auto number = s.start(10s);
    CHECK(s.deadline() == 13s);
    CHECK_FALSE(s.expired(13s - 1ns));
    CHECK(s.expired(13s));
    CHECK(s.awaits(number));
    CHECK_FALSE(s.awaits(number - 1));
    CHECK(s.report(true, 13s));
    CHECK(s.state() == check_state::down);
    CHECK_FALSE(s.awaits(number));
    CHECK(s.status().timed_out == 1);
    CHECK(s.status().passed == 1);
    CHECK(s.status().failed == 0);
}

TEST_CASE("jitter lengthens an interval by at most its share, differs each time, and repeats itself by seed") {
    for (const double jitter : {0.1, 0.5, 1.0}) {
        const check_options o{.interval = 10s, .jitter = jitter};
        probe_schedule a{o, 7, 0s}, same{o, 7, 0s}, other{o, 8, 0s};
        const auto first = starts(a, 2000, true);
        CHECK(first == starts(same, 2000, true));
        CHECK(first != starts(other, 2000, true));
        std::set<nanoseconds> gaps;
        nanoseconds sum{0};
        for (std::size_t i = 1; i < first.size(); ++i) {
            const nanoseconds gap = first[i] - first[i - 1];
            gaps.insert(gap);
            sum += gap;
            CHECK(gap >= 10s);
            CHECK(static_cast<double>(gap.count()) <= 10e9 * (1 + jitter));
        }
        CHECK(gaps.size() > 1900);
        // Uniform: the mean of 1,999 is within 5 of its standard deviations, jitter x 10 s / sqrt(12 n).
        const double n = 1999, mean = static_cast<double>(sum.count()) / n;
        CHECK(std::abs(mean - 10e9 * (1 + jitter / 2)) < 5 * 10e9 * jitter / std::sqrt(12 * n));
    }
}

TEST_CASE("a caller who comes late keeps the rhythm, and does not make up for what was missed") {
    probe_schedule s{plain, 1, 3s};
    s.start(3s);
    s.report(true, 3s);
    CHECK(s.due(14s));  // was due at 13 s
    s.start(14s);
    CHECK(s.deadline() == 24s);  // it has its time
    s.report(true, 14s);
    CHECK(s.next() == 23s);
    s.start(57s);  // 34 s late: as if it had been started at 53 s
    s.report(true, 57s);
    CHECK(s.next() == 63s);
}

TEST_CASE("while live traffic succeeds probes are put off, up to the slow interval") {
    probe_schedule s{{.interval = 10s, .slow_interval = 35s, .jitter = 0}, 1, 0s};
    outcome_counts seen;
    CHECK_FALSE(s.put_off(0s, seen));  // nothing known yet
    starts(s, 1, true);
    const auto at = [&](nanoseconds now) {
        REQUIRE(s.next() == now);
        return s.put_off(now, seen);
    };
    seen.success += 5;
    CHECK(at(10s));
    seen.success += 1;
    CHECK(at(20s));
    seen.success += 1;
    seen.cancelled += 9;  // says nothing
    CHECK(at(30s));
    seen.success += 1;
    CHECK_FALSE(at(35s));  // the latest
    s.start(35s);
    s.report(true, 35s);

    seen.success += 1;
    CHECK(at(45s));
    CHECK_FALSE(at(55s));  // silence
    s.start(55s);
    s.report(true, 55s);
    for (const auto member : {&outcome_counts::failure, &outcome_counts::timeout, &outcome_counts::connect_failure}) {
        seen.success += 100;
        seen.*member += 1;
        const auto now = s.next();
        CHECK_FALSE(at(now));  // one failure is worth a probe
        s.start(now);
        s.report(true, now);
    }
    seen.success += 1;
    s.start(s.next());
    s.report(false, s.next());
    seen.success += 1;
    CHECK_FALSE(at(s.next()));  // the state is changing
}

TEST_CASE("without a slow interval traffic puts nothing off") {
    probe_schedule s{plain, 1, 0s};
    starts(s, 1, true);
    CHECK_FALSE(s.put_off(10s, {.success = 1000}));
}

TEST_CASE("a clock that is set back delays nothing by more than an interval, and keeps the starts apart") {
    std::set<nanoseconds> phases;
    for (int i = 0; i < 10; ++i) {
        probe_schedule s{plain, 1, 1000s + i * 1s};
        s.notice(3s);
        CHECK(s.next() >= 3s);
        CHECK(s.next() < 13s);
        phases.insert(s.next());
    }
    CHECK(phases.size() == 10);

    probe_schedule s{plain, 1, 1000s};
    s.start(1000s);
    s.notice(3s);
    CHECK(s.deadline() == 13s);  // it still has its time
    s.report(true, 4s);
    CHECK(s.state() == check_state::up);
    CHECK(s.next() == 13s);
}

TEST_CASE("after the clock was set back live traffic still puts off for the slow interval at most") {
    probe_schedule s{{.interval = 10s, .slow_interval = 35s, .jitter = 0}, 1, 1000s};
    starts(s, 1, true);
    s.notice(3s);
    CHECK(s.next() <= 38s);
    nanoseconds now = s.next();
    outcome_counts seen;
    while (seen.success += 1, s.put_off(now, seen)) now = s.next();
    CHECK(now <= 38s);
}

TEST_CASE("at both ends of time nothing overflows") {
    constexpr nanoseconds least = (nanoseconds::min)(), most = (nanoseconds::max)();
    const nanoseconds points[] = {least, least + 1ns, -1ns, 0ns, 1ns, most - 1ns, most};
    for (const nanoseconds first : points)
        for (const nanoseconds begin : points)
            for (const nanoseconds end : points) {
                probe_schedule s{{.interval = 24h, .slow_interval = 24h, .jitter = 1}, 5, first};
                s.notice(begin);
                if (s.due(begin)) s.start(begin);
                s.notice(end);
                s.report(true, end);
                (void)s.put_off(end, {.success = 1});
                s.notice(begin);
                s.start(begin);
                CHECK(s.deadline() >= begin);
                CHECK(weir::detail::between(begin, s.deadline()) <= 24h);
            }
}
