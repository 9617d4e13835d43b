#include "weir/asio/async_drain.hpp"

#include "support/loopback.hpp"

#include <weir/select/round_robin.hpp>

#include <boost/asio.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

using namespace weir;
using namespace weir_test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

struct one_server {
    registry<std::string> servers;
    backend_id id = servers.add("a");
    round_robin<std::string> turns{servers};
    asio::io_context context;
    std::optional<drained> end;
    std::thread::id thread;
    bool thrown = false;

    void begin(std::chrono::nanoseconds patience, asio::cancellation_slot slot = {}) {
        asio::co_spawn(context, async_drain(servers, id, patience),
                       asio::bind_cancellation_slot(slot, [this](std::exception_ptr e, const drained& d) {
                           thrown = e != nullptr;
                           end = d;
                           thread = std::this_thread::get_id();
                       }));
    }
    [[nodiscard]] bool draining() const { return servers.inspect(id)->conditions.has(condition::draining); }
    void run_to_end() {
        run_until(context, [this] { return end.has_value(); });
    }
};

}  // namespace

TEST_CASE("an idle backend is drained at once", "[threads]") {
    one_server s;
    s.begin(1h);
    CHECK_FALSE(s.draining());  // it begins when it is run
    s.run_to_end();
    CHECK(s.end->how == drain_end::idle);
    CHECK(s.end->id == s.id);
    CHECK(s.draining());
    s.context.restart();
    s.context.run();  // returns: no timer is left
}

TEST_CASE("it goes on when the last lease has ended, where it was, whoever ended it", "[threads]") {
    one_server s;
    auto first = s.turns.pick(), last = s.turns.pick();
    s.begin(1h);
    run_until(s.context, [&] { return s.draining(); });
    CHECK_FALSE(s.turns.pick());
    first.complete(outcome::success);
    CHECK_FALSE(s.end);
    std::thread other{[l = std::move(last)]() mutable { l.complete(outcome::success); }};
    s.run_to_end();
    other.join();
    CHECK(s.end->how == drain_end::idle);
    CHECK(s.thread == std::this_thread::get_id());
}

TEST_CASE("a patience that is over says what is left", "[threads]") {
    one_server s;
    const auto one = s.turns.pick(), two = s.turns.pick();
    s.begin(0ns);
    s.run_to_end();
    CHECK(s.end->how == drain_end::deadline);
    CHECK(s.end->in_flight == 2);
    CHECK(s.draining());
}

TEST_CASE("the longest patience is one", "[threads]") {
    one_server s;
    auto one = s.turns.pick();
    s.begin((std::chrono::nanoseconds::max)());
    run_until(s.context, [&] { return s.draining(); });
    one.complete(outcome::success);
    s.run_to_end();
    CHECK(s.end->how == drain_end::idle);
}

TEST_CASE("a backend that is gone cannot be drained, and a negative patience is refused", "[threads]") {
    one_server s;
    s.begin(-1ns);
    s.run_to_end();
    CHECK(s.thrown);
    CHECK_FALSE(s.draining());
    s.end.reset();
    s.servers.remove(s.id);
    s.begin(1h);
    s.run_to_end();
    CHECK_FALSE(s.thrown);
    CHECK(s.end->how == drain_end::no_member);
}

TEST_CASE("a backend that is removed meanwhile is drained when its last lease has ended", "[threads]") {
    one_server s;
    auto one = s.turns.pick();
    s.begin(1h);
    run_until(s.context, [&] { return s.draining(); });
    s.servers.remove(s.id);
    one.complete(outcome::success);
    s.run_to_end();
    CHECK(s.end->how == drain_end::idle);
}

TEST_CASE("cancelled, it throws, and the backend goes on draining", "[threads]") {
    one_server s;
    asio::cancellation_signal cancel;
    const auto one = s.turns.pick();
    s.begin(1h, cancel.slot());
    run_until(s.context, [&] { return s.draining(); });
    cancel.emit(asio::cancellation_type::terminal);
    s.run_to_end();
    CHECK(s.thrown);
    CHECK(s.draining());
    s.context.restart();
    s.context.run();
}

TEST_CASE("a drain that is not over when its context goes, goes with it") {
    registry<std::string> servers;
    const auto id = servers.add("a");
    round_robin turns{servers};
    auto one = turns.pick();
    {
        asio::io_context context;
        asio::co_spawn(context, async_drain(servers, id, 1h), asio::detached);
        run_until(context, [&] { return servers.inspect(id)->conditions.has(condition::draining); });
    }
    one.complete(outcome::success);
    CHECK(servers.inspect(id)->in_flight == 0);
}
