#pragma once

#include "ejection_round.hpp"
#include "ejection_time.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI::detail {

/// What an outlier detector keeps about each backend: the phases, and what they ask for. One thread at a time; `time` is
/// that of `elapsed_time`.
class outlier_ledger {
    using kind = ejection_request::kind;
    using phase = outlier_phase;
    using time = std::chrono::nanoseconds;

public:
    explicit outlier_ledger(const outlier_options& o)
        : options_{o}, random_{o.seed ? *o.seed : thread_random()}, next_sweep_{o.interval} {}

    /// Takes the pool as it stands: what happened before is nobody's fault.
    void open(const view& v) {
        meet(v);
        for (entry& e : entries_)
            if (e.known) e.seen = requests_of(v.record(e.about.id.slot));
    }
    void close() { entries_.clear(); }

    /// Looks at each member, and asks for what follows. In a read section of `v`.
    void look(const view& v, ejection_round& round, time now) {
        now_ = now;
        const bool sweep = now >= next_sweep_;
        if (sweep) next_sweep_ = elapsed_time::after(now, options_.interval);
        meet(v);
        for (entry& e : entries_)
            if (e.known) look_at(e, v, round, sweep);
        if (sweep) compare(v, round);
    }

    /// Takes over what was decided. True if some backend changed its phase.
    bool settle(const ejection_round& round) {
        bool changed = false;
        for (const ejection_request& one : round.requests) changed = settle(one) || changed;
        for (entry& e : entries_) e.about.left = e.about.phase == phase::ejected ? between(now_, e.until) : time{0};
        return changed;
    }

    /// From `look`'s time on: until a sweep or the end of an ejection.
    [[nodiscard]] time idle() const noexcept {
        time next = next_sweep_;
        for (const entry& e : entries_)
            if (e.about.phase == phase::ejected) next = (std::min)(next, e.until);
        return between(now_, next);
    }

    [[nodiscard]] std::vector<outlier_report> reports() const {
        std::vector<outlier_report> all;
        for (const entry& e : entries_)
            if (e.known) all.push_back(e.about);
        return all;
    }
    [[nodiscard]] const outlier_report* find(backend_id id) const noexcept {
        return id.slot < entries_.size() && entries_[id.slot].is(id) ? &entries_[id.slot].about : nullptr;
    }
    [[nodiscard]] const outlier_counts& counts() const noexcept { return counts_; }

private:
    struct entry {
        bool known = false;
        bool asked = false;  // for something, at the present look
        outlier_report about;
        ejection_time length = {};
        time until{0};             // of the ejection
        request_sample seen = {};  // in all, when the interval began
        [[nodiscard]] bool is(backend_id id) const noexcept { return known && about.id == id; }
    };

    /// Makes an entry for whoever is new, and forgets who is gone.
    void meet(const view& v) {
        entries_.resize((std::max)(entries_.size(), std::size_t{v.slots()}));
        for (std::uint32_t i = 0; i < entries_.size(); ++i) {
            if (!v.is_member(i))
                entries_[i] = {};
            else if (!entries_[i].is(v.id(i)))
                entries_[i] = {.known = true, .about = {.id = v.id(i)}};
        }
    }

    static constexpr double now_failing = 200;  // more urgent than any percentage
    static void ask(ejection_round& round, entry& e, kind what, outlier_rule rule = outlier_rule::trial,
                    double urgency = 0) {
        if (!std::exchange(e.asked, true))
            round.requests.push_back(
                {.what = what, .id = e.about.id, .rule = rule, .why = e.about.verdicts[rule], .urgency = urgency});
    }

    void look_at(entry& e, const view& v, ejection_round& round, bool sweep) {
        const std::uint32_t i = e.about.id.slot;
        failure_runs::state& state = round.state_of(v.record(i));
        e.asked = false;
        const bool out = e.about.phase == phase::ejected;
        if (e.about.phase != phase::in_service &&
            !v.conditions(i).has(out ? options_.condition : condition::half_open)) {
            e.about.phase = phase::in_service;  // somebody else has ended what we began
            failure_runs::trial_end(state);
        }
        switch (e.about.phase) {
        case phase::in_service: look_at_runs(e, v.is_eligible(i), state, round, sweep); break;
        case phase::ejected:
            if (now_ >= e.until) ask(round, e, kind::end_of_ejection);
            break;
        case phase::half_open: look_at_trial(e, v.record(i), state, round); break;
        }
    }

    void look_at_runs(entry& e, bool eligible, failure_runs::state& state, ejection_round& round, bool sweep) {
        const unsigned reached = state.reached.load(std::memory_order_relaxed);
        if (!eligible) state.reached.store(0, std::memory_order_relaxed);
        const std::array thresholds = failure_runs::thresholds_of(options_);
        for (std::size_t k = 0; k < failure_runs::kinds; ++k) {
            const std::uint32_t threshold = thresholds[k];
            const bool was = ((reached >> k) & 1) != 0;  // a success may have come since
            const std::uint32_t run = (std::max)(state.runs[k].load(std::memory_order_relaxed), was ? threshold : 0);
            const bool is = threshold != 0 && run >= threshold;
            const auto rule = static_cast<outlier_rule>(k);
            e.about.verdicts[rule] = {threshold != 0, is, static_cast<double>(run), static_cast<double>(threshold)};
            if (eligible && (was || (sweep && is))) ask(round, e, kind::ejection, rule, now_failing);
        }
    }

    void look_at_trial(entry& e, detail::record_base& r, failure_runs::state& state, ejection_round& round) {
        const auto trial = state.trial.load(std::memory_order_acquire);
        const std::uint32_t wanted = options_.trial_requests.value_or(1);
        const std::uint32_t passed = wanted - (std::min)(wanted, state.wanted.load(std::memory_order_relaxed));
        const bool failed = trial == failure_runs::trial::failed;
        e.about.verdicts[outlier_rule::trial] = {true, failed, static_cast<double>(passed),
                                                 static_cast<double>(wanted)};
        if (failed) ask(round, e, kind::ejection, outlier_rule::trial, now_failing);
        if (trial == failure_runs::trial::passed) ask(round, e, kind::full_return);
        // An update that was refused has left it without one.
        if (trial == failure_runs::trial::none) failure_runs::trial_start(state, r.half_open_limit, wanted);
    }

    /// The sweep: all who are in service against each other, and the pool against its cap.
    void compare(const view& v, ejection_round& round) {
        std::vector<outlier_case> cases;
        ejection_census pool{options_.condition};
        for (entry& e : entries_) {
            if (!e.known) continue;
            const std::uint32_t i = e.about.id.slot;
            pool.count(v.conditions(i), v.weight(i));
            const request_sample all = requests_of(v.record(i));
            if (e.about.phase == phase::in_service && v.is_eligible(i))
                cases.push_back({.id = e.about.id, .sample = all.since(e.seen), .verdicts = e.about.verdicts});
            e.seen = all;
        }
        judge_rates(cases, options_);
        for (const outlier_case& one : cases) {
            entry& e = entries_[one.id.slot];
            e.about.verdicts = one.verdicts;
            for (const outlier_rule rule : {outlier_rule::success_rate_by_sigma, outlier_rule::success_rate_by_median,
                                            outlier_rule::failure_percentage})
                if (one.verdicts[rule].outlier) ask(round, e, kind::ejection, rule, one.sample.failure_rate());
            if (!e.asked) e.length.forgive();
            e.about.in_a_row = e.length.in_a_row();
        }
        if (pool.full() > 0 && pool.ejected() <= ejection_cap(options_.max_ejected_share, pool.members())) return;
        for (entry& e : entries_)
            if (e.about.phase != phase::in_service)
                ask(round, e, kind::too_many_out, outlier_rule::trial, -static_cast<double>(e.until.count()));
    }

    bool settle(const ejection_request& one) {
        entry& e = entries_[one.id.slot];
        const auto rule = static_cast<std::size_t>(one.rule);
        const bool ejected = one.phase == phase::ejected;
        if (one.refused || ejected) {
            e.about.cause = one.rule;
            e.about.why = one.why;
        }
        e.about.refused += one.refused ? 1 : 0;
        counts_.refused[rule] += one.refused ? 1 : 0;
        if (!one.phase) return false;
        e.about.phase = *one.phase;
        e.seen = one.seen;  // what comes is judged without what was
        if (ejected) {
            ++e.about.ejections;
            ++counts_.ejected[rule];
            const double random = static_cast<double>(random_() >> 11) * 0x1p-53;
            e.until = elapsed_time::after(
                now_, e.length.eject(options_.base_ejection_time, options_.max_ejection_time, options_.jitter, random));
            e.about.in_a_row = e.length.in_a_row();
        }
        return true;
    }

    const outlier_options options_;
    std::vector<entry> entries_;
    outlier_counts counts_;
    generator random_;
    time now_{0};
    time next_sweep_;
};

}  // namespace weir::inline WEIR_ABI::detail
