#include <weir/load/total_in_flight.hpp>

#include "catch.hpp"

#include <weir/random.hpp>

#include <array>
#include <thread>

using std::chrono::nanoseconds;
using weir::total_in_flight;

namespace {

constexpr nanoseconds any{0};

std::int64_t total(const total_in_flight::pool& p) { return p.total.load(); }

}  // namespace

TEST_CASE("the total is that of the backends which are eligible, through every order of joining, leaving and leases") {
    const total_in_flight metric;
    total_in_flight::pool pool;
    std::array<total_in_flight::state, 4> states;
    std::array<std::int64_t, 4> leases{};
    std::array<bool, 4> joined{};
    weir::generator random{1};
    int wrong = 0;
    for (int i = 0; i < 20'000; ++i) {
        const auto at = random.below(4);
        switch (random.below(4)) {
        case 0: metric.join(pool, states[at]), joined[at] = true; break;
        case 1: metric.leave(pool, states[at]), joined[at] = false; break;
        case 2: metric.on_start(pool, states[at]), ++leases[at]; break;
        default:
            metric.on_end(pool, states[at], weir::outcome::success, any, any);
            leases[at] = std::max<std::int64_t>(leases[at] - 1, 0);  // older than the metric: was never counted
        }
        std::int64_t expected = 0;
        for (std::size_t k = 0; k < 4; ++k) expected += joined[k] ? leases[k] : 0;
        wrong += total(pool) != expected ? 1 : 0;
    }
    CHECK(wrong == 0);
}

TEST_CASE("joining and leaving while leases start and end loses none", "[threads]") {
    const total_in_flight metric;
    total_in_flight::pool pool;
    total_in_flight::state state;
    std::atomic<bool> done{false};
    std::thread flapping{[&] {
        while (!done.load()) {
            metric.join(pool, state);
            metric.leave(pool, state);
        }
    }};
    for (int i = 0; i < 50'000; ++i) {
        metric.on_start(pool, state);
        if (i % 10 != 0) metric.on_end(pool, state, weir::outcome::failure, any, any);
    }
    done.store(true);
    flapping.join();
    CHECK(total(pool) == 0);
    metric.join(pool, state);
    CHECK(total(pool) == 5000);
    for (int i = 0; i < 5000; ++i) metric.on_end(pool, state, weir::outcome::success, any, any);
    CHECK(total(pool) == 0);
}
