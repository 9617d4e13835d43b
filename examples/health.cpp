// Active checks, panic and draining, on a clock and with probes of one's own: here a number and a function.

#include <weir/weir.hpp>

#include <chrono>
#include <cstdio>
#include <string>

using namespace std::chrono_literals;

struct server {
    std::string host;
    bool answers;
};
std::string identity(const server& s) { return s.host; }

int main() {
    weir::registry<server> servers;
    const auto a = servers.add({"10.0.0.1", true});
    const auto b = servers.add({"10.0.0.2", true});
    servers.add({"10.0.0.3", false});

    // [checker
    weir::active_checker checker{servers, {.interval = 2s, .fast_interval = 500ms, .rise = 2, .fall = 3}};
    // checker]

    // [joins
    servers.update([&](auto& change) {
        const auto id = change.add({"10.0.0.4", true});
        change.set(id, weir::condition::failed_check);
    });
    // joins]

    std::chrono::nanoseconds now{0};
    const auto run = [&](std::chrono::nanoseconds until) {
        while (now < until) {
            // [sweep
            for (const weir::probe& p : checker.due(now))
                servers.visit(p.id, [&](const server& s) {
                    checker.report(p, s.answers ? weir::probe_result::passed : weir::probe_result::failed, now);
                });
            now = checker.next_due(now);
            // sweep]
        }
    };
    run(5s);
    for (const auto& m : servers.members())
        std::printf("%s: %s\n", m.identity.c_str(), m.eligible ? "in" : to_string(m.conditions).c_str());

    // [panic
    servers.set_panic({.threshold_percent = 50});
    // panic]
    for (const auto id : {a, b}) servers.visit(id, [](server& s) { s.answers = false; });
    run(15s);
    weir::round_robin turns{servers};
    auto lease = turns.pick();
    std::printf("%s: %s\n", lease->host.c_str(), std::string{to_string(lease.reason())}.c_str());
    lease.complete(weir::outcome::success);
    bool removed = false;
    {
        // [drain
        weir::drainer drains{servers};
        auto request = turns.pick();
        drains.drain(request.id(), now + 30s, [&](const weir::drained& d) {
            removed = servers.remove(d.id);  // idle, or out of patience: d.how tells
        });
        request.complete(weir::outcome::success);  // the last one: calls
        // drain]
    }
    return removed && servers.in_panic() && lease.reason() == weir::pick_reason::panic ? 0 : 1;
}
