#include <weir/health/drain_wait.hpp>

#include "catch.hpp"

#include <weir/select/round_robin.hpp>

#include <coroutine>
#include <exception>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using weir::condition;
using weir::drain_end;
using weir::drained;

namespace {

using registry = weir::registry<std::string>;

/// The simplest of coroutines: runs when it is called, and goes when it is done.
struct task {
    struct promise_type {
        task get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
};

task drain_then_remove(registry& r, weir::drainer& drains, weir::backend_id id, std::vector<drained>& ends) {
    const drained end = co_await weir::until_drained(drains, id, 10s);
    if (end.how == drain_end::idle) r.remove(id);
    ends.push_back(end);
}

}  // namespace

TEST_CASE("a thread may wait until a backend is idle", "[threads]") {
    registry r;
    const auto id = r.add("a");
    const weir::round_robin turns{r};
    auto lease = turns.pick();
    std::promise<void> begun;
    const auto watching = r.observe([&](const weir::change_event& e) {
        if (e.after.has(condition::draining)) begun.set_value();
    });
    auto waiting = std::async(std::launch::async, [&] { return weir::drain_and_wait(r, id, 24h); });
    begun.get_future().wait();
    lease.complete(weir::outcome::success);
    CHECK(waiting.get().how == drain_end::idle);
    CHECK(r.inspect(id)->conditions == condition::draining);
}

TEST_CASE("waiting for an idle backend takes no time, one that is gone cannot be waited for, and patience ends") {
    registry r;
    const auto idle = r.add("idle"), busy = r.add("busy");
    const weir::round_robin turns{r};
    CHECK(weir::drain_and_wait(r, idle, 24h).how == drain_end::idle);
    CHECK(weir::drain_and_wait(r, idle, (std::chrono::nanoseconds::max)()).how == drain_end::idle);
    CHECK(weir::drain_and_wait(r, {}, 24h).how == drain_end::no_member);
    const auto one = turns.pick(), two = turns.pick();
    const auto end = weir::drain_and_wait(r, busy, 1ms);
    CHECK(end.how == drain_end::deadline);
    CHECK(end.in_flight == 2);
    CHECK(end.id == busy);
    CHECK(weir::drain_and_wait(r, busy, 0s).how == drain_end::deadline);
    CHECK_THROWS_AS(weir::drain_and_wait(r, busy, -1s), std::invalid_argument);
}

TEST_CASE("a coroutine may wait, and goes on where the last lease ended", "[threads]") {
    registry r;
    const auto id = r.add("a");
    const weir::round_robin turns{r};
    weir::drainer drains{r};
    std::vector<drained> ends;
    auto lease = turns.pick();
    drain_then_remove(r, drains, id, ends);
    CHECK(ends.empty());
    std::thread{[&] { lease.complete(weir::outcome::success); }}.join();
    REQUIRE(ends.size() == 1);
    CHECK(ends[0].how == drain_end::idle);
    CHECK(r.size() == 0);
}

TEST_CASE(
    "a coroutine goes on at once when the backend is idle or gone, at the deadline, or when the drain is cancelled") {
    registry r;
    const auto id = r.add("a");
    weir::drainer drains{r};
    std::vector<drained> ends;
    drain_then_remove(r, drains, id, ends);
    REQUIRE(ends.size() == 1);
    CHECK(ends[0].how == drain_end::idle);
    drain_then_remove(r, drains, id, ends);
    REQUIRE(ends.size() == 2);
    CHECK(ends[1].how == drain_end::no_member);
    CHECK(ends[1].id == id);

    const auto busy = r.add("busy");
    const weir::round_robin turns{r};
    const auto lease = turns.pick();
    drain_then_remove(r, drains, busy, ends);
    drains.due(9s);
    CHECK(ends.size() == 2);
    drains.due(10s);
    REQUIRE(ends.size() == 3);
    CHECK(ends[2].how == drain_end::deadline);
    CHECK(ends[2].in_flight == 1);
    drain_then_remove(r, drains, busy, ends);
    drains.cancel(busy);
    REQUIRE(ends.size() == 4);
    CHECK(ends[3].how == drain_end::cancelled);
    {
        weir::drainer brief{r};
        drain_then_remove(r, brief, busy, ends);
    }
    REQUIRE(ends.size() == 5);
    CHECK(ends[4].how == drain_end::cancelled);
}

TEST_CASE("a coroutine that begins to wait while the last lease ends in another thread goes on once", "[threads]") {
    for (int i = 0; i < 300; ++i) {
        registry r;
        const auto id = r.add("a");
        const weir::round_robin turns{r};
        weir::drainer drains{r};
        std::vector<drained> ends;
        auto lease = turns.pick();
        std::atomic<bool> go{false};
        std::thread other{[&] {
            while (!go) std::this_thread::yield();
            lease.complete(weir::outcome::success);
        }};
        go = true;
        drain_then_remove(r, drains, id, ends);
        other.join();
        drains.due(0s);  // the lease may have ended just when the drain began
        REQUIRE(ends.size() == 1);
        CHECK(ends[0].how == drain_end::idle);
    }
}
