// What does an update cost, and how many are there a second while two threads pick?

#include <weir/weir.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace {

struct server {
    std::uint64_t number;
    [[nodiscard]] std::uint64_t identity() const { return number; }
};
using registry = weir::registry<server>;
using steady = std::chrono::steady_clock;

std::vector<weir::backend_id> fill(registry& r, int n) {
    std::vector<weir::backend_id> ids;
    r.update([&](auto& change) {
        for (int i = 0; i < n; ++i) ids.push_back(change.add({static_cast<std::uint64_t>(i)}));
    });
    return ids;
}

/// The median of single updates, in microseconds; bounded by time, not by count.
double median_us(const std::function<void(std::uint64_t)>& update) {
    std::vector<double> times;
    const auto end = steady::now() + std::chrono::milliseconds{300};
    for (std::uint64_t i = 0; times.size() < 5 || (steady::now() < end && times.size() < 100'000); ++i) {
        const auto begin = steady::now();
        update(i);
        times.push_back(std::chrono::duration<double, std::micro>(steady::now() - begin).count());
    }
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
    return times[times.size() / 2];
}

template <class Attach>
void row(const char* name, const Attach& attach) {
    std::printf("%-28s", name);
    for (const int n : {100, 1'000, 10'000}) {
        registry r;
        const auto ids = fill(r, n);
        [[maybe_unused]] const auto selector = attach(r);
        const auto id = [&](std::uint64_t i) { return ids[i * 7919 % ids.size()]; };
        const double condition = median_us([&](std::uint64_t i) {
            if (i % 2 == 0)
                r.set(id(i / 2), weir::condition::failed_check);
            else
                r.clear(id(i / 2), weir::condition::failed_check);
        });
        const double weight = median_us([&](std::uint64_t i) { r.set_weight(id(i / 2), 1 + (i + 1) % 2); });
        const double membership = median_us([&](std::uint64_t i) {
            if (i % 2 == 0)
                r.add({1'000'000});
            else
                r.remove(*r.find("1000000"));
        });
        std::printf("   %9.1f %9.1f %9.1f", condition, weight, membership);
    }
    std::printf("\n");
}

void updates_while_picking(weir::detail::fence_mode mode) {
    registry r;
    const auto ids = fill(r, 100);
    const weir::round_robin turns{r};
    const weir::least_connections least{r};
    std::atomic<bool> done{false};
    std::atomic<std::uint64_t> picks{0};
    std::vector<std::thread> readers;
    for (int t = 0; t < 2; ++t)
        readers.emplace_back([&] {
            std::uint64_t count = 0;
            for (; !done.load(std::memory_order_relaxed); count += 2) {
                auto a = turns.pick();
                auto b = least.pick();
                a.complete(weir::outcome::success);
            }
            picks += count;
        });
    std::uint64_t updates = 0;
    const auto begin = steady::now();
    while (steady::now() - begin < std::chrono::seconds{3}) {
        const auto id = ids[updates * 31 % ids.size()];
        if (updates % 2 == 0)
            r.set(id, weir::condition::draining);
        else
            r.clear(ids[(updates - 1) * 31 % ids.size()], weir::condition::draining);
        ++updates;
    }
    const double seconds = std::chrono::duration<double>(steady::now() - begin).count();
    done = true;
    for (auto& t : readers) t.join();
    std::printf("%s fences: %.0f updates/s, %.1f million picks/s meanwhile\n",
                mode == weir::detail::fence_mode::asymmetric ? "asymmetric" : "portable",
                static_cast<double>(updates) / seconds, static_cast<double>(picks) / seconds / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1 && std::string{argv[1]} == "--portable")
        weir::detail::process_domain.decide(weir::detail::fence_mode::portable);
    std::printf("one update, us, median of those in 0.3 s: condition, weight, membership\n%-28s", "attached selector");
    for (const int n : {100, 1'000, 10'000}) std::printf("   %29s", ("n = " + std::to_string(n)).c_str());
    std::printf("\n");
    row("none", [](registry&) { return 0; });
    row("round_robin", [](registry& r) { return weir::round_robin{r}; });
    row("round_robin, per thread", [](registry& r) { return weir::round_robin<server, weir::per_thread_cursor>{r}; });
    row("random", [](registry& r) { return weir::random{r}; });
    row("least_connections", [](registry& r) { return weir::least_connections{r}; });
    row("power_of_two", [](registry& r) { return weir::power_of_two{r}; });
    row("choices, peak_ewma", [](registry& r) { return weir::choices{r, weir::peak_ewma{}}; });
    row("ring_hash", [](registry& r) { return weir::ring_hash{r}; });
    row("maglev", [](registry& r) { return weir::maglev{r}; });
    row("rendezvous", [](registry& r) { return weir::rendezvous{r}; });
    row("multi_probe", [](registry& r) { return weir::multi_probe{r}; });
    row("jump", [](registry& r) { return weir::jump{r}; });
    row("anchor", [](registry& r) { return weir::anchor{r}; });
    row("memento", [](registry& r) { return weir::memento{r}; });
    std::printf("\n100 backends, round_robin and least_connections attached, two threads pick, one updates:\n");
    updates_while_picking(weir::detail::process_domain.mode());
}
