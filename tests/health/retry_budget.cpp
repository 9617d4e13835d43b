#include <weir/health/retry_budget.hpp>

#include "catch.hpp"
#include "support/length.hpp"

#include <weir/random.hpp>

#include <thread>

using namespace std::chrono_literals;
using weir::retry_budget;
using weir::retry_budget_options;

namespace {

int drain(retry_budget& b, std::chrono::nanoseconds now) {
    int granted = 0;
    while (granted < 1'000'000 && b.withdraw(now)) ++granted;
    return granted;
}

}  // namespace

TEST_CASE("the defaults are 20 % of the requests and 10 per second, ten seconds of which are there at first") {
    retry_budget b;
    CHECK(drain(b, 0s) == 100);
    CHECK_FALSE(b.withdraw(0s));
    for (int i = 0; i < 1000; ++i) b.on_request();
    CHECK(drain(b, 0s) == 200);
    CHECK(drain(b, 1s) == 9);  // 10, of which those that came early have begun to fade
    CHECK(b.granted() == 309);
    CHECK(b.refused() == 4);
}

TEST_CASE("what is not used fades: a bucket holds about a window's earnings, however long it was idle or busy") {
    retry_budget b;
    CHECK(b.available(0s) == Approx(100));
    CHECK(b.available(3600s) == Approx(100));
    for (int second = 1; second <= 100; ++second) {  // 1,000 requests a second
        for (int i = 0; i < 1000; ++i) b.on_request();
        (void)b.available(3600s + second * 1s);
    }
    CHECK(b.available(3700s) == Approx(100 + 2000).epsilon(0.001));
    CHECK(b.available(3710s) == Approx(100 + 2000 * std::exp(-1)).epsilon(0.001));
    CHECK(b.available(3900s) == Approx(100));
    // A million requests of an hour ago earn nothing now.
    for (int i = 0; i < 1'000'000; ++i) b.on_request();
    CHECK(b.available(7500s) == Approx(100 + 1e6 * 0.2 * 10 / 3600).epsilon(0.01));
}

TEST_CASE("without share or without seconds the other one counts alone") {
    retry_budget only_time{{.share = 0, .per_second = 5, .window = 2s}};
    for (int i = 0; i < 100'000; ++i) only_time.on_request();
    CHECK(drain(only_time, 0s) == 10);
    retry_budget only_share{{.share = 0.5, .per_second = 0}};
    CHECK(drain(only_share, 0s) == 0);
    for (int i = 0; i < 10; ++i) only_share.on_request();
    CHECK(drain(only_share, 0s) == 5);
    CHECK(drain(only_share, 3600s) == 0);
    retry_budget none{{.share = 0, .per_second = 0}};
    for (int i = 0; i < 1000; ++i) none.on_request();
    CHECK(drain(none, 1000s) == 0);
    retry_budget rare{{.share = 0, .per_second = 0.01, .window = 1h}};
    int granted = drain(rare, 0s);
    CHECK(granted == 36);
    for (int ms = 0; ms < 1'000'000; ms += 7) granted += rare.withdraw(std::chrono::milliseconds{ms}) ? 1 : 0;
    CHECK(granted == 36 + 10 - 1);  // 1,000 s at one in 100 s: rounding down costs less than one
}

TEST_CASE("never more than share x requests + rate x time + the start, at any pace of requests and asking") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        weir::generator random{seed};
        const retry_budget_options o{.share = static_cast<double>(random.below(100)) / 100,
                                     .per_second = static_cast<double>(random.below(50)),
                                     .window = std::chrono::milliseconds{100 + random.below(20'000)}};
        retry_budget b{o};
        std::chrono::nanoseconds now = 0s;
        double requests = 0, granted = 0, worst = -1e9;
        const double start = o.per_second * static_cast<double>(o.window.count()) * 1e-9;
        for (int i = 0; i < 5000; ++i) {
            if (random.below(10) == 0) now += std::chrono::microseconds{random.below(300'000)};
            for (auto n = random.below(4); n > 0; --n) b.on_request(), ++requests;
            for (auto n = random.below(6); n > 0; --n) granted += b.withdraw(now) ? 1 : 0;
            const double seconds = static_cast<double>(now.count()) * 1e-9;
            worst = std::max(worst, granted - (o.share * requests + o.per_second * seconds + start));
        }
        CHECK(worst <= 1e-3);
        // Under steady want it is also not much less: only what fades in the moment between two askings.
        CHECK(granted >= 0.9 * (o.share * requests + o.per_second * static_cast<double>(now.count()) * 1e-9));
    }
}

TEST_CASE("two threads never spend a token twice", "[threads]") {
    for (std::uint64_t round = 0; round < weir_test::repetitions(40); ++round) {
        retry_budget b{{.share = 0.25, .per_second = 0}};
        std::atomic<int> granted{0};
        const auto work = [&] {
            int mine = 0;
            for (int i = 0; i < 4000; ++i) {
                b.on_request();
                mine += b.withdraw(std::chrono::microseconds{i}) ? 1 : 0;
            }
            granted += mine;
        };
        std::thread other{work};
        work();
        other.join();
        CHECK(granted <= 2000);
        granted += drain(b, 4ms);
        CHECK(granted <= 2000);
        CHECK(granted >= 1990);  // none is lost either, but what has faded in 4 ms of 10 s
    }
}

TEST_CASE("a clock that steps back earns nothing for time, and the bucket goes on") {
    retry_budget b;
    CHECK(drain(b, 1000s) == 100);
    CHECK(drain(b, 0s) == 0);
    CHECK(drain(b, 10s) == 63);    // 100 x (1 - 1/e)
    CHECK(drain(b, 9500ms) == 0);  // another thread's reading: no step
    CHECK(drain(b, 10s) == 0);
    for (int i = 0; i < 50; ++i) b.on_request();
    CHECK(drain(b, -1000s) == 10);
    CHECK(drain(b, (std::chrono::nanoseconds::max)()) <= 100);
    CHECK(drain(b, (std::chrono::nanoseconds::min)()) == 0);
    CHECK(drain(b, (std::chrono::nanoseconds::max)()) <= 100);
}

TEST_CASE("a flood of requests does not overflow the bucket") {
    retry_budget b{{.share = 1000, .per_second = 1'000'000, .window = 1h}};
    for (int i = 0; i < 100; ++i) {
        for (int k = 0; k < 1000; ++k) b.on_request();
        CHECK(b.available(0s) > 0);
    }
}

TEST_CASE("a budget that makes no sense is refused in words") {
    CHECK_THROWS_WITH(retry_budget({.share = -0.1}), "weir: retry_budget: share of -0.100000 is not from 0 to 1000");
    CHECK_THROWS_WITH(retry_budget({.share = std::numeric_limits<double>::quiet_NaN()}),
                      Catch::Matchers::ContainsSubstring("share of nan"));
    CHECK_THROWS_WITH(retry_budget({.per_second = -1}),
                      "weir: retry_budget: per_second of -1.000000 is not from 0 to 1000000");
    CHECK_THROWS_WITH(retry_budget({.window = 0s}), "weir: retry_budget: a window of 0 ns is not from 1 ms to 1 hour");
    CHECK_THROWS_WITH(retry_budget({.window = -1s}),
                      "weir: retry_budget: a window of -1000000000 ns is not from 1 ms to 1 hour");
    CHECK_THROWS_AS(retry_budget({.window = 2h}), std::invalid_argument);
}
