// Outlier ejection, retries, priorities and sticky sessions, together: one server fails, and nobody notices.

#include <weir/weir.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>

using namespace std::chrono_literals;

struct server {
    std::string host;
};
std::string identity(const server& s) { return s.host; }

struct reply {
    int status;
    std::string cookie;
};

static std::chrono::nanoseconds now{0};
static void pause_for(std::chrono::nanoseconds time) { now += time; }
static int send(const server& s) { return s.host == "10.0.0.2" ? 503 : 200; }

// [outcome
static weir::outcome outcome_of(int status) {
    if (status == 502 || status == 503 || status == 504) return weir::outcome::gateway_failure;
    return status >= 500 ? weir::outcome::failure : weir::outcome::success;
}
// outcome]

int main() {
    // [pool
    weir::registry<server> servers;
    for (const char* host : {"10.0.0.1", "10.0.0.2", "10.0.0.3"}) servers.add({host});
    servers.add({"10.9.0.1"}, {.priority = 1});  // in another town

    const weir::session_key key{"sixteen bytes or more, from the configuration"};
    weir::basic_selector balancer{servers, weir::sticky{weir::priority{weir::round_robin_policy{}}, key}};
    // pool]

    // [detector
    std::atomic<bool> wake = false;
    weir::outlier_detector outliers{servers, {.consecutive_failures = 3u, .on_pending = [&] { wake = true; }}};
    // detector]

    // [retries
    weir::retry_rules rules;
    const auto serve = [&](const std::string& cookie) -> reply {
        weir::retry attempts{rules};
        for (;;) {
            auto lease = balancer.pick({.exclude = attempts.tried(), .session = cookie});
            if (!lease) return {503, {}};
            const bool known = lease.reason() == weir::pick_reason::sticky;
            const std::string token = known ? cookie : key.token(lease.identity());
            const int status = send(*lease);
            lease.complete(outcome_of(status));
            if (status < 500) return {status, token};
            const auto pause = attempts.again(lease.id(), now);
            if (!pause) return {status, {}};
            pause_for(*pause);
        }
    };
    // retries]

    int failed = 0, poked = 0;
    std::string cookie;
    for (int i = 0; i < 1000; ++i) {
        const reply r = serve(i % 2 == 0 ? "" : cookie);
        if (i % 2 == 1 && r.cookie != cookie) ++poked;
        cookie = r.cookie;
        failed += r.status == 200 ? 0 : 1;
        now += 1ms;
        // [poll
        if (wake.exchange(false) || now >= outliers.due()) outliers.poll(now);
        // poll]
    }
    // [verdict
    for (const auto& one : outliers.reports())
        if (one.cause)
            std::printf("%s: %s, %s at %g of %g\n", servers.inspect(one.id)->identity.c_str(),
                        std::string{to_string(one.phase)}.c_str(), std::string{to_string(*one.cause)}.c_str(),
                        one.why.value, one.why.bound);
    // verdict]
    return failed == 0 && poked == 0 ? 0 : 1;
}
