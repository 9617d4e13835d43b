#include <weir/health/active_checker.hpp>

#include "catch.hpp"
#include "support/backends.hpp"
#include "support/length.hpp"

#include <weir/random.hpp>
#include <weir/select/round_robin.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using weir::active_checker;
using weir::backend_id;
using weir::check_options;
using weir::check_state;
using weir::condition;
using weir::probe;
using weir::probe_result;

namespace {

using registry = weir::registry<std::string>;

const check_options exact{.interval = 2s, .jitter = 0};

bool failed(const registry& r, backend_id id) { return r.inspect(id)->conditions.has(condition::failed_check); }

/// Drives a checker to a point of time, with answers that a function gives at once.
template <class Answer>
void drive(active_checker& c, nanoseconds& now, nanoseconds until, Answer&& answer) {
    while (true) {
        for (const probe& p : c.due(now))
            c.report(p, answer(p.id, now) ? probe_result::passed : probe_result::failed, now);
        const nanoseconds next = c.next_due(now);
        if (next > until) break;
        now = (std::max)(now, next);
    }
    now = until;
}

/// A policy that counts publications.
struct counting {
    struct table {};
    struct state {};
    std::shared_ptr<int> built = std::make_shared<int>(0);
    bool* refuse = nullptr;
    [[nodiscard]] table build(const weir::view&, const weir::before<table>*, const state&) const {
        if (refuse != nullptr && *refuse) throw std::runtime_error{"the table refuses"};
        ++*built;
        return {};
    }
    template <class Accept>
    weir::choice choose(const weir::view& v, const table&, state&, const weir::query&, Accept accept) const noexcept {
        for (const auto i : v.eligible())
            if (accept(i)) return {.index = i};
        return {};
    }
};

}  // namespace

TEST_CASE("results and silence set and clear failed_check as rise and fall say; the first one decides") {
    struct row {
        char result;  // + passed, - failed, . never reported
        bool failed;  // afterwards
    };
    const row table[] = {{'-', true},  {'+', true},  {'+', false}, {'-', false}, {'-', false}, {'+', false},
                         {'-', false}, {'.', false}, {'-', true},  {'+', true},  {'.', true},  {'+', true},
                         {'+', false}, {'.', false}, {'.', false}, {'.', true},  {'+', true},  {'+', false}};
    registry r;
    const auto id = r.add("a");
    active_checker checker{r, {.interval = 2s, .timeout = 1s, .jitter = 0}, 1};
    nanoseconds now{0};
    for (const row& one : table) {
        const auto probes = checker.due(now);
        REQUIRE(probes.size() == 1);
        CHECK(probes[0].id == id);
        CHECK(probes[0].deadline == now + 1s);
        CHECK(checker.due(now).empty());
        CHECK(checker.next_due(now) == now + 1s);
        const auto before = failed(r, id);
        if (one.result != '.') {
            const auto result = one.result == '+' ? probe_result::passed : probe_result::failed;
            CHECK(checker.report(probes[0], result, now + 999ms) == (before != one.failed));
            CHECK_FALSE(checker.report(probes[0], result, now + 999ms));  // once
        }
        CHECK(failed(r, id) == before);  // not before the next sweep
        CHECK(checker.due(now + 1s).empty());
        CHECK(failed(r, id) == one.failed);
        CHECK(checker.next_due(now + 1s) == now + 2s);
        CHECK_FALSE(checker.report(probes[0], probe_result::passed, now + 1s));  // too late
        now += 2s;
    }
    CHECK(checker.status(id)->passed == 8);
    CHECK(checker.status(id)->failed == 5);
    CHECK(checker.status(id)->timed_out == 5);
}

TEST_CASE("the first failure decides at once, also where many are needed later") {
    registry r;
    const auto good = r.add("good"), bad = r.add("bad");
    active_checker checker{r, {.rise = 10, .fall = 10, .jitter = 0}, 1};
    nanoseconds now{0};
    drive(checker, now, 2s, [&](backend_id id, nanoseconds) { return id == good; });
    CHECK(failed(r, bad));
    CHECK_FALSE(failed(r, good));
    CHECK(checker.status(good)->state == check_state::up);
    CHECK(checker.status(bad)->state == check_state::down);
}

TEST_CASE("one that joins with failed_check set is let in by its first pass") {
    registry r;
    active_checker checker{r, exact, 1};
    backend_id id;
    r.update([&](auto& change) {
        id = change.add("cautious");
        change.set(id, condition::failed_check);
    });
    nanoseconds now{0};
    const auto probes = checker.due(now);
    REQUIRE(probes.size() == 1);
    CHECK(failed(r, id));
    CHECK(checker.report(probes[0], probe_result::passed, now));
    CHECK(checker.due(now).empty());
    CHECK_FALSE(failed(r, id));
}

TEST_CASE("a sweep publishes once, however many backends changed") {
    registry r;
    counting policy;
    const weir::basic_selector selector{r, policy};
    std::vector<backend_id> ids;
    r.update([&](auto& change) {
        for (int i = 0; i < 100; ++i) ids.push_back(change.add("b" + std::to_string(i)));
    });
    active_checker checker{r, {.interval = 2s, .fall = 1, .jitter = 0}, 1};
    const int built = *policy.built;
    std::vector<probe> out;
    for (nanoseconds now{0}; now < 2s; now += 1ms)
        for (const probe& p : checker.due(now)) out.push_back(p);
    CHECK(out.size() == 100);
    for (const probe& p : out) checker.report(p, probe_result::failed, 1999ms);
    CHECK(*policy.built == built);
    CHECK(checker.next_due(1999ms) == 1999ms);
    (void)checker.due(1999ms);
    CHECK(*policy.built == built + 1);
    for (const auto id : ids) CHECK(failed(r, id));
}

TEST_CASE("the first probes of those that come together are spread over an interval, evenly") {
    for (const std::uint64_t seed : {1u, 2u, 77u}) {
        registry r;
        std::vector<backend_id> ids;
        r.update([&](auto& change) {
            for (int i = 0; i < 40; ++i) ids.push_back(change.add("b" + std::to_string(i)));
        });
        active_checker checker{r, exact, seed};
        std::map<nanoseconds, int> starts;
        nanoseconds now{0};
        drive(checker, now, 10s - 1ns, [&](backend_id, nanoseconds t) { return ++starts[t] > 0; });
        CHECK(starts.size() == 200);  // one at a time, for ever
        for (const auto& [t, count] : starts) {
            CHECK(count == 1);
            CHECK(t % 50ms == 0ns);
        }
    }
}

TEST_CASE("a newcomer alone is probed at once, and two processes begin with different backends") {
    registry r;
    r.add("a");
    active_checker checker{r, exact, 5};
    CHECK(checker.due(7s).size() == 1);
    const auto id = r.add("b");
    CHECK(checker.next_due(7s) == 7s);  // noticed
    const auto probes = checker.due(7s);
    REQUIRE(probes.size() == 1);
    CHECK(probes[0].id == id);

    std::set<backend_id> first;
    registry many;
    many.update([&](auto& change) {
        for (int i = 0; i < 10; ++i) change.add("b" + std::to_string(i));
    });
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        active_checker one{many, exact, seed};
        first.insert(one.due(0s).at(0).id);
    }
    CHECK(first.size() == 10);
}

TEST_CASE("two checkers of one seed agree on every start, and of no seed on none") {
    const auto starts = [](std::optional<std::uint64_t> seed) {
        registry r;
        r.update([&](auto& change) {
            for (int i = 0; i < 10; ++i) change.add("b" + std::to_string(i));
        });
        active_checker checker{r, {.jitter = 0.5}, seed};
        std::vector<std::pair<nanoseconds, std::uint32_t>> all;
        nanoseconds now{0};
        drive(checker, now, 60s, [&](backend_id id, nanoseconds t) {
            all.emplace_back(t, id.slot);
            return true;
        });
        return all;
    };
    CHECK(starts(3) == starts(3));
    CHECK(starts(3) != starts(4));
    CHECK(starts({}) != starts({}));
}

TEST_CASE("hardening 2: what is known belongs to the instance, and results of one that is gone have no effect") {
    registry r;
    auto id = r.add("a");
    active_checker checker{r, {.interval = 2s, .fall = 2, .jitter = 0}, 1};
    nanoseconds now{0};
    drive(checker, now, 5s, [](backend_id, nanoseconds) { return false; });
    CHECK(failed(r, id));
    now = 6s;
    const auto old = checker.due(now);
    REQUIRE(old.size() == 1);
    r.remove(id);
    const auto again = r.add("a");
    REQUIRE(again.slot == id.slot);
    CHECK_FALSE(failed(r, again));
    CHECK_FALSE(checker.report(old[0], probe_result::failed, now));  // before the checker has noticed
    const auto fresh = checker.due(now);
    REQUIRE(fresh.size() == 1);
    CHECK(fresh[0].id == again);
    CHECK_FALSE(checker.report(old[0], probe_result::failed, now));  // and after
    CHECK_FALSE(checker.report({.id = again, .number = 99}, probe_result::failed, now));
    CHECK_FALSE(checker.report({}, probe_result::failed, now));
    CHECK_FALSE(checker.status(id));
    CHECK(checker.status(again)->state == check_state::unknown);
    (void)checker.due(now);
    CHECK_FALSE(failed(r, again));
    CHECK_FALSE(checker.report(fresh[0], probe_result::passed, now));
    CHECK(checker.status(again)->state == check_state::up);
}

TEST_CASE("hardening 3: a backend that goes between its report and the sweep is left alone") {
    registry r;
    const auto a = r.add("a"), b = r.add("b");
    active_checker checker{r, exact, 1};
    std::vector<probe> out = checker.due(0s);
    for (const probe& p : checker.due(1s)) out.push_back(p);
    REQUIRE(out.size() == 2);
    for (const probe& p : out) CHECK(checker.report(p, probe_result::failed, 1s));
    r.remove(a);
    (void)checker.due(1s);
    CHECK(failed(r, b));
    CHECK_FALSE(r.inspect(a));
    r.remove(b);
    CHECK(checker.due(1s).empty());
    CHECK(checker.next_due(1s) == 3s);  // an interval from now, when others may have joined
}

TEST_CASE("a passing probe clears unreachable if it began after that was set, and never ejected or another condition") {
    registry r;
    const auto id = r.add("a");
    active_checker checker{r, exact, 1};
    const auto conditions = [&] { return r.inspect(id)->conditions; };
    const condition others[] = {condition::ejected, condition::draining, condition::disabled, condition::degraded,
                                condition::user_1};
    for (const auto one : others) r.set(id, one);
    auto probes = checker.due(0s);
    r.set(id, condition::unreachable);  // refused while the probe was on its way: it says nothing about that
    checker.report(probes.at(0), probe_result::passed, 1s);
    (void)checker.due(1s);
    CHECK(conditions().has(condition::unreachable));
    probes = checker.due(2s);
    CHECK_FALSE(checker.report(probes.at(0), probe_result::failed, 3s));
    (void)checker.due(3s);
    CHECK(conditions().has(condition::unreachable));
    probes = checker.due(4s);
    CHECK(checker.report(probes.at(0), probe_result::passed, 5s));
    (void)checker.due(5s);
    CHECK_FALSE(conditions().has(condition::unreachable));
    for (const auto one : others) CHECK(conditions().has(one));
    // Also while failed_check stays: each cause is cleared by its own event.
    for (int i = 3; i < 6; ++i) checker.report(checker.due(i * 2s).at(0), probe_result::failed, i * 2s);
    r.set(id, condition::unreachable);
    checker.report(checker.due(12s).at(0), probe_result::passed, 12s);
    (void)checker.due(12s);
    CHECK(conditions().has(condition::failed_check));
    CHECK_FALSE(conditions().has(condition::unreachable));
}

TEST_CASE("what somebody else did to failed_check lasts until the next result") {
    registry r;
    const auto id = r.add("a");
    active_checker checker{r, exact, 1};
    checker.report(checker.due(0s).at(0), probe_result::failed, 0s);
    (void)checker.due(0s);
    r.clear(id, condition::failed_check);
    (void)checker.due(1s);
    CHECK_FALSE(failed(r, id));
    CHECK(checker.report(checker.due(2s).at(0), probe_result::failed, 2s));
    (void)checker.due(2s);
    CHECK(failed(r, id));
}

TEST_CASE("every member is probed, whatever its conditions and its weight") {
    registry r;
    std::vector<backend_id> ids;
    for (unsigned bit = 0; bit < 15; ++bit) {
        ids.push_back(r.add("b" + std::to_string(bit)));
        r.set(ids.back(), static_cast<condition>(1u << bit));
    }
    ids.push_back(r.add("weightless", {.weight = 0}));
    active_checker checker{r, exact, 1};
    std::set<backend_id> probed;
    nanoseconds now{0};
    drive(checker, now, 2s, [&](backend_id id, nanoseconds) { return probed.insert(id), true; });
    CHECK(probed == std::set<backend_id>(ids.begin(), ids.end()));
}

TEST_CASE("while its traffic succeeds a backend is probed in the slow interval, and at once again when it does not") {
    registry r;
    const auto id = r.add("a");
    const weir::round_robin turns{r};
    active_checker checker{r, {.interval = 2s, .slow_interval = 10s, .jitter = 0}, 1};
    std::vector<nanoseconds> probed;
    const auto second = [&](nanoseconds from, nanoseconds to, weir::outcome how) {
        for (nanoseconds now = from; now < to; now += 1s) {
            turns.pick().complete(how);
            for (const probe& p : checker.due(now)) {
                probed.push_back(now);
                checker.report(p, probe_result::passed, now);
            }
        }
    };
    second(0s, 40s, weir::outcome::success);
    CHECK(probed == std::vector<nanoseconds>{0s, 10s, 20s, 30s});
    probed.clear();
    second(40s, 50s, weir::outcome::failure);
    CHECK(probed == std::vector<nanoseconds>{40s, 42s, 44s, 46s, 48s});
    CHECK_FALSE(failed(r, id));
}

TEST_CASE("out within interval x fall + timeout, and in again within interval x rise, whenever it happens") {
    for (const double jitter : {0.0, 0.5}) {
        for (nanoseconds fault = 20s; fault < 26s; fault += 130ms) {
            const check_options o{.interval = 2s, .timeout = 700ms, .jitter = jitter};
            registry r;
            const auto id = r.add("a");
            active_checker checker{r, o, 3};
            nanoseconds out{0}, in{0};
            const nanoseconds healed = fault + 30s;
            for (nanoseconds now{0}; now < fault + 60s; now += 10ms) {
                const bool hangs = now >= fault && now < healed;
                for (const probe& p : checker.due(now))
                    if (!hangs) checker.report(p, probe_result::passed, now);
                (void)checker.due(now);
                if (out == 0s && failed(r, id)) out = now;
                if (in == 0s && out != 0s && !failed(r, id)) in = now;
            }
            const auto longest = [&](int n) { return nanoseconds{static_cast<std::int64_t>(n * 2e9 * (1 + jitter))}; };
            const nanoseconds tick = 10ms;  // what the driver adds
            CHECK(out - fault <= longest(3) + 700ms + tick);
            CHECK(in - healed <= longest(2) + tick);
            CHECK(out > fault);
            CHECK(in > healed);
        }
    }
}

TEST_CASE("a backend may have options of its own, for as long as it is the same instance") {
    registry r;
    const auto a = r.add("a");
    active_checker checker{r, exact, 1};
    CHECK(checker.set_options(a, {.interval = 500ms, .fall = 1, .jitter = 0}, 0s));
    CHECK_THROWS_AS(checker.set_options(a, {.rise = 0}, 0s), std::invalid_argument);
    CHECK_FALSE(checker.set_options({}, exact, 0s));
    int probes = 0;
    nanoseconds now{0};
    drive(checker, now, 10s - 1ns, [&](backend_id, nanoseconds) { return ++probes > 0; });
    CHECK(probes == 20);
    r.remove(a);
    const auto again = r.add("a");
    now = 10s;
    CHECK_FALSE(checker.set_options(a, exact, now));
    probes = 0;
    drive(checker, now, 20s - 1ns, [&](backend_id, nanoseconds) { return ++probes > 0; });
    CHECK(probes == 5);
    CHECK(checker.status(again));
}

TEST_CASE("longer intervals than the checker's own are not disturbed by its own") {
    registry r;
    const auto a = r.add("a");
    active_checker checker{r, {.interval = 1s, .jitter = 0}, 1};
    checker.set_options(a, {.interval = 10s, .jitter = 0}, 0s);
    int probes = 0;
    nanoseconds now{0};
    drive(checker, now, 100s - 1ns, [&](backend_id, nanoseconds) { return ++probes > 0; });
    CHECK(probes == 10);
}

TEST_CASE("wrong options are refused when a checker is made") {
    registry r;
    CHECK_THROWS_AS((active_checker{r, {.fall = 0}}), std::invalid_argument);
    CHECK_THROWS_AS((active_checker{r, {.interval = 1s, .timeout = 2s}}), std::invalid_argument);
}

TEST_CASE("a checker outlives its registry, and then finds nobody") {
    auto r = std::make_unique<registry>();
    r->add("a");
    active_checker checker{*r, exact, 1};
    const auto probes = checker.due(0s);
    checker.report(probes.at(0), probe_result::failed, 0s);
    r.reset();
    CHECK(checker.due(0s).empty());
    CHECK_FALSE(checker.report(probes.at(0), probe_result::failed, 0s));
    CHECK(checker.due(100s).empty());
    CHECK_FALSE(checker.status(probes[0].id));
}

TEST_CASE("a verdict that cannot be published is kept, and no probe is lost to that") {
    registry r;
    bool refuse = false;
    counting policy;
    policy.refuse = &refuse;
    const weir::basic_selector selector{r, policy};
    const auto id = r.add("a");
    active_checker checker{r, exact, 1};
    checker.report(checker.due(0s).at(0), probe_result::failed, 0s);
    refuse = true;
    CHECK_THROWS_WITH(checker.due(2s), "the table refuses");
    CHECK_FALSE(failed(r, id));
    refuse = false;
    CHECK(checker.next_due(2s) == 2s);
    CHECK(checker.due(2s).size() == 1);
    CHECK(failed(r, id));
}

TEST_CASE("an observer and a backend's destructor may call the checker that caused them") {
    weir::registry<weir_test::mortal> r;
    active_checker checker{r, {.fall = 1, .jitter = 0}, 1};
    weir::round_robin turns{r};
    int told = 0, died = 0;
    const auto id = r.add(weir_test::mortal{"a", [&] {
                                                ++died;
                                                (void)checker.due(9s);
                                                (void)checker.next_due(9s);
                                            }});
    const auto watching = r.observe([&](const weir::change_event& e) {
        ++told;
        CHECK(checker.status(e.id).has_value() == (told == 1));
        (void)checker.due(1s);
        (void)checker.report({.id = e.id, .number = 1}, probe_result::passed, 1s);
    });
    checker.report(checker.due(0s).at(0), probe_result::failed, 0s);
    (void)checker.due(0s);
    CHECK(told == 1);
    r.remove(id);
    CHECK(died == 1);
}

TEST_CASE("inside an update the checker's sweep is refused in words, and does its work afterwards") {
    registry r;
    const auto id = r.add("a");
    active_checker checker{r, exact, 1};
    checker.report(checker.due(0s).at(0), probe_result::failed, 0s);
    r.update([&](auto&) { CHECK_THROWS_AS(checker.due(0s), std::logic_error); });
    (void)checker.due(0s);
    CHECK(failed(r, id));
}

TEST_CASE("two threads sweep and report while a third changes the members", "[threads]") {
    registry r;
    std::vector<backend_id> ids;
    for (int i = 0; i < 8; ++i) ids.push_back(r.add("b" + std::to_string(i)));
    active_checker checker{r, {.interval = 1ms, .rise = 1, .fall = 1}, 1};
    std::atomic<bool> done{false};
    std::atomic<std::int64_t> clock{0};
    const auto sweep = [&](std::uint64_t seed) {
        weir::generator random{seed};
        std::vector<probe> out;
        while (!done) {
            const nanoseconds now{clock.fetch_add(20'000)};
            for (const probe& p : checker.due(now)) out.push_back(p);
            while (!out.empty() && random.below(4) != 0) {
                checker.report(out.back(), random.below(2) == 0 ? probe_result::passed : probe_result::failed, now);
                out.pop_back();
            }
        }
    };
    std::thread first{sweep, 1}, second{sweep, 2};
    for (std::uint64_t i = 0; i < weir_test::repetitions(10'000); ++i) {
        auto& id = ids[i % ids.size()];
        r.remove(id);
        id = r.add("n" + std::to_string(i));
    }
    done = true;
    first.join();
    second.join();
    // At rest the registry says what the checker knows.
    nanoseconds now{clock.load() + 1'000'000'000};
    for (const probe& p : checker.due(now)) checker.report(p, probe_result::passed, now);
    (void)checker.due(now);
    for (const auto& m : r.members()) {
        const auto known = checker.status(m.id);
        REQUIRE(known);
        CHECK(m.conditions.has(condition::failed_check) == (known->state == check_state::down));
    }
}
