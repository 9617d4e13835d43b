// How even is each selector, and what does it make of backends of two speeds? Nothing here is timed: the clock is virtual
// and the seeds are fixed, so that every run prints the same.

#include "../examples/common/balancers.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <queue>
#include <string>
#include <vector>

namespace {

using std::chrono::nanoseconds;

struct virtual_clock {
    using duration = nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<virtual_clock>;
    static constexpr bool is_steady = true;
    static inline nanoseconds time{0};
    static time_point now() noexcept { return time_point{time}; }
};

struct server {
    std::uint64_t number;
    [[nodiscard]] std::uint64_t identity() const { return number; }
};

using registry = weir::registry<server, virtual_clock>;

void fill(registry& servers, std::uint64_t n, bool weighted) {
    servers.update([&](auto& change) {
        for (std::uint64_t i = 0; i < n; ++i) change.add({i}, {.weight = weighted ? 1 + i % 3 : 1});
    });
}

/// Every pick has a key of its own, which is an address for those that hash addresses.
struct request {
    explicit request(std::uint64_t n)
        : address{"10." + std::to_string(n >> 16 & 255) + '.' + std::to_string(n >> 8 & 255) + '.' +
                  std::to_string(n & 255)} {}
    [[nodiscard]] weir::pick_options options() const { return {.key_text = address}; }
    std::string address;
};

struct evenness {
    double most = 0;        ///< the largest ratio of a backend's picks to its share
    std::uint64_t run = 0;  ///< the longest run of picks to one backend
};

/// 100 n picks, each completed before the next.
evenness at_rest(std::string_view name, std::uint64_t n, bool weighted) {
    registry servers;
    fill(servers, n, weighted);
    const auto pick = examples::balancer<server>(name, servers, {.seed = 1});
    std::vector<std::uint64_t> picks(n);
    double weights = 0;
    for (std::uint64_t i = 0; i < n; ++i) weights += weighted ? static_cast<double>(1 + i % 3) : 1;
    evenness result;
    std::uint64_t last = n, run = 0;
    for (std::uint64_t k = 0; k < 100 * n; ++k) {
        const request r{k};
        auto lease = pick(r.options());
        run = lease->number == last ? run + 1 : 1;
        last = lease->number;
        result.run = (std::max)(result.run, run);
        ++picks[last];
        virtual_clock::time += std::chrono::milliseconds{10};
        lease.complete(weir::outcome::success);
    }
    for (std::uint64_t i = 0; i < n; ++i) {
        const double share = (weighted ? static_cast<double>(1 + i % 3) : 1) / weights;
        result.most = (std::max)(result.most, static_cast<double>(picks[i]) / (100 * static_cast<double>(n) * share));
    }
    return result;
}

struct service {
    double slow_share = 0;  ///< of the requests
    double mean = 0;        ///< milliseconds from arrival to answer
    double p99 = 0;
};

/// Ten backends that serve one request after the other, five in 10 ms and five in 30 ms on average (exponential), under
/// Poisson arrivals at 40 % of what all can serve. In proportion to speed the slow ones would get 25 %.
service two_speeds(std::string_view name) {
    constexpr std::uint64_t n = 10, requests = 200'000, warm_up = 20'000;
    constexpr double fast = 10e6, slow = 30e6, utilization = 0.4;
    registry servers;
    virtual_clock::time = std::chrono::hours{1};
    fill(servers, n, false);
    const auto pick = examples::balancer<server>(name, servers, {.seed = 1});
    weir::generator random{2};
    const auto exponential = [&](double mean) {
        return -mean * std::log((static_cast<double>(random() >> 11) + 0.5) * 0x1p-53);
    };
    struct running {
        nanoseconds end;
        nanoseconds latency;
        mutable weir::lease<server> lease;
        bool operator<(const running& other) const noexcept { return end > other.end; }
    };
    std::priority_queue<running> queue;
    std::vector<nanoseconds> free_at(n, virtual_clock::time);
    std::vector<double> latencies;
    double to_slow = 0;
    const double gap = 1 / (utilization * (5 / fast + 5 / slow));
    double arrival = static_cast<double>(virtual_clock::time.count());
    for (std::uint64_t k = 0; k < requests; ++k) {
        arrival += exponential(gap);
        const nanoseconds now{static_cast<std::int64_t>(arrival)};
        while (!queue.empty() && queue.top().end <= now) {
            virtual_clock::time = queue.top().end;
            queue.top().lease.complete(weir::outcome::success, queue.top().latency);
            queue.pop();
        }
        virtual_clock::time = now;
        const request r{random()};
        auto lease = pick(r.options());
        if (!lease) continue;
        const std::uint64_t to = lease->number;
        const double time = exponential(to % 2 == 0 ? fast : slow);
        free_at[to] = (std::max)(free_at[to], now) + nanoseconds{static_cast<std::int64_t>(time) + 1};
        if (k >= warm_up) {
            latencies.push_back(static_cast<double>((free_at[to] - now).count()) / 1e6);
            to_slow += to % 2 == 0 ? 0 : 1;
        }
        queue.push({free_at[to], free_at[to] - now, std::move(lease)});
    }
    service result;
    for (const double latency : latencies) result.mean += latency / static_cast<double>(latencies.size());
    result.slow_share = to_slow / static_cast<double>(latencies.size());
    const auto p99 = latencies.begin() + static_cast<std::ptrdiff_t>(latencies.size() * 99 / 100);
    std::nth_element(latencies.begin(), p99, latencies.end());
    result.p99 = *p99;
    return result;
}

}  // namespace

int main() {
    std::printf(
        "max/share: the busiest backend's picks against its share, after 100 n picks, each completed at once;\n"
        "run: the longest run of picks to one backend; 1:2:3: weights in turn.\n"
        "two speeds: 5 backends of 10 ms and 5 of 30 ms at 40 %% load: the slow ones' share of the requests (25 %%\n"
        "would be in proportion to speed), and the time from arrival to answer.\n\n");
    std::printf("%-24s %9s %9s %9s %9s %5s   %9s %9s %9s\n", "", "max/share", "", "", "", "run", "two", "speeds", "");
    std::printf("%-24s %9s %9s %9s %9s %5s   %9s %9s %9s\n", "selector", "n=10", "100", "1000", "1:2:3,100", "100",
                "to slow", "mean ms", "p99 ms");
    for (const std::string_view name : examples::balancer_names) {
        if (examples::follows_reports(name)) continue;  // nobody reports anything here
        std::printf("%-24.*s", static_cast<int>(name.size()), name.data());
        for (const std::uint64_t n : {10, 100, 1000}) std::printf(" %9.2f", at_rest(name, n, false).most);
        std::printf(" %9.2f %5llu", at_rest(name, 100, true).most,
                    static_cast<unsigned long long>(at_rest(name, 100, false).run));
        const service s = two_speeds(name);
        std::printf("   %8.1f%% %9.1f %9.1f\n", 100 * s.slow_share, s.mean, s.p99);
        std::fflush(stdout);
    }
}
