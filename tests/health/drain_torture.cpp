#include <weir/health/drain.hpp>

#include "catch.hpp"
#include "support/fence.hpp"
#include "support/length.hpp"

#include <weir/random.hpp>
#include <weir/select/random.hpp>

#include <atomic>
#include <cstdint>
#include <deque>
#include <string>
#include <thread>
#include <vector>

// Two threads lease without a pause while a third drains one backend after the other: idle means idle, each drain ends
// once, and no end of a last lease goes unnoticed.

TEST_CASE("drains under load end once each, when no lease is left, and are never forgotten", "[threads]") {
    weir::registry<std::string> r;
    std::vector<weir::backend_id> ids;
    for (int i = 0; i < 3; ++i) ids.push_back(r.add("b" + std::to_string(i)));
    const weir::random draw{r};
    std::atomic<bool> done{false};
    std::atomic<std::uint64_t> missing{0};
    const auto traffic = [&](std::uint64_t seed) {
        weir::generator random{seed};
        std::deque<weir::lease<std::string>> held;
        while (!done.load(std::memory_order_relaxed)) {
            held.push_back(draw.pick());
            missing += held.back() ? 0 : 1;
            while (held.size() > random.below(4)) held.pop_front();
            if (random.below(64) == 0) std::this_thread::yield();  // so that no lease is held for a whole time slice
        }
    };
    std::thread first{traffic, 1}, second{traffic, 2};
    std::atomic<std::uint64_t> told{0}, wrong{0};
    const std::uint64_t rounds = weir_test::repetitions(2000);
    {
        weir::drainer drains{r};
        for (std::uint64_t i = 0; i < rounds; ++i) {
            const auto id = ids[i % ids.size()];
            std::atomic<bool> over{false};
            drains.drain(id, (std::chrono::nanoseconds::max)(), [&](const weir::drained& d) {
                // Nobody can raise the count any more.
                wrong += d.how != weir::drain_end::idle || d.id != id || r.inspect(id)->in_flight != 0 ? 1 : 0;
                ++told;
                over.store(true, std::memory_order_release);
            });
            while (!over.load(std::memory_order_acquire)) {
                // Only while a backend's first drain begins may a lease end untold.
                if (i < ids.size()) drains.due(std::chrono::nanoseconds{0});
                std::this_thread::yield();
            }
            r.clear(id, weir::condition::draining);
        }
    }
    done = true;
    first.join();
    second.join();
    CHECK(wrong == 0);
    CHECK(told == rounds);
    CHECK(missing == 0);
    for (const auto& m : r.members()) CHECK(m.in_flight == 0);
}

TEST_CASE("leases, removals and drains of the same backends at once: each drain ends once", "[threads]") {
    weir::registry<std::string> r;
    const weir::random draw{r};
    std::atomic<bool> done{false};
    const auto traffic = [&] {
        std::deque<weir::lease<std::string>> held;
        while (!done.load(std::memory_order_relaxed)) {
            held.push_back(draw.pick());
            if (held.size() > 3) held.pop_front();
        }
    };
    std::thread first{traffic}, second{traffic};
    std::atomic<std::uint64_t> told{0}, wrong{0};
    std::uint64_t begun = 0;
    const std::uint64_t rounds = weir_test::repetitions(10'000);
    {
        weir::drainer drains{r};
        for (std::uint64_t i = 0; i < rounds; ++i) {
            const auto now = std::chrono::nanoseconds{static_cast<std::int64_t>(i)};
            const auto id = r.add("b" + std::to_string(i));
            if (i % 3 == 0) std::this_thread::yield();
            const bool known = drains.drain(id, now + std::chrono::nanoseconds{5}, [&](const weir::drained& d) {
                wrong += d.how == weir::drain_end::no_member ? 1 : 0;
                ++told;
            });
            begun += known ? 1 : 0;
            if (i % 5 == 0) drains.cancel(id);
            r.remove(id);
            drains.due(now);
        }
        done = true;
        first.join();
        second.join();
    }
    CHECK(wrong == 0);
    CHECK(begun == rounds);
    CHECK(told == rounds);
}
