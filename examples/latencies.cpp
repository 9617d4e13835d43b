// Backends of different and changing speed: choosing by latency, starting slowly, following load reports.

#include <weir/weir.hpp>

#include <chrono>
#include <cstdio>
#include <string>

namespace {

struct reply {
    bool ok = true;
    weir::load_report load;  // what the server says of itself, in a trailer
};

reply call(const std::string& server) {
    return {.ok = true, .load = {.utilization = server == "10.0.0.1:80" ? 0.8 : 0.4, .qps = 100}};
}

}  // namespace

int main() {
    using namespace std::chrono_literals;
    int answered = 0;
    {
        // [latency
        weir::registry<std::string> servers;
        servers.add("10.0.0.1:80");
        servers.add("10.0.0.2:80");

        weir::p2c_peak_ewma balancer{servers};  // or weir::least_response_time
        if (auto lease = balancer.pick()) {
            const reply r = call(*lease);
            // The time since the pick is the latency; a failure counts as a slow answer, however fast it came.
            lease.complete(r.ok ? weir::outcome::success : weir::outcome::failure);
        }
        // latency]
        for (const auto& m : servers.members()) answered += static_cast<int>(m.outcomes.success);
    }
    {
        // [slow start
        weir::registry<std::string> caches;
        weir::basic_selector balancer{caches, weir::slow_start{weir::ring_hash_policy{}, {.window = 30s}}};
        caches.add("10.0.0.1:80");
        caches.add("10.0.0.2:80");  // both at once: each has its share
        // Half a minute later a third one would get a tenth of its keys, and all of them after 30 s more.
        // slow start]
        answered += balancer.pick({.key = 1}) ? 1 : 0;
    }
    {
        // [reports
        weir::registry<std::string> servers;
        servers.add("10.0.0.1:80");
        servers.add("10.0.0.2:80");
        weir::round_robin balancer{servers};
        weir::load_reports reports{servers};

        auto lease = balancer.pick();
        if (!lease) return 1;
        const reply r = call(*lease);
        lease.complete(weir::outcome::success);
        reports.report(lease.id(), r.load);  // with each reply that brings one: {.utilization = 0.7, .qps = 120}
        reports.update();                    // from a timer, some times a second
        // reports]
        answered += reports.update() ? 0 : 1;  // not twice a second
        for (const auto& m : servers.members()) std::printf("%s has weight %u\n", m.identity.c_str(), m.weight);
    }
    {
        weir::registry<std::string> servers;
        servers.add("10.0.0.1:80");
        // [reports metric
        const weir::reported_utilization m{{.blackout = 5s, .expiry = 1min}};
        weir::choices<std::string, weir::reported_utilization> balancer{servers, m};
        weir::load_reports reports{servers, m, {.set_weights = false}};  // the same m
        // reports metric]
        answered += balancer.pick() && reports.update() ? 1 : 0;
    }
    std::printf("%d of 4\n", answered);
    return answered == 4 ? 0 : 1;
}
