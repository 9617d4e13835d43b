#include <weir/health/outlier_detector.hpp>

#include "catch.hpp"
#include "support/manual_clock.hpp"

#include <weir/select/consistent_hash.hpp>
#include <weir/select/least_load.hpp>
#include <weir/select/round_robin.hpp>

#include <functional>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::condition;
using weir::outcome;
using weir::outlier_options;
using weir::outlier_phase;
using weir::outlier_rule;
using weir_test::manual_clock;

namespace {

using lease = weir::lease<std::string>;

/// A pool under a detector, on a time of its own.
struct pool {
    weir::registry<std::string, manual_clock> registry;
    std::vector<weir::backend_id> ids;
    std::unique_ptr<weir::outlier_detector> outliers;
    weir::round_robin<std::string> balancer{registry};
    std::chrono::nanoseconds now = 1000s;

    explicit pool(std::size_t n, const outlier_options& o = {}) {
        for (std::size_t i = 0; i < n; ++i) ids.push_back(registry.add("b" + std::to_string(i)));
        outliers = std::make_unique<weir::outlier_detector>(registry, o);
        outliers->poll(now);
    }
    /// One lease of one backend, by excluding all others; empty where it may not be chosen.
    lease on(std::size_t i) {
        std::vector<weir::backend_id> others = ids;
        others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
        return balancer.pick({.exclude = others});
    }
    void end(std::size_t i, outcome how, int times = 1) {
        for (int k = 0; k < times; ++k) on(i).complete(how);
    }
    bool wait(std::chrono::nanoseconds time) {
        now += time;
        return outliers->poll(now);
    }
    [[nodiscard]] outlier_phase phase(std::size_t i) const { return outliers->inspect(ids[i])->phase; }
    [[nodiscard]] std::string conditions(std::size_t i) const {
        return to_string(registry.inspect(ids[i])->conditions);
    }
    /// Ejects one at once, and lets its time pass.
    void eject(std::size_t i) {
        end(i, outcome::failure, 5);
        outliers->poll(now);
        REQUIRE(phase(i) == outlier_phase::ejected);
    }
};

const outlier_options exact{.jitter = 0};  // ejection times without chance

}  // namespace

TEST_CASE("five failures in a row eject at the next poll, and a success between them does not") {
    pool p{10, exact};
    p.end(3, outcome::failure, 4);
    CHECK_FALSE(p.outliers->pending());
    p.end(3, outcome::success);
    p.end(3, outcome::failure, 4);
    CHECK_FALSE(p.outliers->poll(p.now));
    CHECK(p.conditions(3).empty());
    p.end(3, outcome::timeout);
    CHECK(p.outliers->pending());
    CHECK(p.conditions(3).empty());  // completing a lease changes no registry
    CHECK(p.outliers->poll(p.now));
    CHECK(p.conditions(3) == "ejected");
    CHECK_FALSE(p.on(3));
    const auto report = *p.outliers->inspect(p.ids[3]);
    CHECK(report.phase == outlier_phase::ejected);
    CHECK(report.cause == outlier_rule::consecutive_failures);
    CHECK(report.why.value == 5);
    CHECK(report.why.bound == 5);
    CHECK(report.left == 30s);
    CHECK(p.outliers->counts().ejected[0] == 1);
    CHECK_FALSE(p.outliers->poll(p.now));
}

TEST_CASE("each run has its own threshold, and says so") {
    struct row {
        outcome how;
        std::optional<outlier_rule> rule;
    };
    const row rows[] = {{outcome::failure, {}},
                        {outcome::timeout, outlier_rule::consecutive_gateway_failures},
                        {outcome::gateway_failure, outlier_rule::consecutive_gateway_failures},
                        {outcome::connect_failure, outlier_rule::consecutive_connect_failures},
                        {outcome::cancelled, {}},
                        {outcome::success, {}}};
    for (const row& r : rows) {
        INFO(to_string(r.how));
        pool p{10,
               {.consecutive_failures = 4u, .consecutive_gateway_failures = 3u, .consecutive_connect_failures = 2u}};
        for (int i = 0; i < 3 && p.conditions(0).empty(); ++i) {
            p.end(0, r.how);
            p.outliers->poll(p.now);
        }
        CHECK(p.outliers->inspect(p.ids[0])->cause == r.rule);
    }
}

TEST_CASE("the whole circle: ejected, half open, back, and longer each time") {
    pool p{10, exact};
    p.eject(0);
    CHECK_FALSE(p.wait(29s));
    CHECK(p.phase(0) == outlier_phase::ejected);
    CHECK(p.wait(1s));
    CHECK(p.phase(0) == outlier_phase::half_open);
    CHECK(p.conditions(0) == "half_open");

    // One lease at a time decides.
    auto trial = p.on(0);
    REQUIRE(trial);
    CHECK(p.on(0).error() == weir::pick_error::overloaded);
    trial.complete(outcome::failure);
    CHECK(p.on(0).error() == weir::pick_error::overloaded);  // closed at once, before any poll
    CHECK(p.outliers->pending());
    CHECK(p.outliers->poll(p.now));
    CHECK(p.phase(0) == outlier_phase::ejected);
    CHECK(p.conditions(0) == "ejected");
    auto report = *p.outliers->inspect(p.ids[0]);
    CHECK(report.cause == outlier_rule::trial);
    CHECK(report.why.value == 0);
    CHECK(report.why.bound == 3);
    CHECK(report.left == 60s);
    CHECK(report.in_a_row == 2);

    p.wait(60s);
    CHECK(p.phase(0) == outlier_phase::half_open);
    p.end(0, outcome::success, 2);
    CHECK_FALSE(p.outliers->pending());
    p.end(0, outcome::success);
    CHECK(p.outliers->pending());
    CHECK(p.outliers->poll(p.now));
    CHECK(p.phase(0) == outlier_phase::in_service);
    CHECK(p.conditions(0).empty());
    std::vector<lease> held;
    for (int i = 0; i < 5; ++i) {
        held.push_back(p.on(0));
        CHECK(held.back());
    }
    held.clear();

    // Each clean sweep takes one off: after two of them it starts from the beginning.
    CHECK(p.outliers->inspect(p.ids[0])->in_a_row == 2);
    p.wait(10s);
    CHECK(p.outliers->inspect(p.ids[0])->in_a_row == 1);
    p.wait(10s);
    p.eject(0);
    CHECK(p.outliers->inspect(p.ids[0])->left == 30s);
    CHECK(p.outliers->inspect(p.ids[0])->ejections == 3);
}

TEST_CASE("a trial waits for the leases from before the ejection, and does not judge by them") {
    pool p{10, exact};
    auto old = p.on(0);
    p.eject(0);
    p.wait(30s);
    CHECK(p.conditions(0) == "half_open");
    CHECK_FALSE(p.on(0));
    old.complete(outcome::timeout);
    CHECK(p.phase(0) == outlier_phase::half_open);
    CHECK(p.on(0));
    p.end(0, outcome::success, 3);
    p.outliers->poll(p.now);
    CHECK(p.phase(0) == outlier_phase::in_service);
}

TEST_CASE("a cancelled lease gives the place of the trial to the next one") {
    pool p{10, exact};
    p.eject(0);
    p.wait(30s);
    for (int i = 0; i < 20; ++i) p.end(0, outcome::cancelled);
    CHECK(p.phase(0) == outlier_phase::half_open);
    p.end(0, outcome::success, 3);
    p.outliers->poll(p.now);
    CHECK(p.phase(0) == outlier_phase::in_service);
}

TEST_CASE("without a trial an ejection ends in full service") {
    pool p{10, {.jitter = 0, .trial_requests = {}}};
    p.eject(0);
    p.wait(30s);
    CHECK(p.conditions(0).empty());
    CHECK(p.phase(0) == outlier_phase::in_service);
}

TEST_CASE("a limit of the backend's own holds beside the trial's, and stays what it was") {
    pool p{10, exact};
    p.registry.assign([&] {
        std::vector<std::pair<std::string, weir::backend_options>> list;
        for (int i = 0; i < 10; ++i) list.push_back({"b" + std::to_string(i), {.max_in_flight = 2}});
        return list;
    }());
    p.eject(0);
    p.wait(30s);
    CHECK(p.registry.inspect(p.ids[0])->max_in_flight == 2);
    {
        const auto one = p.on(0);
        CHECK(one);
        CHECK_FALSE(p.on(0));
    }
    p.end(0, outcome::success, 3);
    p.outliers->poll(p.now);
    const auto one = p.on(0), two = p.on(0);
    CHECK((one && two));
    CHECK_FALSE(p.on(0));
}

TEST_CASE("an unchanged list restarts nothing: the trial goes on") {
    pool p{10, exact};
    p.eject(0);
    p.wait(30s);
    p.end(0, outcome::success, 2);
    std::vector<std::string> same;
    for (int i = 0; i < 10; ++i) same.push_back("b" + std::to_string(i));
    CHECK(p.registry.assign(same).changed.empty());
    CHECK(p.conditions(0) == "half_open");
    p.end(0, outcome::success);
    p.outliers->poll(p.now);
    CHECK(p.phase(0) == outlier_phase::in_service);
}

TEST_CASE("circuit breaking per backend: closed, open, half open, closed, and a limit while it is closed") {
    weir::registry<std::string, manual_clock> r;
    const auto id = r.add("a", {.max_in_flight = 2});
    r.add("b");
    weir::outlier_detector breaker{r,
                                   {.consecutive_failures = 2u,
                                    .success_rate_by_sigma = {},
                                    .base_ejection_time = 5s,
                                    .max_ejection_time = 5s,
                                    .jitter = 0,
                                    .max_ejected_share = 1,
                                    .trial_requests = 1u}};
    breaker.poll(0s);
    const weir::least_connections balancer{r};
    const weir::backend_id b[] = {*r.find("b")};
    const auto on_a = [&] { return balancer.pick({.exclude = b}); };
    {
        const auto one = on_a(), two = on_a();
        CHECK(on_a().error() == weir::pick_error::overloaded);
    }
    on_a().complete(outcome::failure);
    on_a().complete(outcome::failure);
    breaker.poll(1s);
    CHECK(on_a().error() == weir::pick_error::all_excluded);  // open
    breaker.poll(6s);
    {
        const auto one = on_a();  // half open
        CHECK(one);
        CHECK(on_a().error() == weir::pick_error::overloaded);
    }
    on_a().complete(outcome::success);
    breaker.poll(7s);
    CHECK(r.inspect(id)->conditions.empty());
    CHECK(on_a());
}

TEST_CASE("success rates are judged at the sweep, every rule for itself, on all requests since the last") {
    pool p{5,
           {.consecutive_failures = {},
            .success_rate_by_median = weir::median_rule{.min_requests = 100},
            .failure_percentage = weir::percentage_rule{.threshold = 50},
            .jitter = 0}};
    for (int i = 0; i < 100; ++i)
        for (std::size_t k = 0; k < 5; ++k) p.end(k, k == 2 && i % 2 == 0 ? outcome::failure : outcome::success);
    CHECK_FALSE(p.wait(9s));
    CHECK(p.conditions(2).empty());
    CHECK(p.wait(1s));
    CHECK(p.conditions(2) == "ejected");
    const auto report = *p.outliers->inspect(p.ids[2]);
    CHECK(report.cause == outlier_rule::success_rate_by_sigma);
    CHECK(report.why.value == 50);
    CHECK(report.why.bound == Approx(52));
    for (const auto rule : {outlier_rule::success_rate_by_sigma, outlier_rule::success_rate_by_median,
                            outlier_rule::failure_percentage}) {
        INFO(to_string(rule));
        CHECK(report.verdicts[rule].judged);
        CHECK(report.verdicts[rule].outlier);
        const auto healthy = *p.outliers->inspect(p.ids[0]);
        CHECK(healthy.verdicts[rule].judged);
        CHECK_FALSE(healthy.verdicts[rule].outlier);
    }
}

TEST_CASE("cancelled leases are neither requests nor failures") {
    pool p{5, exact};
    for (int i = 0; i < 1000; ++i)
        for (std::size_t k = 0; k < 5; ++k) p.end(k, k == 0 ? outcome::cancelled : outcome::success);
    p.wait(10s);
    CHECK(p.conditions(0).empty());
    CHECK_FALSE(p.outliers->inspect(p.ids[0])->verdicts[outlier_rule::success_rate_by_sigma].judged);
}

TEST_CASE("what happened before the detector, or before an ejection, is not held against anybody") {
    weir::registry<std::string, manual_clock> r;
    std::vector<weir::backend_id> ids;
    for (int i = 0; i < 5; ++i) ids.push_back(r.add("b" + std::to_string(i)));
    const weir::round_robin balancer{r};
    const auto serve = [&](auto&& failing) {
        for (int i = 0; i < 500; ++i) {
            auto one = balancer.pick();
            const bool bad = failing(one.id());
            one.complete(bad ? outcome::failure : outcome::success);
        }
    };
    serve([&](auto id) { return id == ids[0]; });
    weir::outlier_detector outliers{r, {.consecutive_failures = {}, .base_ejection_time = 1s, .jitter = 0}};
    outliers.poll(0s);
    serve([](auto) { return false; });
    outliers.poll(10s);
    CHECK(r.inspect(ids[0])->conditions.empty());
    serve([&](auto id) { return id == ids[0]; });
    outliers.poll(20s);
    CHECK(r.inspect(ids[0])->conditions.has(condition::ejected));
    outliers.poll(21s);  // and back within the interval
    CHECK(r.inspect(ids[0])->conditions.has(condition::half_open));
    serve([](auto) { return false; });
    outliers.poll(22s);
    CHECK(r.inspect(ids[0])->conditions.empty());
    serve([](auto) { return false; });
    outliers.poll(30s);
    CHECK(r.inspect(ids[0])->conditions.empty());
}

TEST_CASE("pain 11: the cap is max(1, floor(share x n)), granted to the worst first, and refusals are counted") {
    struct row {
        std::size_t n;
        double share;
        std::size_t most;
    };
    for (const row& r :
         {row{9, 0.1, 1}, row{10, 0.1, 1}, row{20, 0.1, 2}, row{10, 0.5, 5}, row{10, 1, 9}, row{10, 0, 1}}) {
        INFO(r.n << " backends, a share of " << r.share);
        pool p{r.n, {.jitter = 0, .max_ejected_share = r.share}};
        for (std::size_t i = 0; i < r.n; ++i) p.end(i, outcome::failure, 5);
        p.outliers->poll(p.now);
        std::size_t out = 0;
        for (const auto& m : p.registry.members()) out += m.conditions.has(condition::ejected) ? 1 : 0;
        CHECK(out == r.most);
        CHECK(p.outliers->counts().ejected[0] == r.most);
        CHECK(p.outliers->counts().refused[0] == r.n - r.most);
        const auto refused = *p.outliers->inspect(p.ids.back());
        CHECK(refused.phase == outlier_phase::in_service);
        CHECK(refused.cause == outlier_rule::consecutive_failures);
        CHECK(refused.refused == 1);
    }
    pool p{10,
           {.consecutive_failures = {},
            .success_rate_by_sigma = {},
            .failure_percentage = weir::percentage_rule{.threshold = 30}}};
    for (std::size_t i = 0; i < 10; ++i) {
        p.end(i, outcome::failure, 40 + (i == 7 ? 10 : 0));
        p.end(i, outcome::success, 60 - (i == 7 ? 10 : 0));
    }
    p.wait(10s);
    CHECK(p.conditions(7) == "ejected");
    CHECK(p.outliers->counts().ejected[static_cast<std::size_t>(outlier_rule::failure_percentage)] == 1);
}

TEST_CASE("one that was refused is ejected at the first sweep that has room") {
    pool p{10, exact};
    p.eject(0);
    p.end(1, outcome::failure, 5);
    p.outliers->poll(p.now);
    CHECK(p.conditions(1).empty());
    p.wait(30s);
    p.end(0, outcome::success, 3);
    p.wait(1s);
    CHECK(p.phase(0) == outlier_phase::in_service);
    p.wait(9s);
    CHECK(p.conditions(1) == "ejected");
}

TEST_CASE("the last one that is neither out nor on trial is never ejected") {
    pool p{3, {.jitter = 0, .max_ejected_share = 1}};
    p.registry.set(p.ids[2], condition::draining);
    p.eject(0);
    p.end(1, outcome::failure, 50);
    p.outliers->poll(p.now);
    CHECK(p.conditions(1).empty());
    CHECK(p.outliers->counts().refused[0] == 1);
    // Nor while the other one is half open: it could not take over.
    p.wait(30s);
    CHECK(p.conditions(0) == "half_open");
    p.end(1, outcome::failure, 50);
    p.wait(10s);
    CHECK(p.conditions(1).empty());
    // A group of one is not disabled at all.
    pool alone{1, {.max_ejected_share = 1}};
    alone.end(0, outcome::failure, 500);
    alone.wait(10s);
    CHECK(alone.conditions(0).empty());
}

TEST_CASE("when the others go out of service or leave, ejections end that are too many") {
    pool p{20, exact};
    p.eject(0);
    p.wait(1s);
    p.eject(1);
    for (std::size_t i = 10; i < 20; ++i) p.registry.remove(p.ids[i]);
    CHECK_FALSE(p.wait(1s));
    p.wait(8s);  // the sweep: now one may be out, and the first has been for longest
    CHECK(p.conditions(0) == "half_open");
    CHECK(p.conditions(1) == "ejected");

    pool q{3, exact};
    q.eject(0);
    q.registry.set(q.ids[1], condition::failed_check);
    q.registry.set(q.ids[2], condition::disabled);
    CHECK(q.balancer.pick().error() == weir::pick_error::none_eligible);
    q.wait(10s);
    CHECK(q.conditions(0).empty());  // not half open: there is nobody else
    CHECK(q.phase(0) == outlier_phase::in_service);

    // Nor does one stay half open when it is alone.
    pool s{3, exact};
    s.eject(0);
    s.wait(30s);
    CHECK(s.conditions(0) == "half_open");
    s.registry.set(s.ids[1], condition::failed_check);
    s.registry.set(s.ids[2], condition::failed_check);
    s.wait(10s);
    CHECK(s.conditions(0).empty());
}

TEST_CASE("a failed trial that cannot be ejected again: alone it serves, else it is tried again") {
    pool p{2, {.jitter = 0, .max_ejected_share = 0.5}};
    p.eject(0);
    p.wait(30s);
    CHECK(p.conditions(0) == "half_open");
    auto trial = p.on(0);
    p.registry.set(p.ids[1], condition::disabled);
    trial.complete(outcome::failure);
    p.outliers->poll(p.now);
    CHECK(p.conditions(0).empty());
    CHECK(p.phase(0) == outlier_phase::in_service);

    // Ejections by others use up the cap meanwhile.
    pool q{10, exact};
    q.eject(0);
    q.wait(30s);
    q.registry.set(q.ids[5], condition::ejected);
    q.end(0, outcome::failure);
    q.outliers->poll(q.now);
    CHECK(q.conditions(0) == "half_open");
    CHECK(q.outliers->inspect(q.ids[0])->refused == 1);
    q.end(0, outcome::success, 3);
    q.outliers->poll(q.now);
    CHECK(q.conditions(0).empty());
}

TEST_CASE("one that is out for another cause is not ejected, and starts afresh when it returns") {
    pool p{10, exact};
    p.end(0, outcome::failure, 4);
    auto open = p.on(0);
    p.registry.set(p.ids[0], condition::failed_check);
    open.complete(outcome::failure);
    CHECK(p.outliers->pending());
    CHECK_FALSE(p.outliers->poll(p.now));
    CHECK(p.conditions(0) == "failed_check");
    p.registry.clear(p.ids[0], condition::failed_check);
    p.wait(10s);
    CHECK(p.conditions(0).empty());  // an hour of repair would count for nothing otherwise
    p.end(0, outcome::failure, 4);
    p.outliers->poll(p.now);
    CHECK(p.conditions(0).empty());
    p.end(0, outcome::failure);
    p.outliers->poll(p.now);
    CHECK(p.conditions(0) == "ejected");
}

TEST_CASE("pain 11: a passing check does not undo an ejection, nor an ejection's end a failed check") {
    pool p{10, exact};
    p.eject(0);
    p.registry.set(p.ids[0], condition::failed_check);
    p.registry.clear(p.ids[0], condition::failed_check);  // the check passes
    CHECK(p.conditions(0) == "ejected");
    p.registry.set(p.ids[0], condition::failed_check);
    p.wait(30s);
    CHECK(p.conditions(0) == "failed_check,half_open");
    CHECK_FALSE(p.on(0));
    p.registry.clear(p.ids[0], condition::failed_check);
    CHECK(p.on(0));
}

TEST_CASE("interplay: a detector sets and clears ejected and half_open, and no other condition of anybody") {
    for (unsigned bit = 0; bit < 14; ++bit) {
        const auto other = static_cast<condition>(1u << bit);
        if (other == condition::ejected) continue;
        INFO(to_string(other));
        pool p{10, exact};
        auto open = p.on(0);
        p.registry.set(p.ids[0], other);
        p.registry.set(p.ids[1], other);
        const auto others_stay = [&] {
            for (std::size_t i = 0; i < 10; ++i) CHECK(p.registry.inspect(p.ids[i])->conditions.has(other) == (i < 2));
        };
        open.complete(outcome::failure);
        p.outliers->poll(p.now);
        p.registry.clear(p.ids[0], other);
        p.eject(0);
        p.registry.set(p.ids[0], other);
        others_stay();
        p.wait(30s);
        CHECK(p.registry.inspect(p.ids[0])->conditions == (other | condition::half_open));
        p.wait(30s);
        CHECK(p.registry.inspect(p.ids[0])->conditions == (other | condition::half_open));
        p.registry.clear(p.ids[0], other);
        p.end(0, outcome::success, 3);
        p.registry.set(p.ids[0], other);
        p.outliers->poll(p.now);
        CHECK(p.registry.inspect(p.ids[0])->conditions == other);
        others_stay();
    }
}

TEST_CASE("in panic ejections are ignored, trials are not, and the detector goes on") {
    pool p{4, {.jitter = 0, .max_ejected_share = 1}};
    p.registry.set_panic({.threshold_percent = 50});
    for (std::size_t i = 0; i < 3; ++i) p.eject(i);
    REQUIRE(p.registry.in_panic());
    CHECK(p.on(0).reason() == weir::pick_reason::panic);
    p.end(0, outcome::failure, 20);
    p.outliers->poll(p.now);
    CHECK(p.conditions(0) == "ejected");
    CHECK(p.outliers->inspect(p.ids[0])->ejections == 1);
    p.wait(30s);
    CHECK_FALSE(p.registry.in_panic());
    CHECK(p.conditions(0) == "half_open");
    const auto one = p.on(0);
    CHECK(one);
    CHECK_FALSE(p.on(0));
}

TEST_CASE("pain 11: two detectors do not disturb each other's counts") {
    weir::registry<std::string, manual_clock> r;
    std::vector<weir::backend_id> ids;
    for (int i = 0; i < 5; ++i) ids.push_back(r.add("b" + std::to_string(i)));
    // The first sweeps twice as often, and looks at percentages nobody reaches.
    weir::outlier_detector often{r,
                                 {.consecutive_failures = 1000u,
                                  .success_rate_by_sigma = {},
                                  .failure_percentage = weir::percentage_rule{.threshold = 100},
                                  .interval = 5s}};
    weir::outlier_detector runs{r, {.consecutive_failures = 5u, .success_rate_by_sigma = {}}};
    weir::outlier_detector rates{r, {.consecutive_failures = {}, .condition = condition::user_1}};
    const weir::round_robin balancer{r};
    std::chrono::nanoseconds now = 0s;
    const auto poll = [&] {
        often.poll(now);
        runs.poll(now);
        rates.poll(now);
    };
    poll();
    for (int second = 1; second <= 10; ++second) {
        for (int i = 0; i < 60; ++i) {
            auto one = balancer.pick();
            const bool bad = one.id() == ids[0] && i % 2 == 0;  // 60 of 120: neither would see enough alone
            one.complete(bad ? outcome::failure : outcome::success);
        }
        now += 1s;
        poll();
    }
    CHECK(to_string(r.inspect(ids[0])->conditions) == "user_1");
    CHECK(often.inspect(ids[0])->verdicts[outlier_rule::failure_percentage].judged);
    for (int i = 0; i < 100; ++i) {
        auto one = balancer.pick();
        const bool bad = one.id() == ids[1];
        one.complete(bad ? outcome::failure : outcome::success);
    }
    poll();
    CHECK(to_string(r.inspect(ids[1])->conditions) == "ejected");
    CHECK(runs.inspect(ids[1])->cause == outlier_rule::consecutive_failures);
    CHECK(often.inspect(ids[1])->phase == outlier_phase::in_service);
}

TEST_CASE("detectors that share a condition share the cap, and neither ends what the other began") {
    weir::registry<std::string, manual_clock> r;
    std::vector<weir::backend_id> ids;
    for (int i = 0; i < 20; ++i) ids.push_back(r.add("b" + std::to_string(i)));
    outlier_options quick{.jitter = 0}, slow{.base_ejection_time = 100s, .jitter = 0};
    weir::outlier_detector one{r, quick}, other{r, slow};
    one.poll(0s);
    other.poll(0s);
    const weir::round_robin balancer{r};
    const auto fail = [&](std::initializer_list<std::size_t> which) {
        for (int i = 0; i < 200; ++i) {
            auto l = balancer.pick();
            const bool bad = std::any_of(which.begin(), which.end(), [&](auto k) { return ids[k] == l.id(); });
            l.complete(bad ? outcome::failure : outcome::success);
        }
    };
    fail({0});
    one.poll(1s);
    other.poll(1s);
    fail({1});
    other.poll(2s);
    one.poll(2s);
    fail({2});
    one.poll(3s);
    other.poll(3s);
    CHECK(r.inspect(ids[0])->conditions.has(condition::ejected));
    CHECK(r.inspect(ids[1])->conditions.has(condition::ejected));
    CHECK_FALSE(r.inspect(ids[2])->conditions.has(condition::ejected));  // 10 % of 20 are out
    one.poll(40s);
    CHECK(r.inspect(ids[0])->conditions.has(condition::half_open));
    CHECK(r.inspect(ids[1])->conditions.has(condition::ejected));
    other.poll(110s);
    CHECK(r.inspect(ids[1])->conditions.has(condition::half_open));
    CHECK(r.inspect(ids[0])->conditions.has(condition::half_open));
}

TEST_CASE("hardening 14: a backend that fails for ever is ejected again every cycle, 1,000 cycles, 1 request each") {
    pool p{10, exact};
    p.eject(0);
    std::uint64_t failed = 5, served = 0;
    for (int cycle = 1; cycle <= 1000; ++cycle) {
        const auto left = p.outliers->inspect(p.ids[0])->left;
        CHECK(left == std::min<std::chrono::nanoseconds>(30s * cycle, 300s));
        p.wait(left);
        REQUIRE(p.phase(0) == outlier_phase::half_open);
        for (int i = 0; i < 100; ++i) {  // whatever comes until the poll
            auto one = p.balancer.pick();
            const bool bad = one.id() == p.ids[0];
            (bad ? failed : served) += 1;
            one.complete(bad ? outcome::failure : outcome::success);
        }
        p.outliers->poll(p.now);
        REQUIRE(p.phase(0) == outlier_phase::ejected);
    }
    CHECK(failed == 5 + 1000);
    CHECK(p.outliers->inspect(p.ids[0])->ejections == 1001);
}

TEST_CASE("hardening 14: a probe that passes beside traffic that fails: the share of errors stays bounded") {
    pool p{10, exact};
    std::uint64_t failed = 0, requests = 0;
    for (int tick = 0; tick < 3600; ++tick) {
        // Once a second: the check passes, 20 requests come, the detector is polled.
        p.registry.clear(p.ids[0], condition::failed_check);
        for (int i = 0; i < 20; ++i) {
            auto one = p.balancer.pick();
            const bool bad = one.id() == p.ids[0];
            failed += bad ? 1 : 0;
            ++requests;
            one.complete(bad ? outcome::failure : outcome::success);
        }
        p.wait(1s);
    }
    // 5 failures to begin with, and one for each trial: 30 s, 60 s, ... 300 s apart.
    const auto trials = p.outliers->inspect(p.ids[0])->ejections - 1;
    CHECK(failed <= 5 + trials + 2);  // those that came in the second of the first ejection
    CHECK(trials <= 3600 / 300 + 10);
    CHECK(static_cast<double>(failed) / static_cast<double>(requests) < 0.001);
}

TEST_CASE("pain 14, hardening 13: a backend that fails at once is out of service after its fifth failure") {
    weir::registry<std::string, manual_clock> r;
    std::vector<weir::backend_id> ids;
    for (int i = 0; i < 10; ++i) ids.push_back(r.add("b" + std::to_string(i)));
    bool woken = false;
    weir::outlier_detector outliers{r, {.on_pending = [&] { woken = true; }}};
    outliers.poll(0s);
    const weir::least_connections balancer{r, {.seed = 1}};
    int failed = 0;
    for (int i = 0; i < 1000; ++i) {
        auto one = balancer.pick();
        failed += one.id() == ids[0] ? 1 : 0;
        one.complete(one.id() == ids[0] ? outcome::failure : outcome::success);
        if (std::exchange(woken, false)) outliers.poll(1s);
    }
    CHECK(failed == 5);
}

TEST_CASE("the clock may step back or jump: ejections last as long as time goes on") {
    pool p{10, exact};
    p.eject(0);
    p.wait(10s);
    p.now -= 3600s;
    p.outliers->poll(p.now);
    CHECK(p.phase(0) == outlier_phase::ejected);
    CHECK(p.outliers->inspect(p.ids[0])->left == 20s);
    CHECK_FALSE(p.wait(19s));
    CHECK(p.wait(1s));
    CHECK(p.phase(0) == outlier_phase::half_open);
    p.end(0, outcome::failure);
    p.outliers->poll(p.now);
    CHECK(p.outliers->inspect(p.ids[0])->left == 60s);
    p.wait(3600s * 24 * 365);  // the trial decides, whatever the clock did
    CHECK(p.phase(0) == outlier_phase::half_open);
    p.now = (std::chrono::nanoseconds::max)();
    p.outliers->poll(p.now);
    p.now = (std::chrono::nanoseconds::min)();
    p.outliers->poll(p.now);
    CHECK(p.phase(0) == outlier_phase::half_open);
    p.end(0, outcome::failure);
    p.outliers->poll(p.now);
    CHECK(p.phase(0) == outlier_phase::ejected);
}

TEST_CASE("due says when a poll has something to do, and until then it does nothing") {
    pool p{10, exact};
    CHECK(p.outliers->due() == p.now + 10s);
    p.wait(4s);
    p.eject(0);
    CHECK(p.outliers->due() == p.now + 6s);
    p.wait(6s);
    p.wait(10s);
    CHECK(p.outliers->due() == p.now + 10s);
    p.wait(10s);
    CHECK(p.outliers->due() == p.now + 4s);  // the end of the ejection
    const auto version = p.registry.hub()->seen()->version();
    for (int i = 0; i < 100; ++i) CHECK_FALSE(p.outliers->poll(p.now));
    CHECK(p.registry.hub()->seen()->version() == version);
}

TEST_CASE("a healthy pool is swept without a single publication") {
    pool p{10, exact};
    const auto version = p.registry.hub()->seen()->version();
    for (int sweep = 0; sweep < 50; ++sweep) {
        for (std::size_t i = 0; i < 10; ++i) p.end(i, outcome::success, 20);
        p.wait(10s);
    }
    CHECK(p.registry.hub()->seen()->version() == version);
}

TEST_CASE("jitter spreads the returns of backends that went together") {
    pool p{100, {.jitter = 0.5, .max_ejected_share = 0.5, .seed = 7}};
    for (std::size_t i = 0; i < 50; ++i) p.end(i, outcome::failure, 5);
    p.outliers->poll(p.now);
    std::vector<std::chrono::nanoseconds> left;
    for (std::size_t i = 0; i < 50; ++i) {
        left.push_back(p.outliers->inspect(p.ids[i])->left);
        CHECK(left.back() >= 30s);
        CHECK(left.back() < 45s);
    }
    std::sort(left.begin(), left.end());
    CHECK(std::adjacent_find(left.begin(), left.end()) == left.end());
    // Uniform over 15 s: the lowest and highest of 50 leave a tenth open at either end with probability 0.9^50 = 0.5 %.
    CHECK(left.front() < 31500ms);
    CHECK(left.back() > 43500ms);
    // The same seed gives the same times.
    pool q{100, {.jitter = 0.5, .max_ejected_share = 0.5, .seed = 7}};
    q.eject(0);
    pool s{100, {.jitter = 0.5, .max_ejected_share = 0.5, .seed = 7}};
    s.eject(0);
    CHECK(q.outliers->inspect(q.ids[0])->left == s.outliers->inspect(s.ids[0])->left);
}

TEST_CASE(
    "hardening 2, hardening 3: a backend that is gone, and one of the same name, have nothing to do with each other") {
    pool p{10, exact};
    auto old = p.on(0);
    p.end(0, outcome::failure, 4);
    p.registry.remove(p.ids[0]);
    const auto before = p.ids[0];
    p.ids[0] = p.registry.add("b0");
    old.complete(outcome::failure);  // the fifth, of the instance that is gone
    p.outliers->poll(p.now);
    CHECK(p.conditions(0).empty());
    CHECK_FALSE(p.outliers->inspect(before));
    CHECK(p.outliers->inspect(p.ids[0])->ejections == 0);

    p.eject(0);
    p.registry.remove(p.ids[0]);
    p.ids[0] = p.registry.add("b0");
    p.wait(30s);
    CHECK(p.conditions(0).empty());
    CHECK(p.phase(0) == outlier_phase::in_service);
    // Removed while it is half open, and while a request is under way that the poll knows of.
    p.wait(100s);
    p.eject(0);
    p.wait(30s);
    auto trial = p.on(0);
    p.registry.remove(p.ids[0]);
    trial.complete(outcome::failure);
    CHECK_FALSE(p.outliers->poll(p.now));
    CHECK_FALSE(p.outliers->inspect(p.ids[0]));
}

TEST_CASE("an operator may end an ejection or a trial, and the detector takes note") {
    pool p{10, exact};
    p.eject(0);
    p.registry.clear(p.ids[0], condition::ejected);
    p.wait(1s);
    p.wait(9s);
    CHECK(p.phase(0) == outlier_phase::in_service);
    CHECK(p.conditions(0).empty());
    p.wait(100s);
    p.eject(0);
    p.wait(30s);
    p.registry.clear(p.ids[0], condition::half_open);
    const auto one = p.on(0), two = p.on(0);
    CHECK((one && two));
    p.wait(10s);
    CHECK(p.phase(0) == outlier_phase::in_service);
    // And one that an operator began is his to end.
    p.registry.set(p.ids[1], condition::ejected);
    p.wait(3600s);
    CHECK(p.conditions(1) == "ejected");
}

TEST_CASE("a detector that goes takes its ejections along, and calls nobody any more") {
    pool p{20, exact};
    int calls = 0;
    {
        weir::outlier_detector other{
            p.registry,
            {.consecutive_failures = 3u, .max_ejected_share = 0.5, .condition = condition::user_2, .on_pending = [&] {
                 ++calls;
             }}};
        other.poll(0s);
        p.end(0, outcome::failure, 3);
        p.end(1, outcome::failure, 3);
        other.poll(1s);
        other.poll(40s);
        CHECK(p.conditions(0) == "half_open");
        p.end(2, outcome::failure, 3);
        other.poll(41s);
        CHECK(p.conditions(2) == "user_2");
    }
    CHECK(p.conditions(0).empty());
    CHECK(p.conditions(1).empty());
    CHECK(p.conditions(2).empty());
    const int until_then = calls;
    p.end(3, outcome::failure, 20);
    CHECK(calls == until_then);
}

TEST_CASE("a detector may outlive its registry, and be destroyed in any order") {
    auto r = std::make_unique<weir::registry<std::string, manual_clock>>();
    const auto id = r->add("a");
    r->add("b");
    const weir::round_robin balancer{*r};
    weir::outlier_detector outliers{*r, exact};
    outliers.poll(0s);
    while (!outliers.pending()) {
        auto one = balancer.pick();
        one.complete(one.id() == id ? outcome::failure : outcome::success);
    }
    outliers.poll(1s);
    CHECK(r->inspect(id)->conditions.has(condition::ejected));
    auto held = balancer.pick();
    r.reset();
    CHECK_FALSE(outliers.poll(100s));
    CHECK(outliers.reports().empty());
    held.complete(outcome::failure);
    CHECK_FALSE(outliers.poll(200s));
}

TEST_CASE("an observer may ask and poll the detector that made the change") {
    pool p{10, exact};
    int seen = 0;
    const auto watching = p.registry.observe([&](const weir::change_event& e) {
        ++seen;
        CHECK(e.after.has(condition::ejected));
        CHECK(p.outliers->reports().size() == 10);
        CHECK_FALSE(p.outliers->poll(p.now));
        p.registry.set(e.id, condition::disabled);
    });
    p.end(0, outcome::failure, 5);
    p.outliers->poll(p.now);
    CHECK(seen == 2);
    CHECK(p.conditions(0) == "ejected,disabled");
    CHECK_FALSE(p.outliers->poll(p.now));
}

TEST_CASE("a poll inside an update is refused in words, and the next one does the work") {
    pool p{10, exact};
    p.end(0, outcome::failure, 5);
    p.registry.update([&](auto&) { CHECK_THROWS_AS(p.outliers->poll(p.now), std::logic_error); });
    CHECK(p.outliers->pending());
    CHECK(p.conditions(0).empty());
    p.wait(10s);
    CHECK(p.conditions(0) == "ejected");
}

TEST_CASE("keyed traffic goes elsewhere during the ejection, and comes home by way of the trial") {
    weir::registry<std::string, manual_clock> r;
    for (int i = 0; i < 10; ++i) r.add("b" + std::to_string(i));
    const weir::ring_hash balancer{r};
    weir::outlier_detector outliers{r, exact};
    outliers.poll(0s);
    const auto home = balancer.pick({.key = 42}).id();
    for (int i = 0; i < 5; ++i) balancer.pick({.key = 42}).complete(outcome::failure);
    outliers.poll(1s);
    CHECK(balancer.pick({.key = 42}).reason() == weir::pick_reason::rerouted);
    outliers.poll(31s);
    auto trial = balancer.pick({.key = 42});
    CHECK(trial.id() == home);
    CHECK(balancer.pick({.key = 42}).id() != home);  // one at a time
    trial.complete(outcome::success);
    for (int i = 0; i < 2; ++i) balancer.pick({.key = 42}).complete(outcome::success);
    outliers.poll(32s);
    const auto one = balancer.pick({.key = 42}), two = balancer.pick({.key = 42});
    CHECK(one.id() == home);
    CHECK(two.id() == home);
}
