#include <weir/health/failure_runs.hpp>

#include "catch.hpp"

#include <string>
#include <thread>
#include <vector>

using weir::failure_runs;
using weir::outcome;
using trial = weir::failure_runs::trial;

namespace {

/// The metric of one backend, fed by hand.
struct bench {
    int calls = 0;
    std::shared_ptr<failure_runs::alarm> alarm;
    failure_runs metric;
    failure_runs::pool pool;
    failure_runs::state state;
    std::atomic<std::uint32_t> limit{1};

    explicit bench(weir::outlier_options o)
        : alarm{(o.on_pending = [this] { ++calls; }, std::make_shared<failure_runs::alarm>(o))}, metric{alarm} {}
    void end(outcome how) { metric.on_end(pool, state, how, {}, {}); }
    [[nodiscard]] std::string runs() const {
        std::string text;
        for (const auto& run : state.runs) text += std::to_string(run.load()) + ' ';
        return text;
    }
};

}  // namespace

TEST_CASE("each outcome lengthens the runs of its kind and ends the others") {
    struct row {
        outcome how;
        std::string runs;  // failures, gateway failures, connect failures
    };
    const row rows[] = {{outcome::failure, "1 0 0 "},          {outcome::failure, "2 0 0 "},
                        {outcome::timeout, "3 1 0 "},          {outcome::gateway_failure, "4 2 0 "},
                        {outcome::connect_failure, "5 3 1 "},  {outcome::connect_failure, "6 4 2 "},
                        {outcome::cancelled, "6 4 2 "},        {outcome::timeout, "7 5 0 "},
                        {outcome::connect_failure, "8 6 1 "},  {outcome::failure, "9 0 0 "},
                        {outcome::connect_failure, "10 1 1 "}, {outcome::success, "0 0 0 "},
                        {outcome::cancelled, "0 0 0 "},        {outcome::success, "0 0 0 "},
                        {outcome::gateway_failure, "1 1 0 "}};
    bench b{{}};
    int at = 0;
    for (const row& r : rows) {
        INFO("row " << at++);
        b.end(r.how);
        CHECK(b.runs() == r.runs);
    }
}

TEST_CASE("a threshold is reached exactly, once each time, by its own kind alone") {
    bench b{{.consecutive_failures = 3u, .consecutive_gateway_failures = 2u, .consecutive_connect_failures = 2u}};
    b.end(outcome::failure);
    b.end(outcome::failure);
    CHECK_FALSE(b.alarm->pending);
    b.end(outcome::failure);
    CHECK(b.alarm->pending);
    CHECK(b.state.reached == 1);
    CHECK(b.calls == 1);
    b.end(outcome::failure);
    b.end(outcome::failure);
    b.end(outcome::failure);  // the double: raised again, but it is still pending
    CHECK(b.calls == 1);
    b.alarm->pending = false;
    b.end(outcome::timeout);
    CHECK_FALSE(b.alarm->pending);
    b.end(outcome::timeout);
    CHECK(b.alarm->pending);
    CHECK(b.calls == 2);
    CHECK(b.state.reached == 3);
    b.end(outcome::success);
    CHECK(b.state.reached == 3);  // what was reached was reached
    b.metric.join(b.pool, b.state);
    CHECK(b.state.reached == 0);
    CHECK(b.runs() == "0 0 0 ");
}

TEST_CASE("a rule that is off never raises the alarm") {
    bench b{{.consecutive_failures = {}}};
    for (int i = 0; i < 1000; ++i) b.end(outcome::connect_failure);
    CHECK_FALSE(b.alarm->pending);
    CHECK(b.state.reached == 0);
    CHECK(b.runs() == "1000 1000 1000 ");
}

TEST_CASE("becoming eligible starts all runs at 0") {
    bench b{{}};
    for (int i = 0; i < 4; ++i) b.end(outcome::connect_failure);
    b.metric.leave(b.pool, b.state);
    CHECK(b.runs() == "4 4 4 ");
    b.metric.join(b.pool, b.state);
    CHECK(b.runs() == "0 0 0 ");
}

TEST_CASE("a trial: every transition") {
    enum event { start, success, failure, cancelled };
    struct row {
        std::vector<event> events;
        trial then;
        std::uint32_t limit;
        bool pending;
    };
    // Armed for two requests.
    const row rows[] = {
        {{}, trial::armed, 1, false},
        {{success}, trial::armed, 1, false},  // of a lease from before: nobody has started since
        {{failure}, trial::armed, 1, false},
        {{start}, trial::running, 1, false},
        {{start, cancelled}, trial::running, 1, false},
        {{start, success}, trial::running, 1, false},
        {{start, success, start, success}, trial::passed, 1, true},
        {{start, success, start, cancelled, start, success}, trial::passed, 1, true},
        {{start, failure}, trial::failed, 0, true},
        {{start, success, start, failure}, trial::failed, 0, true},
        {{failure, failure, start, success, start, success}, trial::passed, 1, true},
        {{start, success, start, success, start, failure}, trial::passed, 1, true},  // decided is decided
        {{start, failure, success, success, success}, trial::failed, 0, true},
    };
    int at = 0;
    for (const row& r : rows) {
        INFO("row " << at++);
        bench b{{}};
        failure_runs::trial_start(b.state, b.limit, 2);
        for (const event e : r.events) {
            if (e == start) b.metric.on_start(b.pool, b.state);
            if (e == success) b.end(outcome::success);
            if (e == failure) b.end(outcome::timeout);
            if (e == cancelled) b.end(outcome::cancelled);
        }
        CHECK(b.state.trial == r.then);
        CHECK(b.limit == r.limit);
        CHECK(b.alarm->pending == r.pending);
        CHECK(failure_runs::trial_end(b.state));
        CHECK_FALSE(failure_runs::trial_end(b.state));
        // The next one starts afresh.
        failure_runs::trial_start(b.state, b.limit, 1);
        CHECK(b.limit == 1);
        b.metric.on_start(b.pool, b.state);
        b.end(outcome::success);
        CHECK(b.state.trial == trial::passed);
    }
}

TEST_CASE("failures of two threads at once are all counted, and the alarm is raised", "[threads]") {
    bench b{{.consecutive_failures = 1000u}};
    const auto fail = [&] {
        for (int i = 0; i < 500; ++i) b.end(outcome::failure);
    };
    std::thread other{fail};
    fail();
    other.join();
    CHECK(b.runs() == "1000 0 0 ");
    CHECK(b.alarm->pending);
    CHECK(b.calls == 1);
}

TEST_CASE("two detectors never share a metric") {
    const auto one = std::make_shared<failure_runs::alarm>(weir::outlier_options{});
    const auto other = std::make_shared<failure_runs::alarm>(weir::outlier_options{});
    CHECK(failure_runs{one} == failure_runs{one});
    CHECK_FALSE(failure_runs{one} == failure_runs{other});
}
