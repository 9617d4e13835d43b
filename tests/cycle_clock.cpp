#include <weir/cycle_clock.hpp>

#include "catch.hpp"

#include <weir/registry.hpp>
#include <weir/select/p2c_peak_ewma.hpp>

#include <thread>

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

namespace {

nanoseconds steady() { return std::chrono::steady_clock::now().time_since_epoch(); }

/// How many of the readings of 50 ms are not between the readings of steady_clock before and after them, or go back.
int wrong_readings() {
    constexpr nanoseconds promised = 2us;  // of each reading a microsecond
    int wrong = 0;
    nanoseconds last = weir::cycle_clock::now().time_since_epoch();
    for (const nanoseconds end = steady() + 50ms; steady() < end;) {
        const nanoseconds before = steady();
        const nanoseconds now = weir::cycle_clock::now().time_since_epoch();
        const nanoseconds after = steady();
        wrong += now < before - promised || now > after + promised || now < last ? 1 : 0;
        last = now;
    }
    return wrong;
}

}  // namespace

TEST_CASE("it tells the time of steady_clock, in each thread", "[threads]") {
    int elsewhere = -1;
    std::thread other{[&] { elsewhere = wrong_readings(); }};
    const int here = wrong_readings();
    other.join();
    CHECK(here == 0);
    CHECK(elsewhere == 0);
}

TEST_CASE("a registry over it measures latencies, and takes times of steady_clock") {
    weir::registry<int, weir::cycle_clock> r;
    r.add(1);
    const weir::p2c_peak_ewma balancer{r};
    const nanoseconds from = steady();
    auto lease = balancer.pick({.now = from});
    while (steady() - from < 1ms) {
    }
    lease.complete(weir::outcome::success);
    const nanoseconds most = steady() - from + 1us;
    double latency = 0;
    balancer.inspect([&](const weir::view&, const auto& table) {
        latency = weir::peak_ewma{}.score({}, *table.loads.states[0], {.in_flight = 0, .now = from});
    });
    CHECK(latency >= 1e6 - 1e3);
    CHECK(latency <= static_cast<double>(most.count()));
}
