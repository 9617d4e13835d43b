#include <weir/load/peak_ewma.hpp>

#include "catch.hpp"
#include "support/manual_clock.hpp"
#include "support/vectors.hpp"

#include <weir/random.hpp>
#include <weir/select/choices.hpp>
#include <weir/select/least_load.hpp>

#include <deque>
#include <limits>
#include <memory>
#include <queue>

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using weir::load_reading;
using weir::outcome;
using weir::peak_ewma;
using weir_test::manual_clock;

namespace {

/// A pool of backends by hand, as the registry drives the metric.
struct hand_pool {
    peak_ewma metric;
    peak_ewma::pool shared;
    std::deque<peak_ewma::state> states;

    explicit hand_pool(std::size_t n, const peak_ewma& m = peak_ewma{}) : metric{m}, states(n) {
        for (auto& s : states) metric.join(shared, s);
    }
    void end(std::size_t i, outcome how, nanoseconds latency, nanoseconds now) {
        metric.on_end(shared, states[i], how, latency, now);
    }
    [[nodiscard]] double score(std::size_t i, nanoseconds now, std::uint32_t in_flight = 0) const {
        return metric.score(shared, states[i], load_reading{in_flight, now});
    }
};

constexpr outcome failures[] = {outcome::failure, outcome::timeout, outcome::connect_failure};
constexpr nanoseconds most{std::numeric_limits<std::int64_t>::max()};
constexpr nanoseconds least{std::numeric_limits<std::int64_t>::min()};

}  // namespace

TEST_CASE("the estimator gives tower's estimates") {
    double estimate = 0, last = 0;
    int rows = 0;
    for (const auto& row : weir_test::vector_rows("peak_ewma_tower.csv")) {
        INFO(row[0] << " at " << row[3] << ": " << row[4]);
        const double now = std::stod(row[3]);
        const weir::peak_ewma_estimator estimator{std::stod(row[2])};
        if (row[4] == "init") {
            estimate = std::stod(row[1]);
        } else {
            estimate = estimator.observe(estimate, now - last, row[4] == "decay" ? 0 : std::stod(row[4]));
        }
        last = now;
        CHECK(estimate == Approx(std::stod(row[5])).epsilon(1e-12).margin(0));
        ++rows;
    }
    CHECK(rows == 45);
}

TEST_CASE("the estimator rises at once, decays with its time constant, and takes a negative elapsed time for none") {
    const weir::peak_ewma_estimator estimator{10e9};
    CHECK(estimator.observe(5, 0, 50) == 50);
    CHECK(estimator.observe(50, 10e9, 0) == Approx(50 / std::exp(1.0)));
    CHECK(estimator.observe(50, -1e9, 0) == 50);
    CHECK(estimator.observe(50, 1e300, 7) == 7);
}

TEST_CASE("hardening 11: estimates stay finite and not negative for extreme times and latencies") {
    const std::vector<nanoseconds> times{0ns, 1ns, -1ns, least, least + 1ns, most, most - 1ns, nanoseconds{1LL << 62},
                                         1h,  -1h};
    const std::vector<nanoseconds> latencies{0ns, 1ns, -1ns, most, least, 1ms};
    int bad = 0, scores = 0;
    for (const auto first : times)
        for (const auto second : times)
            for (const auto latency : latencies)
                for (int how = 0; how < 5; ++how) {
                    hand_pool pool{2};
                    pool.end(0, static_cast<outcome>(how), latency, first);
                    pool.end(0, outcome::success, 1ms, second);
                    pool.end(0, static_cast<outcome>(how), latency, first);
                    pool.end(1, outcome::success, latency, second);
                    for (const auto now : {first, second})
                        for (const std::size_t i : {0u, 1u})
                            for (const std::uint32_t in_flight : {0u, 1u, ~0u}) {
                                const double score = pool.score(i, now, in_flight);
                                bad += std::isfinite(score) && score >= 0 ? 0 : 1;
                                ++scores;
                            }
                }
    CHECK(bad == 0);
    CHECK(scores == 10 * 10 * 6 * 5 * 12);
}

TEST_CASE("hardening 11: a clock that jumps by an hour, either way, changes no order") {
    hand_pool pool{2};
    for (int i = 0; i < 20; ++i) {
        pool.end(0, outcome::success, 10ms, 100h + i * 1ms);
        pool.end(1, outcome::success, 20ms, 100h + i * 1ms);
    }
    for (const nanoseconds jump : {nanoseconds{-1h}, nanoseconds{0}, nanoseconds{1ms}}) {
        CHECK(pool.score(0, 100h + jump) < pool.score(1, 100h + jump));
        pool.end(0, outcome::success, 10ms, 100h + jump);
        CHECK(pool.score(0, 100h + jump) < pool.score(1, 100h + jump));
    }
    // Idle for an hour, both are what an unknown one is: the median.
    CHECK(pool.score(0, 101h) == Approx(pool.score(1, 101h)).epsilon(1e-4));
}

TEST_CASE("a newcomer is taken for the pool's median, and for the initial estimate while nobody has been measured") {
    hand_pool pool{6, peak_ewma{10s, 30ms}};
    CHECK(pool.score(5, 0ns) == 30e6);
    const nanoseconds latencies[] = {1ms, 2ms, 5ms, 50ms, 90ms};
    for (std::size_t i = 0; i < 5; ++i) pool.end(i, outcome::success, latencies[i], 1s);
    CHECK(pool.score(5, 1s) / 5e6 < std::pow(2, 0.25));
    CHECK(pool.score(5, 1s) / 5e6 > std::pow(2, -0.25));
    CHECK(pool.score(0, 1s) < pool.score(5, 1s));
    CHECK(pool.score(5, 1s) < pool.score(4, 1s));
}

TEST_CASE("hardening 12: unmeasured backends are ordered by in flight") {
    hand_pool pool{3};
    CHECK(pool.score(0, 0ns, 0) < pool.score(1, 0ns, 1));
    CHECK(pool.score(1, 0ns, 1) < pool.score(2, 0ns, 2));
    pool.end(0, outcome::success, 4ms, 1s);  // of a single measured one the median is known, the order stays
    CHECK(pool.score(1, 1s, 1) < pool.score(2, 1s, 2));
}

TEST_CASE("a failure never makes a backend look faster, however fast, late or frequent it is") {
    weir::generator random{1};
    int lowered = 0, checked = 0;
    for (int round = 0; round < 2000; ++round) {
        hand_pool pool{3};
        nanoseconds now{1s};
        for (int i = 0; i < 12; ++i) {
            now += nanoseconds{static_cast<std::int64_t>(random() >> (30 + random.below(34)))};
            const nanoseconds latency{static_cast<std::int64_t>(random() >> (30 + random.below(34)))};
            if (random.below(2) == 0) {
                pool.end(random.below(3), outcome::success, latency, now);
                continue;
            }
            const auto victim = random.below(3);
            const double before = pool.score(victim, now);
            // The median moves with its members: hold the backend against an unmoved one.
            const double reference = pool.shared.median.value();
            pool.end(victim, failures[random.below(3)], random.below(4) == 0 ? -1ns : latency, now);
            if (pool.shared.median.value() != reference) continue;
            lowered += pool.score(victim, now) < before ? 1 : 0;
            ++checked;
        }
    }
    CHECK(lowered == 0);
    CHECK(checked > 5000);
}

TEST_CASE("failures in a row count as twice the median, four times, up to 64 times; a success ends the row") {
    hand_pool pool{4};
    for (std::size_t i = 0; i < 3; ++i) pool.end(i, outcome::success, 10ms, 1s);
    const double median = pool.shared.median.value();
    pool.end(3, outcome::failure, 1us, 1s);
    CHECK(pool.score(3, 1s) == Approx(2 * median));
    for (int row = 2; row <= 6; ++row) pool.end(3, outcome::failure, 1us, 1s);
    CHECK(pool.score(3, 1s) == Approx(64 * median));
    pool.end(3, outcome::failure, 1us, 1s);
    CHECK(pool.score(3, 1s) == Approx(64 * median));
    pool.end(3, outcome::success, 1us, 1s);
    for (int i = 0; i < 50; ++i) pool.end(3, outcome::success, 1us, 1000s);
    pool.end(3, outcome::failure, 1us, 1000s);
    CHECK(pool.score(3, 1000s) <= 2 * pool.shared.median.value() * 1.0001);
}

TEST_CASE("a cancelled request can only raise the score, of a measured backend as of a newcomer") {
    hand_pool pool{3};
    const double newcomer = pool.score(0, 1s);
    pool.end(0, outcome::cancelled, 1us, 1s);
    CHECK(pool.score(0, 1s) >= newcomer);
    pool.end(1, outcome::success, 10ms, 1s);
    pool.end(2, outcome::success, 10ms, 1s);
    const double measured = pool.score(1, 1s);
    pool.end(1, outcome::cancelled, 1us, 1s);
    CHECK(pool.score(1, 1s) >= measured);
    pool.end(1, outcome::cancelled, 2s, 1s);
    CHECK(pool.score(1, 1s) >= 2e9);
    const double unmeasured = pool.score(0, 1s);
    pool.end(0, outcome::cancelled, -1ns, 1s);
    CHECK(pool.score(0, 1s) == unmeasured);
    // One that was fast and has been idle is expected at the median: an answer that did not come in half of that time
    // is no news.
    hand_pool idle{4};
    for (std::size_t i = 0; i < 3; ++i) idle.end(i, outcome::success, 10ms, 1h);
    idle.end(3, outcome::success, 1ms, 1s);
    const double expected = idle.score(3, 1h);
    idle.end(3, outcome::cancelled, 5ms, 1h);
    CHECK(idle.score(3, 1h) >= expected);
}

TEST_CASE("an idle backend's estimate moves to the median, from either side") {
    hand_pool pool{5};
    for (std::size_t i = 0; i < 3; ++i) pool.end(i, outcome::success, 10ms, 0s);
    pool.end(3, outcome::success, 1ms, 0s);
    pool.end(4, outcome::success, 100ms, 0s);
    const double median = pool.shared.median.value();
    double fast = pool.score(3, 0s), slow = pool.score(4, 0s);
    CHECK(fast < median);
    CHECK(slow > median);
    for (const nanoseconds now : {nanoseconds{1s}, nanoseconds{10s}, nanoseconds{100s}, nanoseconds{3600s}}) {
        CHECK(pool.score(3, now) > fast);
        CHECK(pool.score(4, now) < slow);
        fast = pool.score(3, now);
        slow = pool.score(4, now);
        CHECK(fast < slow);
    }
    CHECK(fast == Approx(median).epsilon(1e-3));
    CHECK(slow == Approx(median).epsilon(1e-3));
}

TEST_CASE("who leaves the pool leaves the median") {
    hand_pool pool{3};
    pool.end(0, outcome::success, 1ms, 0s);
    pool.end(1, outcome::success, 1ms, 0s);
    pool.end(2, outcome::success, 100ms, 0s);
    pool.metric.leave(pool.shared, pool.states[0]);
    pool.metric.leave(pool.shared, pool.states[1]);
    CHECK(pool.shared.median.value() > 80e6);
    for (int i = 0; i < 20; ++i) pool.end(0, outcome::success, 1ms, 1s);  // leases that were running still end
    CHECK(pool.shared.median.value() > 80e6);
    pool.metric.join(pool.shared, pool.states[0]);
    pool.metric.join(pool.shared, pool.states[1]);
    CHECK(pool.shared.median.value() < 2e6);
    for (auto& s : pool.states) pool.metric.leave(pool.shared, s);
    CHECK(pool.shared.median.value() == 0);
}

TEST_CASE("a decay or an initial estimate that is not above 0 is refused in words") {
    CHECK_THROWS_WITH(peak_ewma{0s}, "weir: peak_ewma: decay of 0 ns is not above 0");
    CHECK_THROWS_WITH(peak_ewma(10s, -1ns), "weir: peak_ewma: initial of -1 ns is not above 0");
}

TEST_CASE("latencies reach the metric by any selector's leases, and survive updates and other selectors") {
    manual_clock::set(1h);
    weir::registry<std::string, manual_clock> registry;
    const auto fast = registry.add("fast"), slow = registry.add("slow");
    weir::least_load chooser{registry, peak_ewma{}};
    weir::least_connections other{registry, {.seed = 1}};
    for (int i = 0; i < 16; ++i) {
        const weir::backend_id both[] = {i % 2 == 0 ? slow : fast};
        auto lease = other.pick({.exclude = both});
        manual_clock::advance(lease.id() == fast ? 1ms : 50ms);
        lease.complete(outcome::success);
    }
    const auto wins = [&] {
        int n = 0;
        for (int i = 0; i < 100; ++i)
            (void)chooser.choose([&](const std::string& name) { n += name == "fast" ? 1 : 0; });
        return n;
    };
    CHECK(wins() == 100);
    registry.add("third", {.weight = 0});
    registry.set_weight(slow, 1);
    registry.set(fast, weir::condition::draining);
    registry.clear(fast, weir::condition::draining);
    CHECK(wins() == 100);
    weir::least_load latecomer{registry, peak_ewma{}};
    int n = 0;
    for (int i = 0; i < 100; ++i) (void)latecomer.choose([&](const std::string& name) { n += name == "fast" ? 1 : 0; });
    CHECK(n == 100);
}

TEST_CASE("hardening 11: a lease over a clock that runs from one end of time to the other is harmless") {
    for (const auto& [from, to] :
         {std::pair{least + 1ns, most}, {most, least + 1ns}, {nanoseconds{0}, most}, {-1ns, most}}) {
        weir::registry<std::string, manual_clock> registry;
        registry.add("a");
        registry.add("b");
        weir::choices chooser{registry, peak_ewma{}, weir::selector_options{.seed = 1}};
        for (int i = 0; i < 4; ++i) {
            manual_clock::set(from);
            auto first = chooser.pick(), second = chooser.pick();
            manual_clock::set(to);
            first.complete(outcome::success);
            second.complete(outcome::failure);
            REQUIRE(chooser.pick());
        }
        CHECK(registry.members()[0].in_flight == 0);
    }
    manual_clock::set(0s);
}

TEST_CASE("hardening 13: a backend that answers errors in 1 ms among ten gets at most its fair share") {
    // Virtual time: 200 requests a second, healthy backends take 20 ms each, at whatever queue.
    const auto least_too = GENERATE(false, true);
    manual_clock::set(1h);
    weir::registry<int, manual_clock> registry;
    for (int i = 0; i < 10; ++i) registry.add(i);
    weir::choices two{registry, peak_ewma{}, weir::selector_options{.seed = 5}};
    weir::least_load all{registry, peak_ewma{}, weir::selector_options{.seed = 5}};

    struct running {
        nanoseconds end;
        std::shared_ptr<weir::lease<int>> lease;
        bool operator<(const running& other) const { return end > other.end; }
    };
    std::priority_queue<running> queue;
    std::vector<int> picks(10);
    constexpr int requests = 20'000;
    nanoseconds now{1h};
    const auto finish = [&](nanoseconds until) {
        for (; !queue.empty() && queue.top().end <= until; queue.pop()) {
            manual_clock::set(queue.top().end);
            auto& lease = *queue.top().lease;
            lease.complete(*lease == 3 ? outcome::failure : outcome::success);
        }
    };
    for (int i = 0; i < requests; ++i, now += 5ms) {
        finish(now);
        manual_clock::set(now);
        auto lease = std::make_shared<weir::lease<int>>(least_too ? all.pick() : two.pick());
        REQUIRE(*lease);
        ++picks[static_cast<std::size_t>(**lease)];
        queue.push({now + (**lease == 3 ? 1ms : 20ms), std::move(lease)});
    }
    finish(most);
    CHECK(picks[3] <= requests / 10);
    // It is tried now and then: an answer could have become right.
    CHECK(picks[3] > 0);
    for (const auto& m : registry.members()) CHECK(m.in_flight == 0);
}
