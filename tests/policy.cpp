#include <weir/policy.hpp>

#include "catch.hpp"
#include "statistics.hpp"

#include <weir/weir.hpp>

#include <cstdlib>

using weir::choice;
using weir::pick_reason;
using weir_test::unfair;

namespace {

namespace exemplar {
using namespace weir;
// As the header has it, word for word: tests/docs.cmake compares them.
// clang-format off
struct first_eligible {
    struct table {};                    // immutable, made for each snapshot in the writer
    struct state {};                    // shared by all picks: a cursor, a total; may be made from
                                        // (const first_eligible&, metric_set&)
    table build(const view&, const before<table>*, const state&) const { return {}; }
    template <class Accept>
    choice choose(const view& v, const table&, state&, const query&, Accept accept) const noexcept {
        for (const auto i : v.eligible())
            if (accept(i)) return {.index = i};
        return {};
    }
};
// clang-format on
}  // namespace exemplar

/// The parts that every policy here has in common.
struct base {
    struct table {};
    struct state {};
    table build(const weir::view&, const weir::before<table>*, const state&) const { return {}; }
};

/// The one that is eligible and came last.
struct youngest : base {
    template <class Accept>
    choice choose(const weir::view& v, const table&, state&, const weir::query&, Accept accept) const noexcept {
        for (auto i = v.eligible().rbegin(); i != v.eligible().rend(); ++i)
            if (accept(*i)) return {.index = *i};
        return {};
    }
};

/// Asks nobody, and returns any number.
struct garbage : base {
    template <class Accept>
    choice choose(const weir::view&, const table&, state&, const weir::query& q, Accept) const noexcept {
        return {.index = static_cast<std::uint32_t>(q.random() >> (32 + q.random_below(32)))};
    }
};

struct gives_up : base {
    template <class Accept>
    choice choose(const weir::view&, const table&, state&, const weir::query&, Accept) const noexcept {
        return {};
    }
};

/// Names a bound under which there is no room.
struct stingy : base {
    template <class Accept>
    choice choose(const weir::view& v, const table&, state&, const weir::query&, Accept) const noexcept {
        return {.index = v.eligible().empty() ? choice::nobody : v.eligible().front(), .bound = 2};
    }
};

struct throwing : base {
    template <class Accept>
    choice choose(const weir::view&, const table&, state&, const weir::query&, Accept) const {
        return {};
    }
};
struct no_choose : base {};
struct no_table {
    struct state {};
};

static_assert(weir::policy<exemplar::first_eligible> && weir::policy<youngest> && weir::policy<garbage> &&
              weir::policy<gives_up> && weir::policy<stingy>);
static_assert(weir::policy<weir::round_robin_policy> && weir::policy<weir::random_policy> &&
              weir::policy<weir::least_load_policy<weir::in_flight>> &&
              weir::policy<weir::choices_policy<weir::peak_ewma, 2>> && weir::policy<weir::ring_hash_policy> &&
              weir::policy<weir::bounded_load<weir::ring_hash_policy>>);
static_assert(!weir::policy<throwing> && !weir::policy<no_choose> && !weir::policy<no_table> && !weir::policy<int>);

struct pool {
    weir::registry<std::string> registry;
    std::vector<weir::backend_id> ids;
    explicit pool(const std::vector<std::uint32_t>& weights) {
        for (const auto w : weights) ids.push_back(registry.add("b" + std::to_string(ids.size()), {.weight = w}));
    }
};

}  // namespace

TEST_CASE("the exemplar takes the first that may be chosen") {
    weir::registry<int> r;
    const auto first = r.add(1);
    r.add(2);
    const weir::basic_selector balancer{r, exemplar::first_eligible{}};
    CHECK(*balancer.pick() == 1);
    CHECK(*balancer.pick({.exclude = {&first, 1}}) == 2);
    r.set(first, weir::condition::draining);
    CHECK(*balancer.pick() == 2);
}

TEST_CASE("a policy of the user's own is a selector in three lines") {
    pool p{{1, 1, 1}};
    const weir::basic_selector balancer{p.registry, youngest{}};
    CHECK(balancer.pick().id() == p.ids[2]);
    p.registry.set(p.ids[2], weir::condition::draining);
    CHECK(balancer.pick().id() == p.ids[1]);
    const weir::backend_id exclude[] = {p.ids[1]};
    CHECK(balancer.pick({.exclude = exclude}).id() == p.ids[0]);
}

TEST_CASE("a policy that returns garbage is overruled: never out of range, ineligible, excluded or full") {
    pool p{{1, 2, 0, 3, 1}};
    p.registry.set(p.ids[3], weir::condition::ejected);
    const auto limited = p.registry.add("limited", {.max_in_flight = 1});
    const weir::basic_selector balancer{p.registry, garbage{}, weir::selector_options{.seed = 1}};
    const weir::backend_id exclude[] = {p.ids[0]};
    auto held = balancer.pick();
    while (held.id() != limited) held = balancer.pick();
    for (int i = 0; i < 5000; ++i) {
        const auto lease = balancer.pick({.exclude = exclude});
        REQUIRE(lease);
        const bool acceptable = lease.id() == p.ids[1] || lease.id() == p.ids[4];
        CHECK(acceptable);
        CHECK(balancer.choose([&](const std::string& name) {
            CHECK((name != "b2" && name != "b3" && name != "limited"));
        }) == weir::pick_error::none);
    }
    CHECK(balancer.counts()[pick_reason::fallback] > 0);
    pool everybody{{1, 1}};  // nothing is restricted: the shortest path
    const weir::basic_selector plain{everybody.registry, garbage{}, weir::selector_options{.seed = 2}};
    for (int i = 0; i < 1000; ++i) CHECK(plain.pick());
    weir::registry<int> empty;
    CHECK(weir::basic_selector{empty, garbage{}}.pick().error() == weir::pick_error::empty);
}

TEST_CASE("a policy that gives up is rescued by a draw in proportion to weight") {
    const std::vector<std::uint32_t> weights{1, 2, 3, 0, 10};
    pool p{weights};
    const weir::basic_selector balancer{p.registry, gives_up{}, weir::selector_options{.seed = 3}};
    std::vector<std::uint64_t> counts(5), without_last(5), keyed(5);
    const weir::backend_id last[] = {p.ids[4]};
    for (std::uint64_t i = 0; i < 30'000; ++i) {
        const auto lease = balancer.pick();
        CHECK(lease.reason() == pick_reason::fallback);
        ++counts[lease.id().slot];
        ++without_last[balancer.pick({.exclude = last}).id().slot];
        ++keyed[balancer.pick({.key = i}).id().slot];
    }
    CHECK(unfair(counts, weights) == "");
    CHECK(unfair(without_last, std::vector<std::uint32_t>{1, 2, 3, 0, 0}) == "");
    CHECK(unfair(keyed, weights) == "");
}

TEST_CASE("with a key the rescue is the key's own, and moves only when that backend goes") {
    pool p{std::vector<std::uint32_t>(12, 1)};
    const weir::basic_selector balancer{p.registry, gives_up{}};
    std::vector<weir::backend_id> homes;
    for (std::uint64_t key = 0; key < 600; ++key) {
        homes.push_back(balancer.pick({.key = key}).id());
        CHECK(balancer.pick({.key = key}).id() == homes.back());
    }
    p.registry.set(p.ids[5], weir::condition::unreachable);
    int strays = 0, moved = 0;
    for (std::uint64_t key = 0; key < 600; ++key) {
        const bool gone = homes[key] == p.ids[5];
        const auto now = balancer.pick({.key = key}).id();
        strays += (now != homes[key]) != gone ? 1 : 0;
        moved += gone ? 1 : 0;
    }
    CHECK(strays == 0);
    CHECK(moved > 0);
}

TEST_CASE("hardening 5: the rescue's draw is exact for the largest weights") {
    constexpr auto most = weir::weight::max;
    const std::vector<std::uint32_t> weights{most, most, 1, most};
    pool p{weights};
    const weir::basic_selector balancer{p.registry, gives_up{}, weir::selector_options{.seed = 4}};
    std::vector<std::uint64_t> counts(4);
    for (int i = 0; i < 20'000; ++i) ++counts[balancer.pick().id().slot];
    CHECK(unfair(counts, weights) == "");
}

TEST_CASE("the bound that a policy names is kept by leases, and its failure is an error, not a loop") {
    pool p{{1, 1}};
    const weir::basic_selector balancer{p.registry, stingy{}};
    auto first = balancer.pick(), second = balancer.pick();
    CHECK(first.id() == p.ids[0]);
    CHECK(second.id() == p.ids[0]);
    CHECK(balancer.pick().error() == weir::pick_error::overloaded);
    CHECK(p.registry.inspect(p.ids[0])->in_flight == 2);
    first.complete(weir::outcome::success);
    CHECK(balancer.pick().id() == p.ids[0]);
}

TEST_CASE("a query has a key if it was given one or its text, a time, and random numbers below any bound") {
    constexpr auto unread = (std::chrono::nanoseconds::min)();
    const auto clock = []() noexcept { return std::chrono::nanoseconds{42}; };
    weir::pick_options o;
    const weir::query q{o, nullptr, clock, unread}, timed{o, nullptr, clock, std::chrono::nanoseconds{7}};
    CHECK_FALSE(q.has_key());
    CHECK(q.now() == std::chrono::nanoseconds{42});
    CHECK(timed.now() == std::chrono::nanoseconds{7});
    o.key_text = "text";
    CHECK(q.has_key());
    CHECK(q.key() == weir::hash("text"));
    CHECK(q.key_text() == "text");
    o.key = 0;  // a key of 0 is a key
    CHECK(q.has_key());
    CHECK(q.key() == 0);
    CHECK(q.random_below(0) == 0);
    CHECK(q.random_below(1) == 0);
    for (int i = 0; i < 100; ++i) CHECK(q.random_below(3) < 3);
}
