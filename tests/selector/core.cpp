#include <weir/selector/core.hpp>

#include "catch.hpp"

#include <weir/weir.hpp>

#include <concepts>
#include <cstdint>
#include <type_traits>
#include <vector>

using namespace std::chrono_literals;

namespace {

/// A clock that stands still and counts who looks at it.
struct watched_clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<watched_clock>;
    [[maybe_unused]] static constexpr bool is_steady = true;
    static inline int readings = 0;

    static time_point now() noexcept {
        ++readings;
        return time_point{1h};
    }
};

using servers = weir::registry<int, watched_clock>;

/// How often the clock is read by `use(selector)`.
template <class Selector, class F>
int readings(const Selector& s, F&& use) {
    const int before = watched_clock::readings;
    use(s);
    return watched_clock::readings - before;
}

/// A registry of its own, as each lease feeds what any selector of its registry has brought.
template <template <class...> class Selector>
int readings_of_a_lease() {
    servers r;
    for (int i = 0; i < 100; ++i) r.add(i, {.weight = static_cast<std::uint32_t>(1 + i % 3)});
    return readings(Selector{r}, [](const auto& s) {
        s.pick({.key = 7}).complete(weir::outcome::success);
        s.pick({.key = 8}).complete(weir::outcome::failure);
        {
            const auto dropped = s.pick({.key = 9});
        }
        CHECK(s.choose({.key = 7}, [](int&) {}) == weir::pick_error::none);
    });
}

/// A policy whose answers are looked at where selectors do not.
template <class P>
struct watched : P {
    static inline int asked = 0, wrong = 0;
    using always_chooses = watched;

    template <class Accept>
    [[nodiscard]] weir::choice choose(const weir::view& v, const typename P::table& t, typename P::state& s,
                                      const weir::query& q, Accept accept) const noexcept {
        const weir::choice c = P::choose(v, t, s, q, accept);
        if constexpr (std::same_as<Accept, weir::detail::accept_any>) {
            ++asked;
            wrong += v.is_eligible(c.index) && c.bound == weir::unlimited ? 0 : 1;
        }
        return c;
    }
};

/// Made of one that always chooses.
struct refuses : weir::random_policy {
    template <class Accept>
    [[nodiscard]] weir::choice choose(const weir::view&, const table&, state&, const weir::query&,
                                      Accept) const noexcept {
        return weir::choice::refused();
    }
};

}  // namespace

TEMPLATE_TEST_CASE("a policy that says so always chooses somebody, who is eligible, whatever became of the members", "",
                   weir::round_robin_policy, weir::rotation_policy<weir::per_thread_cursor>, weir::random_policy,
                   (weir::choices_policy<weir::in_flight, 2>), (weir::choices_policy<weir::in_flight, 3>),
                   (weir::choices_policy<weir::peak_ewma, 2>)) {
    using policy = watched<TestType>;
    static_assert(weir::detail::chooses_always<policy> && weir::detail::chooses_always<TestType> &&
                  weir::detail::chooses_eligible_only<policy>);
    weir::registry<int> r;
    const weir::basic_selector<int, policy> selector{r, policy{}};
    weir::generator random{7};
    const std::uint32_t weights[] = {0, 1, 1, 2, 1000, 4'294'967'295};
    std::vector<weir::backend_id> members;
    int picked = 0, next = 0;
    for (int round = 0; round < 2000; ++round) {
        switch (random.below(members.size() > 20 ? 5 : 8)) {
        case 0:
        case 1:
            if (members.empty()) break;
            std::swap(members[random.below(members.size())], members.back());
            r.remove(members.back());
            members.pop_back();
            break;
        case 2:
            if (!members.empty()) r.set_weight(members[random.below(members.size())], weights[random.below(6)]);
            break;
        case 3:
            if (!members.empty()) r.set(members[random.below(members.size())], weir::condition::unreachable);
            break;
        case 4:
            if (!members.empty()) r.clear(members[random.below(members.size())], weir::condition::unreachable);
            break;
        default: members.push_back(r.add(next++, {.weight = weights[random.below(6)]}));
        }
        for (int i = 0; i < 20; ++i) picked += selector.choose([](int&) {}) == weir::pick_error::none ? 1 : 0;
    }
    CHECK(picked > 10'000);
    CHECK(policy::asked == picked);
    CHECK(policy::wrong == 0);
}

TEST_CASE("what a policy says of its own answers does not hold for those that are made from it") {
    weir::registry<int> r;
    r.add(1);
    r.add(2);
    const weir::basic_selector<int, refuses> selector{r, refuses{}};
    CHECK(selector.pick().error() == weir::pick_error::overloaded);
    CHECK(selector.choose([](int&) {}) == weir::pick_error::overloaded);
}

namespace {

/// Takes the first member that may be chosen, and notes whether it was asked for any.
template <bool MembersOnly>
struct notes_how_it_is_asked {
    struct table {
        std::vector<std::uint32_t> members;
    };
    struct state {};
    using members_only = std::conditional_t<MembersOnly, notes_how_it_is_asked, void>;
    static inline bool for_any = false;

    [[nodiscard]] table build(const weir::view& v, const weir::before<table>*, const state&) const {
        table t;
        for (std::uint32_t i = 0; i < v.slots(); ++i)
            if (v.is_member(i)) t.members.push_back(i);
        return t;
    }
    template <class Accept>
    [[nodiscard]] weir::choice choose(const weir::view&, const table& t, state&, const weir::query&,
                                      Accept accept) const noexcept {
        for_any = std::same_as<Accept, weir::detail::accept_any>;
        for (const auto i : t.members)
            if (accept(i)) return {.index = i};
        return {};
    }
};

/// For any member, for one of some, and for any again where a slot is free.
template <class Policy>
std::vector<bool> how_it_is_asked() {
    weir::registry<int> r;
    const auto gone = r.add(1), out = r.add(2);
    r.add(3);
    const weir::basic_selector<int, Policy> selector{r, Policy{}};
    std::vector<bool> result;
    const auto ask = [&](int expected) {
        const auto lease = selector.pick();
        CHECK(*lease == expected);
        result.push_back(Policy::for_any);
    };
    ask(1);
    r.remove(gone);
    ask(2);
    r.set(out, weir::condition::draining);
    ask(3);
    r.clear(out, weir::condition::draining);
    ask(2);
    return result;
}

/// Turns of its own for leases, and none for `choose`, if that were asked of what it inherits.
struct always_last : weir::round_robin_policy {
    using always_chooses = always_last;

    template <class Accept>
    [[nodiscard]] weir::choice choose(const weir::view& v, const table&, state&, const weir::query&,
                                      Accept) const noexcept {
        return {.index = v.eligible().back()};
    }
};

}  // namespace

TEST_CASE("a policy of members alone is not asked what may be chosen while all of them may be, free slots or not") {
    CHECK(how_it_is_asked<notes_how_it_is_asked<true>>() == std::vector<bool>{true, true, false, true});
    CHECK(how_it_is_asked<notes_how_it_is_asked<false>>() == std::vector<bool>{true, false, false, false});
    STATIC_REQUIRE(std::same_as<weir::maglev_policy::members_only, weir::maglev_policy>);
}

TEST_CASE("who overrides `choose` does not inherit the short way to a record") {
    STATIC_REQUIRE(weir::detail::chooses_records<weir::round_robin_policy>);
    STATIC_REQUIRE_FALSE(weir::detail::chooses_records<always_last>);
    weir::registry<int> r;
    for (int i = 0; i < 5; ++i) r.add(int{i});
    const weir::basic_selector<int, always_last> selector{r, always_last{}};
    for (int i = 0; i < 5; ++i) {
        CHECK(*selector.pick() == 4);
        CHECK(selector.choose([](int& one) { CHECK(one == 4); }) == weir::pick_error::none);
    }
}

TEST_CASE("only selectors by latency read a clock") {
    CHECK(readings_of_a_lease<weir::round_robin>() == 0);
    CHECK(readings_of_a_lease<weir::random>() == 0);
    CHECK(readings_of_a_lease<weir::least_connections>() == 0);
    CHECK(readings_of_a_lease<weir::nginx_least_conn>() == 0);
    CHECK(readings_of_a_lease<weir::haproxy_leastconn>() == 0);
    CHECK(readings_of_a_lease<weir::power_of_two>() == 0);
    CHECK(readings_of_a_lease<weir::first>() == 0);
    CHECK(readings_of_a_lease<weir::ring_hash>() == 0);
    CHECK(readings_of_a_lease<weir::maglev>() == 0);
    CHECK(readings_of_a_lease<weir::p2c_peak_ewma>() > 0);
}

TEST_CASE("a lease by latency reads the clock when it starts and when it ends, unless it is told") {
    servers r;
    for (int i = 0; i < 100; ++i) r.add(i);
    const weir::p2c_peak_ewma balancer{r};
    using selector = weir::p2c_peak_ewma<int>;
    const weir::pick_options told{.now = 1h};
    CHECK(readings(balancer, [](const selector& s) { s.pick().complete(weir::outcome::success); }) == 2);
    CHECK(readings(balancer, [&](const selector& s) { s.pick(told).complete(weir::outcome::success); }) == 1);
    CHECK(readings(balancer, [](const selector& s) { s.pick().complete(weir::outcome::success, 1ms); }) == 1);
    CHECK(readings(balancer, [&](const selector& s) { s.pick(told).complete(weir::outcome::success, 1ms); }) == 0);
    CHECK(readings(balancer, [&](const selector& s) { s.choose(told, [](int&) {}); }) == 0);

    // Beside another metric as alone.
    const weir::choices<int, weir::ewma, 3> other{r};
    CHECK(readings(balancer, [](const selector& s) { s.pick().complete(weir::outcome::success); }) == 2);
    CHECK(readings(balancer, [&](const selector& s) { s.pick(told).complete(weir::outcome::success); }) == 1);
    CHECK(readings(balancer, [&](const selector& s) { s.pick(told).complete(weir::outcome::success, 1ms); }) == 0);
}
