// How uneven is a rotation with a cursor for each thread, over all threads together? Beside it the shared cursor, which is
// exact, and random draws. Nothing is timed.

#include <weir/select/random.hpp>
#include <weir/select/round_robin.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

namespace {

constexpr std::uint64_t n = 100;

/// The busiest backend's picks against its share, after `picks` by each of `threads` threads that live at the same time.
template <class Selector>
double max_by_share(std::uint64_t threads, std::uint64_t picks, bool weighted) {
    weir::registry<std::uint64_t> servers;
    const auto weight = [&](std::uint64_t i) { return weighted ? 1 + i % 3 : 1; };
    std::uint64_t weights = 0;
    servers.update([&](auto& change) {
        for (std::uint64_t i = 0; i < n; ++i) {
            change.add(i, {.weight = weight(i)});
            weights += weight(i);
        }
    });
    const Selector selector{servers};
    std::vector<std::atomic<std::uint64_t>> counts(n);
    std::atomic<std::uint64_t> begun{0};
    std::vector<std::thread> all;
    for (std::uint64_t k = 0; k < threads; ++k)
        all.emplace_back([&] {
            for (std::uint64_t i = 0; i < picks; ++i) counts[*selector.pick()].fetch_add(1, std::memory_order_relaxed);
            if (begun.fetch_add(1) + 1 == threads) begun.notify_all();
            for (auto now = begun.load(); now < threads; now = begun.load()) begun.wait(now);
        });
    for (auto& one : all) one.join();
    double most = 0;
    for (std::uint64_t i = 0; i < n; ++i) {
        const double share = static_cast<double>(threads * picks * weight(i)) / static_cast<double>(weights);
        most = (std::max)(most, static_cast<double>(counts[i].load()) / share);
    }
    return most;
}

}  // namespace

int main() {
    using shared = weir::round_robin<std::uint64_t>;
    using per_thread = weir::round_robin<std::uint64_t, weir::per_thread_cursor>;
    using random = weir::random<std::uint64_t>;
    std::printf("max/share over %llu backends: the busiest backend's picks against its share\n\n",
                static_cast<unsigned long long>(n));
    std::printf("%-8s %7s %14s %10s %10s %10s\n", "weights", "threads", "picks of each", "shared", "per thread",
                "random");
    for (const bool weighted : {false, true})
        for (const std::uint64_t threads : {2, 8, 32})
            for (const std::uint64_t picks : {10, 100, 1'000, 10'000})
                std::printf("%-8s %7llu %14llu %10.3f %10.3f %10.3f\n", weighted ? "1:2:3" : "equal",
                            static_cast<unsigned long long>(threads), static_cast<unsigned long long>(picks),
                            max_by_share<shared>(threads, picks, weighted),
                            max_by_share<per_thread>(threads, picks, weighted),
                            max_by_share<random>(threads, picks, weighted));
}
