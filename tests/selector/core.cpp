#include <weir/selector/core.hpp>

#include "catch.hpp"

#include <weir/weir.hpp>

using namespace std::chrono_literals;

namespace {

/// A clock that stands still and counts who looks at it.
struct watched_clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<watched_clock>;
    [[maybe_unused]] static constexpr bool is_steady = true;
    static inline int readings = 0;

    static time_point now() noexcept {
        ++readings;
        return time_point{1h};
    }
};

using servers = weir::registry<int, watched_clock>;

/// How often the clock is read by `use(selector)`.
template <class Selector, class F>
int readings(const Selector& s, F&& use) {
    const int before = watched_clock::readings;
    use(s);
    return watched_clock::readings - before;
}

/// A registry of its own, as each lease feeds what any selector of its registry has brought.
template <template <class...> class Selector>
int readings_of_a_lease() {
    servers r;
    for (int i = 0; i < 100; ++i) r.add(i, {.weight = static_cast<std::uint32_t>(1 + i % 3)});
    return readings(Selector{r}, [](const auto& s) {
        s.pick({.key = 7}).complete(weir::outcome::success);
        s.pick({.key = 8}).complete(weir::outcome::failure);
        {
            const auto dropped = s.pick({.key = 9});
        }
        CHECK(s.choose({.key = 7}, [](int&) {}) == weir::pick_error::none);
    });
}

}  // namespace

TEST_CASE("only selectors by latency read a clock") {
    CHECK(readings_of_a_lease<weir::round_robin>() == 0);
    CHECK(readings_of_a_lease<weir::random>() == 0);
    CHECK(readings_of_a_lease<weir::least_connections>() == 0);
    CHECK(readings_of_a_lease<weir::nginx_least_conn>() == 0);
    CHECK(readings_of_a_lease<weir::haproxy_leastconn>() == 0);
    CHECK(readings_of_a_lease<weir::power_of_two>() == 0);
    CHECK(readings_of_a_lease<weir::first>() == 0);
    CHECK(readings_of_a_lease<weir::ring_hash>() == 0);
    CHECK(readings_of_a_lease<weir::maglev>() == 0);
    CHECK(readings_of_a_lease<weir::p2c_peak_ewma>() > 0);
}

TEST_CASE("a lease by latency reads the clock when it starts and when it ends, unless it is told") {
    servers r;
    for (int i = 0; i < 100; ++i) r.add(i);
    const weir::p2c_peak_ewma balancer{r};
    using selector = weir::p2c_peak_ewma<int>;
    const weir::pick_options told{.now = 1h};
    CHECK(readings(balancer, [](const selector& s) { s.pick().complete(weir::outcome::success); }) == 2);
    CHECK(readings(balancer, [&](const selector& s) { s.pick(told).complete(weir::outcome::success); }) == 1);
    CHECK(readings(balancer, [](const selector& s) { s.pick().complete(weir::outcome::success, 1ms); }) == 1);
    CHECK(readings(balancer, [&](const selector& s) { s.pick(told).complete(weir::outcome::success, 1ms); }) == 0);
    CHECK(readings(balancer, [&](const selector& s) { s.choose(told, [](int&) {}); }) == 0);

    // Beside another metric as alone.
    const weir::choices<int, weir::ewma, 3> other{r};
    CHECK(readings(balancer, [](const selector& s) { s.pick().complete(weir::outcome::success); }) == 2);
    CHECK(readings(balancer, [&](const selector& s) { s.pick(told).complete(weir::outcome::success); }) == 1);
    CHECK(readings(balancer, [&](const selector& s) { s.pick(told).complete(weir::outcome::success, 1ms); }) == 0);
}
