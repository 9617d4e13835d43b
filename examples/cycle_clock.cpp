// Another clock for a registry: latencies measured by the processor's cycle counter, whose reading does not hold up the pick.

#include <weir/weir.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

int main() {
    using namespace std::chrono_literals;
    // [clock
    weir::registry<std::string, weir::cycle_clock> servers;
    servers.add("10.0.0.1:80");
    servers.add("10.0.0.2:80");
    weir::p2c_peak_ewma balancer{servers};
    if (auto lease = balancer.pick()) lease.complete(weir::outcome::success);
    // clock]
    const auto call = [](const std::string& address) { return !address.empty(); };
    // [told
    const auto began = weir::cycle_clock::now();
    if (auto lease = balancer.pick({.now = began.time_since_epoch()})) {
        const bool answered = call(*lease);
        const auto latency = weir::cycle_clock::now() - began;  // or whatever you have measured
        lease.complete(answered ? weir::outcome::success : weir::outcome::failure, latency);
    }
    // told]

    // It goes as the clock that everybody knows goes.
    const auto before = weir::cycle_clock::now();
    const auto from = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - from < 20ms) {
    }
    const std::chrono::duration<double, std::milli> passed = weir::cycle_clock::now() - before;
    const std::chrono::duration<double, std::milli> expected = std::chrono::steady_clock::now() - from;
    std::printf("%.3f ms by the cycle counter, %.3f ms by steady_clock\n", passed.count(), expected.count());

    std::uint64_t answered = 0;
    for (const auto& m : servers.members()) answered += m.outcomes.success;
    return answered == 2 && passed.count() > 0 ? 0 : 1;
}
