#include <weir/registry/lease_watch.hpp>

#include "catch.hpp"
#include "support/backends.hpp"
#include "support/length.hpp"

#include <weir/adapt/bounded_load.hpp>
#include <weir/select/first.hpp>
#include <weir/select/least_load.hpp>
#include <weir/select/random.hpp>

#include <deque>
#include <functional>
#include <optional>
#include <stdexcept>
#include <thread>

using weir::pick_error;

namespace {

struct full_pool {
    weir::registry<int> registry;
    std::vector<weir::backend_id> ids;
    weir::random<int> balancer{registry, {.seed = 1}};
    int calls = 0;
    weir::subscription told;

    explicit full_pool(const std::vector<std::uint32_t>& limits) {
        for (const auto limit : limits)
            ids.push_back(registry.add(static_cast<int>(ids.size()), {.max_in_flight = limit}));
    }
    void subscribe() {
        told = registry.on_capacity([this] { ++calls; });
    }
};

/// Looks, and only then lets something happen: what another thread does at the worst moment.
struct looks_too_early {
    struct table {};
    struct state {};
    std::function<void()>* meanwhile;  // at each look

    table build(const weir::view&, const weir::before<table>*, const state&) const { return {}; }
    template <class Accept>
    weir::choice choose(const weir::view& v, const table&, state&, const weir::query&, Accept accept) const noexcept {
        auto seen = weir::choice::refused();
        for (const auto i : v.eligible())
            if (accept(i)) seen = {.index = i};
        (*meanwhile)();
        return seen;
    }
};

}  // namespace

TEST_CASE("room that is made at any moment of a pick is found by it, or told of") {
    for (const bool by_update : {false, true}) {
        for (int moment = 1;; ++moment) {
            weir::registry<int> r;
            r.add(1, {.max_in_flight = 1});
            int looks = 0, told = 0;
            weir::lease<int> held;
            std::function<void()> meanwhile = [&] {
                if (++looks != moment) return;
                if (by_update)
                    r.add(2);
                else
                    held = {};
            };
            const weir::basic_selector balancer{r, looks_too_early{&meanwhile}};
            const auto watching = r.on_capacity([&] { ++told; });
            held = weir::random{r}.pick();
            const auto lease = balancer.pick();
            INFO("at look " << moment << " of " << looks);
            if (looks < moment) {
                CHECK(lease.error() == pick_error::overloaded);
                CHECK(moment > 3);  // it looks again, before and after it has asked to be told
                break;
            }
            CHECK((lease || told == 1));
        }
    }
}

TEST_CASE("when all are full and a lease ends, those who were refused are told, once") {
    full_pool p{{1, 2}};
    p.subscribe();
    auto a = p.balancer.pick(), b = p.balancer.pick(), c = p.balancer.pick();
    CHECK(p.calls == 0);
    a = {};
    CHECK(p.calls == 0);  // nobody was refused
    a = p.balancer.pick();
    CHECK(p.balancer.pick().error() == pick_error::overloaded);
    CHECK(p.balancer.pick().error() == pick_error::overloaded);
    CHECK(p.calls == 0);
    b.complete(weir::outcome::failure);
    CHECK(p.calls == 1);
    c.complete(weir::outcome::success);
    CHECK(p.calls == 1);
    // All who were refused were told; who is refused again is told again.
    b = p.balancer.pick();
    c = p.balancer.pick();
    CHECK(p.balancer.pick().error() == pick_error::overloaded);
    c = {};
    CHECK(p.calls == 2);
}

TEST_CASE("an update that may make room tells, too: a limit raised, a backend added, one that may be chosen again") {
    full_pool p{{1, 1}};
    p.registry.set(p.ids[1], weir::condition::draining);
    p.subscribe();
    const auto held = p.balancer.pick();
    int expected = 0;
    const auto refused_and_told = [&](auto&& update) {
        CHECK_FALSE(p.balancer.pick());
        CHECK(p.calls == expected);
        update();
        CHECK(p.calls == ++expected);
    };
    refused_and_told([&] { p.registry.clear(p.ids[1], weir::condition::draining); });
    const auto second = p.balancer.pick();
    refused_and_told([&] { p.registry.add(2, {.max_in_flight = 1}); });
    CHECK(p.balancer.pick());
    weir::registry<std::string> named;
    named.add("a", {.max_in_flight = 1});
    const weir::random by_name{named};
    int told = 0;
    const auto watching = named.on_capacity([&] { ++told; });
    const auto only = by_name.pick();
    CHECK(by_name.pick().error() == pick_error::overloaded);
    named.assign(std::vector<std::pair<std::string, weir::backend_options>>{{"a", {.max_in_flight = 2}}});
    CHECK(told == 1);
    CHECK(by_name.pick());
    // Not only of limits: an outage ends.
    weir::registry<int> empty;
    const weir::random none{empty};
    const auto waiting = empty.on_capacity([&] { ++told; });
    CHECK(none.pick().error() == pick_error::empty);
    const auto id = empty.add(1, {.weight = 0});
    CHECK(told == 2);
    CHECK(none.pick().error() == pick_error::none_eligible);
    empty.set_weight(id, 1);
    CHECK(told == 3);
}

TEST_CASE("bounds of adaptors and of selectors count as limits do") {
    weir::registry<int> r;
    r.add(1);
    r.add(2);
    const weir::first balancer{r, {.fill = 1}};
    int told = 0;
    const auto watching = r.on_capacity([&] { ++told; });
    auto a = balancer.pick(), b = balancer.pick();
    CHECK(balancer.pick().error() == pick_error::overloaded);
    b = {};
    CHECK(told == 1);
    CHECK(balancer.pick());
}

TEST_CASE("whoever is told may do anything: it runs without a lock and outside read sections") {
    REQUIRE(weir_test::mortal::living() == 0);
    {
        weir::registry<weir_test::mortal> r;
        const auto a = r.add(weir_test::mortal{"a"}, {.max_in_flight = 1});
        const weir::random balancer{r};
        weir::lease<weir_test::mortal> mine, next;
        int told = 0;
        const auto watching = r.on_capacity([&] {
            ++told;
            next = balancer.pick();
            r.add(weir_test::mortal{"added " + std::to_string(told)}, {.weight = 0});
            const auto also = r.on_capacity([] {});
            if (told == 3) {
                r.remove(a);
                next = {};
                CHECK_FALSE(r.find("a"));
                CHECK(weir_test::mortal::living() == 3);  // it is gone already: no read section holds it
            }
        });
        mine = balancer.pick();
        CHECK_FALSE(balancer.pick());
        mine.complete(weir::outcome::success);
        CHECK(told == 1);
        REQUIRE(next);
        // Inside a read section the call waits for its end.
        CHECK_FALSE(balancer.pick());
        CHECK(r.visit(a, [&](weir_test::mortal&) {
            next.complete(weir::outcome::success);
            CHECK(told == 1);
        }));
        CHECK(told == 2);
        REQUIRE(next);
        CHECK_FALSE(balancer.pick());
        next.complete(weir::outcome::success);
        CHECK(told == 3);
    }
    CHECK(weir_test::mortal::living() == 0);
}

TEST_CASE("several are told; whose subscription is gone is not, and what it owned is gone") {
    full_pool p{{1}};
    auto owned = std::make_shared<int>(0);
    const std::weak_ptr<int> watched = owned;
    auto first = p.registry.on_capacity([owned = std::move(owned)] { ++*owned; });
    p.subscribe();
    const auto refused_and_freed = [&] {
        const auto held = p.balancer.pick();
        CHECK(p.balancer.pick().error() == pick_error::overloaded);
    };
    refused_and_freed();
    CHECK(p.calls == 1);
    CHECK(*watched.lock() == 1);
    first = {};
    CHECK(watched.expired());
    refused_and_freed();
    CHECK(p.calls == 2);
    p.told = {};
    refused_and_freed();
    CHECK(p.calls == 2);
    CHECK_THROWS_AS(p.registry.on_capacity({}), std::invalid_argument);
    p.subscribe();  // and again
    refused_and_freed();
    CHECK(p.calls == 3);
}

TEST_CASE("any order of destruction is safe: of subscription, registry, selector and leases") {
    for (int order = 0; order < 4; ++order) {
        int told = 0;
        auto r = std::make_unique<weir::registry<int>>();
        r->add(1, {.max_in_flight = 1});
        auto balancer = std::make_unique<weir::random<int>>(*r);
        std::optional<weir::subscription> watching{r->on_capacity([&] { ++told; })};
        auto held = balancer->pick();
        CHECK_FALSE(balancer->pick());
        if (order == 0) watching.reset();
        if (order <= 1) r.reset();
        if (order == 2) balancer.reset();
        held = {};
        CHECK(told == (order >= 2 ? 1 : 0));
        if (order == 3) r.reset();
    }
}

TEST_CASE("a refused update leaves nobody unwatched, whom it would have removed or not") {
    weir::registry<int> r;
    const auto last = r.add(0, {.max_in_flight = 1});
    for (int i = 1; i < 31; ++i) r.add(i);
    const weir::least_connections balancer{r};  // asks for the watch as soon as the pool is worth an index
    struct stubborn : weir::random_policy {
        table build(const weir::view& v, const weir::before<table>* b, const state& s) const {
            if (v.size() > 31) throw std::invalid_argument{"no more than 31"};
            return weir::random_policy::build(v, b, s);
        }
    };
    const weir::basic_selector refuses{r, stubborn{}};
    CHECK_THROWS_AS(r.update([&](auto& change) {
        change.remove(last);
        for (int i = 31; i < 33; ++i) change.add(i);
    }),
                    std::invalid_argument);
    int told = 0;
    const auto watching = r.on_capacity([&] { ++told; });
    for (const auto& m : r.members())
        if (m.id != last) r.set(m.id, weir::condition::disabled);
    auto held = balancer.pick();
    REQUIRE(held.id() == last);
    CHECK(balancer.pick().error() == pick_error::overloaded);
    held.complete(weir::outcome::success);
    CHECK(told == 1);
}

TEST_CASE("nobody who was refused waits for ever: threads that count the calls and sleep until the next", "[threads]") {
    weir::registry<int> r;
    for (const std::uint32_t limit : {1u, 2u}) r.add(static_cast<int>(limit), {.max_in_flight = limit});
    const weir::random balancer{r};
    std::atomic<std::uint32_t> calls{0};
    const auto watching = r.on_capacity([&] {
        calls.fetch_add(1);
        calls.notify_all();
    });
    std::atomic<std::uint64_t> asked{0}, served{0};
    const std::uint64_t requests = weir_test::repetitions(300'000);
    std::atomic<int> ready{0};
    const auto work = [&](std::uint64_t seed) {
        weir::generator random{seed};
        std::deque<weir::lease<int>> mine;
        ready.fetch_add(1);
        while (ready.load() < 4) std::this_thread::yield();
        // Longer where the threads happened to run one after the other, so that nobody was ever refused.
        for (std::uint64_t i = 0; i < requests || (calls.load() == 0 && i < 1'000 * requests); ++i) {
            asked.fetch_add(1);
            for (;;) {
                const std::uint32_t before = calls.load();
                if (auto lease = balancer.pick()) {
                    mine.push_back(std::move(lease));
                    break;
                }
                // Whoever holds places must not wait for others to give theirs back.
                if (!mine.empty())
                    mine.pop_front();
                else
                    calls.wait(before);
            }
            served.fetch_add(1);
            if (mine.size() > random.below(3)) mine.pop_front();
        }
    };
    std::thread second{work, 2}, third{work, 3}, fourth{work, 4};
    work(1);
    second.join();
    third.join();
    fourth.join();
    CHECK(asked >= 4 * requests);
    CHECK(served == asked);
    CHECK(calls > 0);
    for (const auto& m : r.members()) CHECK(m.in_flight == 0);
}
