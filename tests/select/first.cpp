#include <weir/select/first.hpp>

#include "catch.hpp"

#include <thread>

static_assert(weir::policy<weir::first_policy>);

namespace {

struct pool {
    weir::registry<int> registry;
    std::vector<weir::backend_id> ids;
    weir::backend_id add(const weir::backend_options& options) {
        ids.push_back(registry.add(static_cast<int>(ids.size()), options));
        return ids.back();
    }
};

template <class Selector>
std::string picks(const Selector& balancer, int n, std::vector<weir::lease<int>>& held) {
    std::string all;
    for (int i = 0; i < n; ++i) {
        held.push_back(balancer.pick());
        all += held.back() ? static_cast<char>('a' + *held.back()) : '-';
    }
    return all;
}

}  // namespace

TEST_CASE("each is filled to its own limit before the next one is used") {
    pool p;
    for (const std::uint32_t limit : {2u, 1u, 3u}) p.add({.max_in_flight = limit});
    const weir::first balancer{p.registry};
    std::vector<weir::lease<int>> held;
    CHECK(picks(balancer, 7, held) == "aabccc-");
    CHECK(held.back().error() == weir::pick_error::overloaded);
    held[2] = {};
    CHECK(picks(balancer, 1, held) == "b");
    held[1] = {};
    held[3] = {};
    CHECK(picks(balancer, 3, held) == "ac-");
}

TEST_CASE("fill bounds all alike, beside each one's own limit, and is never overruled") {
    pool p;
    p.add({});
    p.add({.max_in_flight = 1});
    p.add({.max_in_flight = 100});
    const weir::first balancer{p.registry, {.fill = 2}};
    std::vector<weir::lease<int>> held;
    CHECK(picks(balancer, 6, held) == "aabcc-");
    CHECK(held.back().error() == weir::pick_error::overloaded);
    CHECK(balancer.choose([](int&) { FAIL("all are full"); }) == weir::pick_error::overloaded);
    CHECK(balancer.counts()[weir::pick_reason::fallback] == 0);
}

TEST_CASE("the order is the priority's, then the slots'") {
    pool p;
    for (const std::uint32_t priority : {2u, 0u, 1u, 0u}) p.add({.priority = priority});
    const weir::first balancer{p.registry, {.fill = 1}};
    std::vector<weir::lease<int>> held;
    CHECK(picks(balancer, 5, held) == "bdca-");
    held.clear();
    p.registry.set(p.ids[1], weir::condition::draining);
    CHECK(picks(balancer, 2, held) == "dc");
    p.registry.clear(p.ids[1], weir::condition::draining);
    CHECK(picks(balancer, 2, held) == "ba");
}

TEST_CASE("without any bound the first takes everything, and the last ones stay idle") {
    pool p;
    p.add({});
    p.add({.weight = 1000});
    const weir::first balancer{p.registry};
    std::vector<weir::lease<int>> held;
    CHECK(picks(balancer, 5, held) == "aaaaa");
    CHECK(*balancer.pick({.exclude = std::vector{p.ids[0]}}) == 1);
    p.registry.set_weight(p.ids[0], 0);
    CHECK(picks(balancer, 1, held) == "b");
}

TEST_CASE("under a light load only the first few are ever used") {
    pool p;
    for (int i = 0; i < 10; ++i) p.add({.max_in_flight = 4});
    const weir::first balancer{p.registry};
    std::vector<weir::lease<int>> held;
    for (int i = 0; i < 1000; ++i) {
        held.push_back(balancer.pick());
        if (held.size() > 9) held.erase(held.begin() + i % 9);
    }
    for (const auto& m : p.registry.members()) CHECK((m.outcomes.cancelled + m.in_flight > 0) == (m.id.slot < 3));
}

TEST_CASE("fill holds under two threads", "[threads]") {
    pool p;
    for (int i = 0; i < 3; ++i) p.add({});
    const weir::first balancer{p.registry, {.fill = 2}};
    std::atomic<int> held[3]{};
    std::atomic<int> over{0}, picked{0};
    const auto work = [&] {
        for (int i = 0; i < 20'000; ++i) {
            auto one = balancer.pick(), two = balancer.pick(), three = balancer.pick(), four = balancer.pick();
            for (auto* lease : {&one, &two, &three, &four}) {
                if (!*lease) continue;
                picked.fetch_add(1);
                if (held[**lease].fetch_add(1) + 1 > 2) over.fetch_add(1);
            }
            for (auto* lease : {&one, &two, &three, &four})
                if (*lease) held[**lease].fetch_sub(1);
        }
    };
    std::thread other{work};
    work();
    other.join();
    CHECK(over == 0);
    CHECK(picked > 20'000);
}

TEST_CASE("a fill of 0 is refused in words") {
    CHECK_THROWS_WITH(
        weir::first_policy{{.fill = 0}},
        "weir: first: a fill of 0 is not at least 1; a weight of 0 or condition::disabled takes a backend "
        "out");
    weir::registry<int> r;
    CHECK_THROWS_AS((weir::first{r, weir::first_options{.fill = 0}}), std::invalid_argument);
}
