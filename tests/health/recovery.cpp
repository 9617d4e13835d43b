#include <weir/health/outlier_detector.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/manual_clock.hpp"

#include <weir/adapt/slow_start.hpp>
#include <weir/random.hpp>
#include <weir/select/choices.hpp>
#include <weir/select/consistent_hash.hpp>
#include <weir/select/random.hpp>
#include <weir/select/round_robin.hpp>

#include <deque>
#include <string>
#include <vector>

// What a backend gets when it comes back: the detector and slow start together.

using namespace std::chrono_literals;
using weir::condition;
using weir::outcome;
using weir_test::manual_clock;

namespace {

/// A thousand requests a second, each of which takes ten milliseconds, on ten backends, of which the first one fails.
template <class Policy>
struct traffic {
    weir::registry<std::string, manual_clock> registry;
    std::vector<weir::backend_id> ids;
    weir::basic_selector<std::string, Policy> balancer;
    weir::outlier_detector outliers{registry, {.success_rate_by_sigma = {}, .seed = 3}};
    std::deque<weir::lease<std::string>> open;
    std::uint64_t requests = 0;
    std::size_t takes = 10;  ///< milliseconds, each request
    bool failing = true;
    weir::generator random{5};

    explicit traffic(const Policy& p = Policy{})
        : ids{fill(registry)}, balancer{registry, p, weir::selector_options{.seed = 7}} {
        manual_clock::set(1000s);
        outliers.poll();
    }
    static std::vector<weir::backend_id> fill(weir::registry<std::string, manual_clock>& r) {
        std::vector<weir::backend_id> all;
        for (int i = 0; i < 10; ++i) all.push_back(r.add("b" + std::to_string(i)));
        return all;
    }
    /// A millisecond: how many of its requests the first backend got.
    std::uint64_t tick() {
        manual_clock::advance(1ms);
        if (open.size() >= takes) {
            const bool bad = failing && open.front().id() == ids[0];
            open.front().complete(bad ? outcome::failure : outcome::success);
            open.pop_front();
        }
        open.push_back(balancer.pick({.key = random()}));
        ++requests;
        outliers.poll();
        return open.back().id() == ids[0] ? 1 : 0;
    }
    std::uint64_t run(int milliseconds) {
        std::uint64_t picks = 0;
        for (int i = 0; i < milliseconds; ++i) picks += tick();
        return picks;
    }
    [[nodiscard]] weir::outlier_phase phase() const { return outliers.inspect(ids[0])->phase; }
    void until(weir::outlier_phase wanted) {
        for (int i = 0; i < 200'000 && phase() != wanted; ++i) tick();
        REQUIRE(phase() == wanted);
    }
};

constexpr double fair = 1000.0 / 10;  // of a second's requests

}  // namespace

TEMPLATE_TEST_CASE(
    "in the first second after readmission a backend has at most half its fair share, then more and more", "",
    weir::round_robin_policy, weir::random_policy, weir::ring_hash_policy) {
    traffic<weir::slow_start<TestType>> t;
    t.until(weir::outlier_phase::ejected);
    t.failing = false;
    t.until(weir::outlier_phase::half_open);
    auto picks = t.run(1000);
    CHECK(static_cast<double>(picks) <= fair / 2);
    CHECK(picks > 0);
    t.until(weir::outlier_phase::in_service);  // three successes: the trial may last longer than a second
    CHECK(static_cast<double>(t.run(1000)) <= fair / 2);
    t.run(9000);
    // Warm: the full share. A ring's own imbalance is within half of it.
    CHECK(static_cast<double>(t.run(5000)) > 5 * fair / 2);
}

TEST_CASE("without slow start the full share returns with the trial's end: this is what the test above would see") {
    traffic<weir::round_robin_policy> t;
    t.until(weir::outlier_phase::ejected);
    t.failing = false;
    t.until(weir::outlier_phase::half_open);
    t.until(weir::outlier_phase::in_service);
    CHECK(static_cast<double>(t.run(1000)) > fair / 2);
}

TEMPLATE_TEST_CASE("a backend that still fails costs one request a trial, under slow start too", "",
                   weir::round_robin_policy, weir::slow_start<weir::round_robin_policy>) {
    traffic<TestType> t;
    t.takes = 50;  // five turns: all of them would be lost
    t.until(weir::outlier_phase::ejected);
    const auto failures = [&] { return t.registry.inspect(t.ids[0])->outcomes.failure; };
    const auto expected = failures() + t.registry.inspect(t.ids[0])->in_flight;  // those had begun before the ejection
    for (int cycle = 0; cycle < 3; ++cycle) {
        t.until(weir::outlier_phase::half_open);
        t.until(weir::outlier_phase::ejected);
        CHECK(failures() == expected + static_cast<std::uint64_t>(cycle) + 1);
    }
    CHECK(t.outliers.inspect(t.ids[0])->ejections == 4);
}

TEST_CASE("backends that went together do not come back together") {
    weir::registry<std::string, manual_clock> r;
    for (int i = 0; i < 100; ++i) r.add("b" + std::to_string(i));
    manual_clock::set(1000s);
    weir::outlier_detector outliers{r,
                                    {.success_rate_by_sigma = {}, .jitter = 0.5, .max_ejected_share = 0.5, .seed = 1}};
    outliers.poll();
    const weir::round_robin balancer{r};
    for (int i = 0; i < 500; ++i) balancer.pick().complete(outcome::failure);
    outliers.poll();
    const auto out = [&] {
        std::size_t n = 0;
        for (const auto& m : r.members()) n += m.conditions.has(condition::ejected) ? 1 : 0;
        return n;
    };
    CHECK(out() == 50);
    std::size_t before = 50, most = 0;
    for (int second = 1; second <= 45; ++second) {
        manual_clock::advance(1s);
        outliers.poll();
        most = std::max(most, before - out());
        before = out();
        if (second < 30) CHECK(before == 50);
    }
    CHECK(before == 0);
    // Fifty over fifteen seconds: a second's number is binomial.
    CHECK(static_cast<double>(most) <= 50.0 / 15 + weir_test::five_sigma(50, 1.0 / 15));
}
