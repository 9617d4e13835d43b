#include <weir/health/active_checker.hpp>

#include "catch.hpp"
#include "support/length.hpp"

#include <weir/random.hpp>
#include <weir/select/random.hpp>
#include <weir/select/round_robin.hpp>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// Which cause sets and which event clears which condition: the table of docs/health.md, row by row, and then all of it
// at once against an oracle.

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using weir::active_checker;
using weir::backend_id;
using weir::check_state;
using weir::condition;
using weir::conditions;
using weir::probe;
using weir::probe_result;

namespace {

/// One backend with a checker, and time.
struct scene {
    weir::registry<std::string> registry;
    backend_id id = registry.add("a");
    weir::round_robin<std::string> turns{registry};
    active_checker checker{registry, {.interval = 2s, .rise = 2, .fall = 3, .jitter = 0}, 1};
    nanoseconds now{0};

    void probes(int n, probe_result result) {
        for (int i = 0; i < n; ++i) {
            for (const probe& p : checker.due(now)) checker.report(p, result, now);
            now += 2s;
        }
        for (const probe& p : checker.due(now)) checker.report(p, result, now);
        (void)checker.due(now);
        now += 2s;
    }
    [[nodiscard]] conditions has() const { return registry.inspect(id)->conditions; }
};

constexpr condition all[] = {condition::failed_check, condition::unreachable, condition::ejected,   condition::draining,
                             condition::disabled,     condition::degraded,    condition::half_open, condition::user_1};

struct event {
    std::string name;
    std::function<void(scene&)> happens;
    conditions sets, clears;
};

conditions everything() {
    conditions set;
    for (const auto one : all) set = set | one;
    return set;
}

const std::vector<event>& events() {
    static const std::vector<event> list{
        {"passing probes",
         [](scene& s) { s.probes(4, probe_result::passed); },
         {},
         condition::failed_check | condition::unreachable},
        {"failing probes", [](scene& s) { s.probes(4, probe_result::failed); }, condition::failed_check, {}},
        {"probes that are not answered",
         [](scene& s) {
             for (int i = 0; i < 8; ++i, s.now += 2s) (void)s.checker.due(s.now);
         },
         condition::failed_check,
         {}},
        {"requests, whatever becomes of them",
         [](scene& s) {
             for (std::size_t i = 0; i < 100; ++i)
                 s.turns.pick().complete(static_cast<weir::outcome>(i % weir::outcome_count));
         },
         {},
         {}},
        {"time without a sweep", [](scene& s) { s.now += 24h; }, {}, {}},
        {"another weight", [](scene& s) { s.registry.set_weight(s.id, 7); }, {}, {}},
        {"a list that has it still", [](scene& s) { s.registry.assign(std::vector<std::string>{"a", "b"}); }, {}, {}},
        {"panic and its end",
         [](scene& s) {
             s.registry.set_panic({.threshold_percent = 100});
             (void)s.turns.pick();
             s.registry.set_panic({});
         },
         {},
         {}},
        {"removal and a new backend of that name",
         [](scene& s) {
             s.registry.remove(s.id);
             s.id = s.registry.add("a");
         },
         {},
         everything()},
    };
    return list;
}

}  // namespace

TEST_CASE("each condition is set and cleared by its own events and by no other") {
    for (const event& e : events())
        for (const auto one : all)
            for (const bool others : {false, true}) {
                INFO(e.name << " with " << to_string(one) << (others ? " and all others" : ""));
                scene s;
                s.probes(1, probe_result::passed);
                REQUIRE(s.has().empty());
                const conditions before = others ? everything() : conditions{one};
                s.registry.update([&](auto& change) {
                    for (const auto c : all)
                        if (before.has(c)) change.set(s.id, c);
                });
                e.happens(s);
                CHECK(s.has() == before.without(e.clears).with(e.sets));
                for (const auto c : all) s.registry.clear(s.id, c);
                CHECK(s.has().empty());
            }
}

TEST_CASE("a degraded backend is eligible, keeps its share, and shows it to policies") {
    weir::registry<std::string> r;
    const auto a = r.add("a"), b = r.add("b");
    r.set(a, condition::degraded);
    const weir::round_robin turns{r};
    std::map<backend_id, int> counts;
    for (int i = 0; i < 10; ++i) ++counts[turns.pick().id()];
    CHECK(counts[a] == 5);
    CHECK(counts[b] == 5);
    CHECK(r.inspect(a)->eligible);
    CHECK(r.hub()->seen()->conditions(a.slot).has(condition::degraded));
    CHECK(r.hub()->seen()->is_eligible(a.slot));
    r.set_panic({.threshold_percent = 100});
    CHECK_FALSE(r.in_panic());  // nor does it count as out
}

TEST_CASE("hardening 14: a passing probe beside failing traffic never brings an ejected backend back, 1,000 cycles") {
    scene s;
    for (int cycle = 0; cycle < 1000; ++cycle) {
        s.registry.set(s.id, condition::ejected);  // by whoever watches the traffic
        s.probes(3, probe_result::passed);
        REQUIRE(s.has() == condition::ejected);
        REQUIRE(s.turns.pick().error() == weir::pick_error::none_eligible);
        s.registry.clear(s.id, condition::ejected);
        s.probes(1, probe_result::failed);  // two failures: not enough
        REQUIRE(s.has().empty());
        s.probes(1, probe_result::passed);
    }
}

// ---- The oracle -----------------------------------------------------------------------------------------------------

namespace {

/// One instance as the oracle knows it: its whole history, and rules applied to that naively.
struct model {
    std::string name;
    std::vector<bool> results;
    check_state state = check_state::unknown;
    std::size_t decided = 0;  // how many results when the state was decided
    std::optional<probe> out;
    bool unreachable_at_start = false;
    conditions others;         // set and cleared by hand
    bool unreachable = false;  // set by hand, cleared by probes too
    bool reached = false;
    bool failed_shown = false;  // as published
    std::uint32_t held = 0, weight = 1;

    /// The last `n` results, all since the decision, are all `passed`.
    [[nodiscard]] bool last(std::size_t n, bool passed) const {
        if (results.size() < n || results.size() - n < decided) return false;
        return std::all_of(results.end() - static_cast<std::ptrdiff_t>(n), results.end(),
                           [&](bool r) { return r == passed; });
    }
    void result(bool passed, std::size_t rise, std::size_t fall) {
        results.push_back(passed);
        auto next = state;
        if (state == check_state::unknown)
            next = passed ? check_state::up : check_state::down;
        else if (state == check_state::up && last(fall, false))
            next = check_state::down;
        else if (state == check_state::down && last(rise, true))
            next = check_state::up;
        if (next != state) decided = results.size();
        state = next;
        if (results.size() > 64) {  // what is older decides nothing
            const std::size_t dropped = results.size() - 32;
            results.erase(results.begin(), results.begin() + static_cast<std::ptrdiff_t>(dropped));
            decided -= (std::min)(decided, dropped);
        }
    }
    [[nodiscard]] conditions expected() const {
        conditions c = others;
        if (failed_shown) c = c | condition::failed_check;
        if (unreachable) c = c | condition::unreachable;
        return c;
    }
};

}  // namespace

TEST_CASE(
    "hardening 3: add, remove, probe, report, eject, drain and pick agree with an oracle in every order, 1,000,000 "
    "steps, whatever the clock does") {
    constexpr std::size_t rise = 2, fall = 3;
    constexpr nanoseconds interval = 1000us, timeout = 700us;
    weir::registry<std::string> r;
    const weir::random draw{r, weir::selector_options{.seed = 9}};
    active_checker checker{
        r, {.interval = interval, .timeout = timeout, .fast_interval = 300us, .rise = 2, .fall = 3, .jitter = 0.3}, 5};
    weir::generator random{2024};
    std::map<backend_id, model> members;
    std::vector<backend_id> ever;  // also those that are gone
    std::vector<probe> answers;    // probes whose results are still to come, or come twice
    std::deque<std::pair<backend_id, weir::lease<std::string>>> leases;
    weir::panic_options panic;
    nanoseconds now{1'000'000'000};
    std::map<backend_id, nanoseconds> probe_by;  // the latest moment for the next start
    std::uint64_t wrong = 0, late = 0, probes = 0, reports = 0, jumps = 0, deaths = 0, silent = 0, overdue = 0,
                  picks = 0, panics = 0;

    const auto count = [&](bool fault) { wrong += fault ? 1 : 0; };
    const auto some = [&](const auto& from) { return from[random.below(from.size())]; };
    const auto known = [&](backend_id id) {
        const auto found = members.find(id);
        return found == members.end() ? nullptr : &found->second;
    };
    const auto sweep = [&] {
        const auto due = checker.due(now);
        for (auto& [id, m] : members)
            if (m.out && now >= m.out->deadline) {
                m.out.reset();
                m.result(false, rise, fall);
                ++silent;
                probe_by[id] = now + 2 * interval;
            }
        for (auto& [id, m] : members) {
            if (m.state != check_state::unknown) m.failed_shown = m.state == check_state::down;
            if (std::exchange(m.reached, false)) m.unreachable = false;
        }
        for (const probe& p : due) {
            model* const m = known(p.id);
            count(m == nullptr || m->out.has_value() || p.deadline != now + timeout);
            if (m == nullptr) continue;
            m->out = p;
            m->unreachable_at_start = m->unreachable;
            probe_by.erase(p.id);
            if (random.below(5) != 0) answers.push_back(p);  // else it is never answered
            ++probes;
        }
        for (const auto& [id, by] : probe_by) late += now > by && !known(id)->out ? 1 : 0;
        count(checker.next_due(now) < now || checker.next_due(now) > now + interval);
    };
    const auto add = [&] {
        const std::string name = "b" + std::to_string(random.below(10));
        if (r.find(name)) return;
        const auto id = r.add(name);
        members[id].name = name;
        ever.push_back(id);
        sweep();  // so that the oracle knows when the checker noticed it
        if (!known(id)->out) probe_by[id] = now + 2 * interval;
    };
    const auto remove = [&](backend_id id) {
        count(r.remove(id) != (members.erase(id) > 0));
        probe_by.erase(id);
        deaths += 1;
    };
    const auto report = [&] {
        if (answers.empty()) return;
        // Mostly the latest probe's, which is still waited for; now and then an old one's.
        const auto at = random.below(4) == 0 ? random.below(answers.size()) : answers.size() - 1;
        const probe p = answers[at];
        if (random.below(8) != 0) {  // now and then once more later
            answers[at] = answers.back();
            answers.pop_back();
        }
        const bool passed = random.below(100) < 60;
        const bool waits = checker.report(p, passed ? probe_result::passed : probe_result::failed, now);
        model* const m = known(p.id);
        const bool counts = m != nullptr && m->out && m->out->number == p.number;
        if (!counts) return count(waits);
        const bool good = passed && now < m->out->deadline;
        overdue += passed && !good ? 1 : 0;
        m->out.reset();
        m->result(good, rise, fall);
        m->reached = m->reached || (good && m->unreachable_at_start);
        probe_by[p.id] = now + 2 * interval;
        ++reports;
    };
    const auto by_hand = [&](backend_id id) {
        const condition hand[] = {condition::ejected,  condition::draining, condition::disabled,
                                  condition::degraded, condition::user_3,   condition::unreachable};
        const auto one = hand[random.below(std::size(hand))];
        model* const m = known(id);
        if (random.below(3) == 0) {
            count(r.set(id, one) != (m != nullptr));
            if (m == nullptr) return;
            if (one == condition::unreachable)
                m->unreachable = true;
            else
                m->others = m->others | one;
        } else {
            count(r.clear(id, one) != (m != nullptr));
            if (m == nullptr) return;
            if (one == condition::unreachable)
                m->unreachable = false;
            else
                m->others = m->others.without(one);
        }
    };
    const auto acceptable = [&](const model& m, bool in_panic) {
        const auto heeded = in_panic ? m.expected().without(weir::detail::of_health) : m.expected();
        return m.weight > 0 && !heeded.exclude() && !(in_panic && panic.fail_closed);
    };
    const auto pick = [&] {
        int able = 0, eligible = 0;
        for (const auto& [id, m] : members) {
            able += m.weight > 0 && !m.expected().without(weir::detail::of_health).exclude() ? 1 : 0;
            eligible += m.weight > 0 && !m.expected().exclude() ? 1 : 0;
        }
        const bool in_panic = 100 * eligible < panic.threshold_percent * able;
        count(r.in_panic() != in_panic);
        bool any = false;
        for (const auto& [id, m] : members) any = any || acceptable(m, in_panic);
        auto lease = draw.pick();
        count(static_cast<bool>(lease) != any);
        if (!lease) return;
        ++picks;
        panics += in_panic ? 1 : 0;
        model* const m = known(lease.id());
        count(m == nullptr || !acceptable(*m, in_panic));
        count((lease.reason() == weir::pick_reason::panic) != in_panic);
        if (m != nullptr) ++m->held;
        leases.emplace_back(lease.id(), std::move(lease));
    };
    const auto end = [&] {
        if (leases.empty()) return;
        std::swap(leases[random.below(leases.size())], leases.front());
        if (model* const m = known(leases.front().first)) --m->held;
        leases.front().second.complete(static_cast<weir::outcome>(random.below(weir::outcome_count)));
        leases.pop_front();
    };

    const std::uint64_t steps = weir_test::repetitions(1'000'000);
    for (std::uint64_t step = 0; step < steps; ++step) {
        switch (random.below(32)) {
        case 0: add(); break;
        case 1:
            if (members.size() > 2 && random.below(3) == 0) remove(some(ever));
            break;
        case 2:
            if (!ever.empty()) by_hand(some(ever));
            break;
        case 3:
            if (!ever.empty() && random.below(2) == 0) {
                const auto id = some(ever);
                const auto weight = static_cast<std::uint32_t>(random.below(3));
                model* const m = known(id);
                count(r.set_weight(id, weight) != (m != nullptr));
                if (m != nullptr) m->weight = weight;
            }
            break;
        case 4:
            if (random.below(8) == 0) {
                panic = {.threshold_percent = static_cast<int>(random.below(101)), .fail_closed = random.below(3) == 0};
                r.set_panic(panic);
            }
            break;
        case 5:
            if (random.below(500) == 0) {  // ahead or back, by up to a year
                const auto by = nanoseconds{static_cast<std::int64_t>(random.below(31'536'000'000'000'000))};
                now = random.below(2) == 0 ? now + by : now - by;
                ++jumps;
                sweep();
                for (auto& [id, m] : members) {
                    if (m.out) m.out->deadline = (std::min)(m.out->deadline, now + timeout);
                    if (!m.out) probe_by[id] = now + 4 * interval;
                }
            }
            break;
        case 6:
        case 7:
        case 8: pick(); break;
        case 9:
        case 10:
        case 11: end(); break;
        case 12:
        case 13:
        case 14: report(); break;
        default:
            now += nanoseconds{static_cast<std::int64_t>(random.below(30'000))};
            if (random.below(8) == 0) sweep();
            break;
        }
        if (ever.size() > 30) ever.erase(ever.begin(), ever.begin() + 10);
        for (const auto& [id, m] : members)
            if (ever.empty() || std::find(ever.begin(), ever.end(), id) == ever.end()) ever.push_back(id);
        if (step % 64 != 0) continue;
        std::size_t seen = 0;
        for (const auto& now_is : r.members()) {
            const model* const m = known(now_is.id);
            count(m == nullptr);
            if (m == nullptr) continue;
            ++seen;
            count(now_is.conditions != m->expected());
            count(now_is.in_flight != m->held);
            count(now_is.weight != m->weight);
            const auto status = checker.status(now_is.id);
            count(!status || status->state != m->state || status->probing != m->out.has_value());
        }
        count(seen != members.size());
        REQUIRE(wrong == 0);
    }
    CHECK(wrong == 0);
    CHECK(late == 0);
    WARN(steps << " steps: " << probes << " probes, " << reports << " reports, " << silent << " never and " << overdue
               << " too late, " << picks << " picks, " << panics << " in panic, " << deaths << " removals, " << jumps
               << " jumps of the clock");
    CHECK(probes > steps / 200);
    CHECK(reports > steps / 200);
    CHECK(silent > steps / 200);
    CHECK(picks > steps / 40);
    leases.clear();
    for (const auto& m : r.members()) CHECK(m.in_flight == 0);  // hardening 1
}
