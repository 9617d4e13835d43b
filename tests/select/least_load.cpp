#include <weir/select/least_load.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/manual_clock.hpp"

#include <weir/load/peak_ewma.hpp>

using weir_test::unfair;

TEST_CASE("the least loaded of all is chosen, by load / weight") {
    weir::registry<int> r;
    const std::vector<std::uint32_t> weights{1, 2, 3};
    for (const auto w : weights) r.add(static_cast<int>(r.size()), {.weight = w});
    const weir::least_connections least{r, {.seed = 1}};
    std::vector<weir::lease<int>> held;
    for (int i = 0; i < 600; ++i) {
        const auto before = r.members();
        held.push_back(least.pick());
        const auto& chosen = before[held.back().id().slot];
        for (const auto& m : before)
            CHECK(std::uint64_t{chosen.in_flight} * m.weight <= std::uint64_t{m.in_flight} * chosen.weight);
    }
    for (const auto& m : r.members()) CHECK(m.in_flight == 100 * m.weight);
}

TEST_CASE("ties are drawn by weight, never the first") {
    weir::registry<int, weir_test::manual_clock> r;
    const std::vector<std::uint32_t> weights{1, 1, 8, 2, 0};
    for (const auto w : weights) r.add(static_cast<int>(r.size()), {.weight = w});
    const weir::least_connections least{r, {.seed = 2}};
    const weir::least_load by_latency{r, weir::peak_ewma{}, weir::selector_options{.seed = 2}};
    std::vector<std::uint64_t> counts(5), by_latency_counts(5);
    for (int i = 0; i < 30'000; ++i) {
        ++counts[least.pick().id().slot];
        ++by_latency_counts[by_latency.pick().id().slot];
    }
    CHECK(unfair(counts, weights) == "");
    CHECK(unfair(by_latency_counts, weights) == "");
}

TEST_CASE("a tie among some is drawn among those alone") {
    weir::registry<int> r;
    std::vector<weir::backend_id> ids;
    for (int i = 0; i < 4; ++i) ids.push_back(r.add(i));
    const weir::least_connections least{r, {.seed = 3}};
    const weir::backend_id not_first[] = {ids[1], ids[2], ids[3]}, not_third[] = {ids[0], ids[1], ids[3]};
    const auto first = least.pick({.exclude = not_first}), third = least.pick({.exclude = not_third});
    std::vector<std::uint64_t> counts(4);
    for (int i = 0; i < 10'000; ++i) ++counts[least.pick().id().slot];
    CHECK(unfair(counts, std::vector<std::uint32_t>{0, 1, 0, 1}) == "");
}

TEST_CASE("hardening 4: a lease counts from the pick on, and until it ends in whatever way") {
    weir::registry<int> r;
    r.add(0);
    r.add(1);
    const weir::least_connections least{r, {.seed = 4}};
    for (int how = 0; how < 5; ++how) {
        auto first = least.pick();
        const auto id = first.id();
        CHECK(r.inspect(id)->in_flight == 1);
        auto second = least.pick();
        CHECK(second.id() != id);
        first.complete(static_cast<weir::outcome>(how));
        CHECK(r.inspect(id)->in_flight == 0);
        CHECK(least.pick().id() == id);
        second.complete(static_cast<weir::outcome>(how));
    }
    for (const auto& m : r.members()) CHECK(m.in_flight == 0);
}

TEST_CASE("latency decides among the idle, and the queue among the fast") {
    using namespace std::chrono_literals;
    weir_test::manual_clock::set(1h);
    weir::registry<int, weir_test::manual_clock> r;
    const auto fast = r.add(0), slow = r.add(1);
    const weir::least_load least{r, weir::peak_ewma{}, weir::selector_options{.seed = 5}};
    const weir::backend_id only_slow[] = {fast}, only_fast[] = {slow};
    for (int i = 0; i < 8; ++i) {
        least.pick({.exclude = only_fast}).complete(weir::outcome::success, 10ms);
        least.pick({.exclude = only_slow}).complete(weir::outcome::success, 35ms);
    }
    std::vector<weir::lease<int>> held;
    for (int i = 0; i < 3; ++i) {
        held.push_back(least.pick());
        CHECK(held.back().id() == fast);
    }
    held.push_back(least.pick());  // 10 ms x 4 against 35 ms x 1
    CHECK(held.back().id() == slow);
}
