#include <weir/health/outlier_detector.hpp>

#include "catch.hpp"
#include "support/length.hpp"
#include "support/manual_clock.hpp"

#include <weir/random.hpp>
#include <weir/select/random.hpp>
#include <weir/select/round_robin.hpp>

#include <map>
#include <string>
#include <thread>
#include <vector>

// The detector against an oracle that knows the rules and nothing else, and the cap under threads.

using namespace std::chrono_literals;
using weir::condition;
using weir::outcome;
using weir_test::manual_clock;

namespace {

const weir::outlier_options rules{.consecutive_failures = 3u,
                                  .success_rate_by_sigma = {},
                                  .interval = 10s,
                                  .base_ejection_time = 7s,
                                  .max_ejection_time = 20s,
                                  .jitter = 0,
                                  .max_ejected_share = 0.34,
                                  .trial_requests = 2u};

/// The rules in words of their own: one backend.
struct suspect {
    weir::backend_id id;
    bool check_failed = false, out = false, trying = false;  // what is published
    bool tripped = false, trial_failed = false, trial_passed = false;
    int run = 0, passed = 0, in_a_row = 0;
    std::chrono::nanoseconds until{0};

    [[nodiscard]] bool eligible() const { return !check_failed && !out; }
    [[nodiscard]] bool full() const { return eligible() && !trying; }
    [[nodiscard]] bool open() const { return eligible() && !(trying && trial_failed); }
    void became_eligible() { run = 0, tripped = false; }
};

struct oracle {
    std::map<std::uint32_t, suspect> all;  // by slot, in whose order equals are served
    std::chrono::nanoseconds now{0}, next_sweep = rules.interval;
    int granted = 0, refused = 0;

    [[nodiscard]] std::size_t count(bool (*of)(const suspect&)) const {
        return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](auto& s) { return of(s.second); }));
    }
    [[nodiscard]] std::size_t full() const {
        return count([](auto& s) { return s.full(); });
    }
    [[nodiscard]] std::size_t out() const {
        return count([](auto& s) { return s.out; });
    }
    [[nodiscard]] std::size_t trying() const {
        return count([](auto& s) { return !s.out && s.trying; });
    }
    [[nodiscard]] std::size_t cap() const {
        return std::max<std::size_t>(
            1, static_cast<std::size_t>(rules.max_ejected_share * static_cast<double>(all.size())));
    }

    void report(suspect& s, bool success) {
        if (s.trying && !s.trial_passed && !s.trial_failed) {
            s.trial_failed = !success;
            s.trial_passed = success && ++s.passed == 2;
        }
        s.run = success ? 0 : s.run + 1;
        s.tripped = s.tripped || (!success && s.run % 3 == 0);
    }
    void bring_back(suspect& s) {
        const bool was = s.eligible();
        if (s.out && full() > 0) {
            s.trying = true;
            s.trial_failed = s.trial_passed = false;
            s.passed = 0;
        } else {
            s.trying = false;
            s.became_eligible();
        }
        s.out = false;
        if (!was && s.eligible()) s.became_eligible();
    }
    void poll() {
        const bool sweep = now >= next_sweep;
        if (sweep) next_sweep = now + rules.interval;
        std::vector<suspect*> returns, ends, surplus, ejections;
        for (auto& [slot, s] : all) {
            if (s.out) {
                if (now >= s.until) ends.push_back(&s);
            } else if (s.trying) {
                if (s.trial_passed) returns.push_back(&s);
                if (s.trial_failed) ejections.push_back(&s);
            } else {
                if (s.eligible() && (s.tripped || (sweep && s.run >= 3))) ejections.push_back(&s);
                if (!s.eligible()) s.tripped = false;
            }
            const auto is = [&](auto& list) { return !list.empty() && list.back() == &s; };
            if (sweep && s.full() && !is(ejections)) s.in_a_row = std::max(0, s.in_a_row - 1);
        }
        if (sweep && (full() == 0 || out() > cap())) {
            for (auto& [slot, s] : all) {
                const auto is = [&](auto& list) { return std::find(list.begin(), list.end(), &s) != list.end(); };
                if ((!s.out && !s.trying) || is(ends) || is(returns) || is(ejections)) continue;
                const auto sooner = [](const suspect* a, const suspect* b) { return a->until < b->until; };
                surplus.insert(std::upper_bound(surplus.begin(), surplus.end(), &s, sooner), &s);
            }
        }
        for (suspect* s : returns) bring_back(*s);
        for (suspect* s : ends) bring_back(*s);
        for (suspect* s : surplus)
            if (full() == 0 || (out() > cap() && s->out)) bring_back(*s);
        for (suspect* s : ejections) {
            s->tripped = false;
            if (!s->trying && !s->eligible()) continue;
            const bool last = full() <= (s->full() ? 1u : 0u);
            if (last || out() + trying() + (s->trying ? 0 : 1) > cap()) {
                ++refused;
                if (s->trying && last) bring_back(*s);
                s->trial_failed = s->trial_passed = false;
                s->passed = 0;
            } else {
                ++granted;
                s->trying = s->trial_failed = false;
                s->out = true;
                s->in_a_row = std::min(s->in_a_row + 1, 3);
                s->until = now + std::min<std::chrono::nanoseconds>(7s * s->in_a_row, 20s);
            }
        }
    }
};

}  // namespace

TEST_CASE("a million random steps: the detector does what the oracle says, whatever the clock and the members do") {
    weir::registry<std::string, manual_clock> r;
    const weir::random balancer{r, weir::selector_options{.seed = 1}};
    weir::outlier_detector outliers{r, rules};
    oracle expected;
    weir::generator random{11};
    std::chrono::nanoseconds clock = 5000s;
    int names = 0;
    const auto add = [&] {
        const auto id = r.add("b" + std::to_string(names++));
        expected.all[id.slot] = {.id = id};
    };
    for (int i = 0; i < 5; ++i) add();
    outliers.poll(clock);
    const auto any = [&]() -> suspect& {
        auto at = expected.all.begin();
        std::advance(at, static_cast<std::ptrdiff_t>(random.below(expected.all.size())));
        return at->second;
    };
    std::uint64_t wrong = 0, picks = 0, breaches = 0;
    const std::uint64_t steps = weir_test::repetitions(1'000'000);
    for (std::uint64_t step = 0; step < steps; ++step) {
        suspect& s = any();
        const auto drawn = random.below(1000);
        if (drawn < 760) {  // a burst of requests, some backends failing for long
            const bool bad = (s.id.generation + step / 5000) % 3 == 0;
            std::vector<weir::backend_id> others;
            for (const auto& [slot, other] : expected.all)
                if (other.id != s.id) others.push_back(other.id);
            auto one = balancer.pick({.exclude = others});
            wrong += static_cast<bool>(one) != s.open() ? 1 : 0;
            if (!one) continue;
            ++picks;
            const bool success = random.below(100) >= (bad ? 95u : 10u);
            one.complete(success ? outcome::success : outcome::failure);
            expected.report(s, success);
        } else if (drawn < 800) {
            const bool was = s.eligible();
            s.check_failed = !s.check_failed;
            s.check_failed ? r.set(s.id, condition::failed_check) : r.clear(s.id, condition::failed_check);
            if (!was && s.eligible()) s.became_eligible();
        } else if (drawn < 805) {
            if (expected.all.size() < 12) add();
        } else if (drawn < 810) {
            if (expected.all.size() > 1) {
                r.remove(s.id);
                expected.all.erase(s.id.slot);
            }
        } else if (drawn < 815) {
            clock -= std::chrono::seconds{random.below(10'000)};  // costs no time
            outliers.poll(clock);
            expected.poll();
        } else {
            const std::chrono::nanoseconds by = std::chrono::milliseconds{random.below(drawn < 820 ? 100'000 : 1500)};
            clock += by;
            expected.now += by;
            const auto before = expected.granted;
            outliers.poll(clock);
            expected.poll();
            if (expected.granted > before)
                breaches += expected.out() + expected.trying() > expected.cap() || expected.full() == 0 ? 1 : 0;
        }
        if (step % 16 == 0) {
            for (const auto& m : r.members()) {
                const suspect& o = expected.all.at(m.id.slot);
                weir::conditions should;
                if (o.check_failed) should = should.with(condition::failed_check);
                if (o.out) should = should.with(condition::ejected);
                if (o.trying) should = should.with(condition::half_open);
                wrong += m.id != o.id || m.conditions != should ? 1 : 0;
            }
        }
        if (wrong > 0) {
            INFO("step " << step);
            REQUIRE(wrong == 0);
        }
    }
    CHECK(breaches == 0);
    // It was about something.
    CHECK(picks > steps / 4);
    CHECK(static_cast<std::uint64_t>(expected.granted) > steps / 2000);
    CHECK(static_cast<std::uint64_t>(expected.refused) > steps / 2000);
    const auto counts = outliers.counts();
    std::uint64_t granted = 0, refused = 0;
    for (std::size_t i = 0; i < weir::outlier_rule_count; ++i)
        granted += counts.ejected[i], refused += counts.refused[i];
    CHECK(granted == static_cast<std::uint64_t>(expected.granted));
    CHECK(refused == static_cast<std::uint64_t>(expected.refused));
}

TEST_CASE("the cap is never breached, by two detectors in two threads among an operator's changes", "[threads]") {
    weir::registry<std::string, manual_clock> r;
    std::vector<weir::backend_id> ids;
    for (int i = 0; i < 8; ++i) ids.push_back(r.add("b" + std::to_string(i)));

    // An independent witness: told of every change in the order of publication.
    struct witness {
        std::map<weir::backend_id, weir::conditions> members;
        std::uint64_t version = 0;
        bool ejected = false;
        int ejections = 0, over_the_cap = 0, nobody_left = 0;
        void judge() {
            if (!std::exchange(ejected, false)) return;
            std::size_t out = 0, full = 0;
            for (const auto& [id, c] : members) {
                out += c.has(condition::ejected) || c.has(condition::half_open) ? 1 : 0;
                full += !c.exclude() && !c.has(condition::half_open) ? 1 : 0;
            }
            over_the_cap += out > std::max<std::size_t>(1, members.size() / 4) ? 1 : 0;
            nobody_left += full == 0 ? 1 : 0;
        }
    } seen;
    for (const auto id : ids) seen.members[id] = {};
    const auto watching = r.observe([&](const weir::change_event& e) {
        if (e.version != seen.version) seen.judge();
        seen.version = e.version;
        if (e.kind == weir::change_kind::added) seen.members[e.id] = {};
        if (e.kind == weir::change_kind::removed) seen.members.erase(e.id);
        if (e.kind != weir::change_kind::conditions) return;
        seen.members[e.id] = e.after;
        if (e.after.has(condition::ejected) && !e.before.has(condition::ejected)) seen.ejected = true, ++seen.ejections;
    });

    weir::outlier_options o{.consecutive_failures = 2u,
                            .success_rate_by_sigma = {},
                            .base_ejection_time = 1ms,
                            .max_ejection_time = 3ms,
                            .max_ejected_share = 0.25,
                            .trial_requests = 2u};
    weir::outlier_detector first{r, o}, second{r, o};
    const weir::round_robin balancer{r};
    const std::uint64_t rounds = weir_test::repetitions(30'000);
    std::atomic<std::int64_t> clock{0};
    const auto work = [&](weir::outlier_detector& own, weir::outlier_detector& shared, std::uint64_t seed) {
        weir::generator random{seed};
        std::vector<weir::lease<std::string>> held;
        for (std::uint64_t i = 0; i < rounds; ++i) {
            held.push_back(balancer.pick());
            if (held.size() > 4) {
                const auto at = random.below(held.size());
                held[at].complete(random.below(3) == 0 ? outcome::success : outcome::failure);
                std::swap(held[at], held.back());
                held.pop_back();
            }
            const std::chrono::nanoseconds now{clock.fetch_add(10'000)};
            if (own.pending() || i % 8 == 0) own.poll(now);
            if (i % 5 == 0) shared.poll(now);
            const auto id = ids[random.below(ids.size())];
            switch (random.below(40)) {
            case 0: r.set(id, condition::failed_check); break;
            case 1: r.clear(id, condition::failed_check); break;
            case 2: r.set(id, condition::draining); break;
            case 3:
            case 4: r.clear(id, condition::draining); break;
            case 5:
                if (const auto guest = r.find("guest")) r.remove(*guest);
                break;
            case 6:
                r.update([&](auto& change) {
                    if (!change.find("guest")) change.add("guest");
                });
                break;
            default: break;
            }
        }
    };
    std::thread other{[&] { work(first, second, 1); }};
    work(second, first, 2);
    other.join();
    seen.judge();
    CHECK(seen.over_the_cap == 0);
    CHECK(seen.nobody_left == 0);
    CHECK(static_cast<std::uint64_t>(seen.ejections) > rounds / 1000);
    for (const auto& m : r.members()) CHECK(m.in_flight == 0);
}

TEST_CASE("a trial under two threads serves its requests one at a time, and no more once it has failed", "[threads]") {
    int trials = 0;
    for (std::uint64_t round = 0; round < weir_test::repetitions(300); ++round) {
        weir::registry<std::string, manual_clock> r;
        const auto id = r.add("a");
        for (int i = 0; i < 3; ++i) r.add("b" + std::to_string(i));
        weir::outlier_detector outliers{r, {.success_rate_by_sigma = {}, .jitter = 0, .trial_requests = 5u}};
        outliers.poll(0s);
        const weir::random balancer{r, weir::selector_options{.seed = round}};
        while (!outliers.pending()) {
            auto one = balancer.pick();
            one.complete(one.id() == id ? outcome::failure : outcome::success);
        }
        outliers.poll(1s);
        outliers.poll(40s);
        REQUIRE(r.inspect(id)->conditions.has(condition::half_open));
        std::atomic<int> served{0}, at_once{0}, overlaps{0};
        const auto hammer = [&] {
            for (int i = 0; i < 200; ++i) {
                auto one = balancer.pick();
                if (one.id() != id) continue;
                overlaps += at_once.fetch_add(1) > 0 ? 1 : 0;
                const bool bad = served.fetch_add(1) == 2;  // two succeed, the third fails
                at_once.fetch_sub(1);
                one.complete(bad ? outcome::failure : outcome::success);
            }
        };
        std::thread other{hammer};
        hammer();
        other.join();
        CHECK(served == 3);
        CHECK(overlaps == 0);
        outliers.poll(40s);
        trials += r.inspect(id)->conditions.has(condition::ejected) ? 1 : 0;
    }
    CHECK(static_cast<std::uint64_t>(trials) == weir_test::repetitions(300));
}
