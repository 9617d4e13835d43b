#include "weir/asio/probe_runner.hpp"

#include "support/loopback.hpp"
#include "support/manual_clock.hpp"

#include <weir/asio/http_probe.hpp>
#include <weir/asio/tcp_probe.hpp>

#include <atomic>
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

namespace {

struct server {
    std::string name;
    tcp::endpoint at;
};
std::string identity(const server& s) { return s.name; }
std::vector<tcp::endpoint> endpoints_of(const server& s) { return {s.at}; }

using server_registry = weir::registry<server, manual_clock>;
constexpr check_options steps{.interval = 2s, .timeout = 1s, .rise = 2, .fall = 2, .jitter = 0};

/// A registry whose clock stands, and one who checks it; the runner is the test's.
struct pool {
    explicit pool(const check_options& o = steps) : checker{servers, o, 1} { manual_clock::set(1h); }

    backend_id add(const std::string& name, tcp::endpoint at) { return servers.add({name, at}); }
    [[nodiscard]] bool out(backend_id id) const {
        return servers.inspect(id).value().conditions.has(condition::failed_check);
    }
    [[nodiscard]] std::uint64_t results(backend_id id) const {
        const auto s = checker.status(id);
        return s ? s->passed + s->failed + s->timed_out : 0;
    }
    [[nodiscard]] bool all_have(std::uint64_t n) const {
        for (const auto& m : servers.members())
            if (!checker.status(m.id) || results(m.id) < n) return false;
        return true;
    }
    /// Moves the clock when all who have joined are seen and no probe is out; runs until every backend has `n` results.
    void go(probe_runner& runner, std::chrono::nanoseconds by, std::uint64_t n) {
        runner.wake();
        run_until(context, [&] { return all_have(0) && runner.probing() == 0; });
        manual_clock::advance(by);
        runner.wake();
        run_until(context, [&] { return all_have(n) && runner.probing() == 0; });
    }

    asio::io_context context;
    server_registry servers;
    active_checker checker;
};

const auto says_page = [](std::size_t) { return page(); };
const auto says_nothing = [](std::size_t) { return std::nullopt; };

}  // namespace

TEST_CASE("who accepts is up, who refuses is out, and it is published without waiting for the next probe") {
    pool p;
    const loopback_server good{p.context, says_page};
    const closed_door bad{p.context};
    const auto up = p.add("up", good.endpoint()), down = p.add("down", bad.endpoint());
    probe_runner runner{p.context.get_executor(), p.servers, p.checker, tcp_probe{}, endpoints_of};
    p.go(runner, 2s, 1);  // starts are spread over an interval
    run_until(p.context, [&] { return p.out(down); });
    CHECK_FALSE(p.out(up));
    CHECK(p.checker.status(up)->state == check_state::up);
    CHECK(p.checker.status(down)->state == check_state::down);
}

TEST_CASE("statuses change a state by rise and fall") {
    pool p;
    std::string answer = page();
    const loopback_server one{p.context, [&](std::size_t) { return answer; }};
    const auto id = p.add("a", one.endpoint());
    probe_runner runner{p.context.get_executor(), p.servers, p.checker, http_probe{{.target = "/health"}},
                        endpoints_of};
    p.go(runner, 0s, 1);
    answer = page("", "500 No");
    p.go(runner, 2s, 2);
    CHECK_FALSE(p.out(id));
    p.go(runner, 2s, 3);
    run_until(p.context, [&] { return p.out(id); });
    answer = page();
    p.go(runner, 2s, 4);
    CHECK(p.out(id));
    p.go(runner, 2s, 5);
    run_until(p.context, [&] { return !p.out(id); });
    CHECK(one.heads().size() == 5);
}

TEST_CASE("who accepts and never answers is cancelled at its deadline, and out") {
    pool p;
    const loopback_server silent{p.context, says_nothing};
    const auto id = p.add("silent", silent.endpoint());
    probe_runner runner{p.context.get_executor(), p.servers, p.checker, http_probe{}, endpoints_of};
    run_until(p.context, [&] { return silent.heads().size() == 1; });
    manual_clock::advance(1s - 1ns);
    runner.wake();
    run_until(p.context, [&, waits = 0]() mutable { return ++waits == 2; });
    CHECK(runner.probing() == 1);
    CHECK_FALSE(p.out(id));
    manual_clock::advance(1ns);
    runner.wake();
    run_until(p.context, [&] { return p.out(id); });
    CHECK(p.checker.status(id)->timed_out == 1);
    run_until(p.context, [&] { return silent.ended() == 1; });  // it hung up
}

TEST_CASE("a backend that is removed while it is probed is gone, and its result means nothing") {
    pool p;
    const loopback_server first{p.context, says_nothing}, second{p.context, says_page};
    const auto gone = p.add("a", first.endpoint());
    probe_runner runner{p.context.get_executor(), p.servers, p.checker, http_probe{}, endpoints_of};
    run_until(p.context, [&] { return first.heads().size() == 1; });
    p.servers.remove(gone);
    const auto next = p.add("a", second.endpoint());  // in the same slot, under the same identity
    REQUIRE(next.slot == gone.slot);
    runner.wake();
    run_until(p.context, [&] { return p.results(next) == 1; });
    CHECK(p.checker.status(next)->passed == 1);
    CHECK(runner.probing() == 1);
    manual_clock::advance(1s);
    runner.wake();
    run_until(p.context, [&] { return first.ended() == 1 && runner.probing() == 0; });
    CHECK_FALSE(p.out(next));
    CHECK(p.results(next) == 1);
    CHECK_FALSE(p.checker.status(gone));
}

TEST_CASE("a kept connection is the next probe's, and ends with its backend") {
    pool p;
    const loopback_server one{p.context, says_page}, other{p.context, says_page};
    const auto a = p.add("a", one.endpoint());
    p.add("b", other.endpoint());
    probe_runner runner{p.context.get_executor(), p.servers, p.checker, http_probe{{.keep = true}}, endpoints_of};
    for (std::uint64_t n = 1; n <= 5; ++n) p.go(runner, 2s, n);
    CHECK(one.heads().size() >= 5);
    CHECK(one.accepted() == 1);
    CHECK(other.accepted() == 1);
    p.servers.remove(a);
    runner.wake();
    run_until(p.context, [&] { return one.ended() == 1; });
    CHECK(other.ended() == 0);
}

TEST_CASE("a probe that throws has failed") {
    pool p;
    const closed_door nobody{p.context};
    const auto id = p.add("a", nobody.endpoint());
    const auto throws = [](probe_target&) -> asio::awaitable<probe_result> {
        throw std::runtime_error{"no"};
        co_return probe_result::passed;
    };
    probe_runner runner{p.context.get_executor(), p.servers, p.checker, throws, endpoints_of};
    p.go(runner, 0s, 1);
    run_until(p.context, [&] { return p.out(id); });
    CHECK(p.checker.status(id)->failed == 1);
}

TEST_CASE("members that join are probed when they are seen, by wake at once") {
    pool p;
    const loopback_server one{p.context, says_page};
    probe_runner runner{p.context.get_executor(), p.servers, p.checker, tcp_probe{}, endpoints_of};
    p.context.poll();
    const auto id = p.add("a", one.endpoint());
    p.go(runner, 0s, 1);
    CHECK(p.checker.status(id)->state == check_state::up);
}

TEST_CASE("stopped, it leaves nothing to do, and nobody learns what was out") {
    pool p;
    auto silent = std::make_unique<loopback_server>(p.context, says_nothing);
    const loopback_server good{p.context, says_page};
    const auto id = p.add("a", silent->endpoint());
    auto checker = std::make_unique<active_checker>(p.servers, steps, 1);
    probe_runner runner{p.context.get_executor(), p.servers, *checker, http_probe{}, endpoints_of};
    run_until(p.context, [&] { return silent->heads().size() == 1; });
    runner.stop();
    checker.reset();  // from now on it may go
    run_until(p.context, [&] { return runner.probing() == 0; });
    run_until(p.context, [&] { return silent->ended() == 1; });
    CHECK_FALSE(p.out(id));
    runner.stop();
    runner.wake();
}

TEST_CASE("when it goes, its probes end in the context; nothing is left to run") {
    pool p;
    auto silent = std::make_unique<loopback_server>(p.context, says_nothing);
    p.add("a", silent->endpoint());
    {
        probe_runner runner{p.context.get_executor(), p.servers, p.checker, http_probe{}, endpoints_of};
        run_until(p.context, [&] { return silent->heads().size() == 1; });
    }
    silent.reset();
    p.context.restart();
    p.context.run();  // returns
    CHECK(p.results(p.servers.find("a").value()) == 0);
}

TEST_CASE("probes that are out when their context goes, go with it") {
    manual_clock::set(1h);
    server_registry servers;
    active_checker checker{servers, steps, 1};
    auto context = std::make_unique<asio::io_context>();
    const bool started_only = GENERATE(true, false);
    {
        const loopback_server silent{*context, says_nothing};
        servers.add({"a", silent.endpoint()});
        std::optional<probe_runner> runner;
        runner.emplace(context->get_executor(), servers, checker, http_probe{{.keep = true}}, endpoints_of);
        if (!started_only) run_until(*context, [&] { return silent.heads().size() == 1; });
        runner.reset();
    }
    context.reset();  // never run again
    CHECK(servers.size() == 1);
}

TEST_CASE("what the function for endpoints throws leaves by run, and ends the probing") {
    pool p;
    const closed_door nobody{p.context};
    p.add("a", nobody.endpoint());
    probe_runner runner{p.context.get_executor(), p.servers, p.checker, tcp_probe{},
                        [](const server&) -> std::vector<tcp::endpoint> { throw std::runtime_error{"no endpoints"}; }};
    CHECK_THROWS_WITH(p.context.run(), "no endpoints");
    CHECK(runner.probing() == 0);
}

TEST_CASE("on a strand it may be run by several threads, by a clock that runs", "[threads]") {
    weir::registry<server> servers;
    asio::io_context listening;
    const loopback_server good{listening, says_page};
    const closed_door bad{listening};
    constexpr auto limit = 60s;  // far more than it takes: a machine may be busy
    std::thread answers{[&] { listening.run_for(2 * limit); }};
    for (int i = 0; i < 8; ++i) servers.add({std::to_string(i), i % 2 == 0 ? good.endpoint() : bad.endpoint()});
    active_checker checker{servers, {.interval = 20ms, .rise = 1, .fall = 1}};
    asio::thread_pool threads{3};
    const auto strand = asio::make_strand(threads);
    std::optional<probe_runner> runner;
    asio::post(strand, [&] { runner.emplace(strand, servers, checker, http_probe{{.keep = true}}, endpoints_of); });
    const auto decided = [&] {
        for (const auto& m : servers.members()) {
            const auto s = checker.status(m.id);
            if (!s || (m.id.slot % 2 == 0 ? s->passed : s->failed) < 3) return false;
        }
        return true;
    };
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!decided() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    CHECK(decided());
    asio::post(strand, [&] { runner.reset(); });
    threads.join();  // returns: nothing is left
    for (const auto& m : servers.members()) {
        const auto s = checker.status(m.id).value();
        const bool out = m.conditions.has(condition::failed_check);
        if (m.id.slot % 2 == 1) {
            CHECK(s.passed == 0);
            CHECK(out);
        } else {  // a busy machine may be late for one deadline: that, and nothing else, takes a good one out
            CHECK(s.failed == 0);
            CHECK((!out || s.timed_out > 0));
        }
    }
    listening.stop();
    answers.join();
}
