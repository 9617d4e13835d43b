#pragma once

#include "../registry.hpp"
#include "probe.hpp"
#include "probe_schedule.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

/// Decides when which backend is probed and what the results mean: sets and clears `condition::failed_check`. Makes no
/// probe itself: whoever has a timer and a socket does, as fast as it likes.
///
///     for (const weir::probe& p : checker.due(now)) start(p);   // at the latest at checker.next_due(now)
///     if (checker.report(p, weir::probe_result::passed, now)) look_after_it_soon();
///
/// Rule: see rise_and_fall and check_options. One probe is out for a backend at a time. The first ones of those that
/// come together are spread over an interval. A passed probe also clears `condition::unreachable` if that was set when it
/// started: the backend has answered. It clears nothing else; what traffic says of a backend (`ejected`) stays.
/// What is known belongs to the instance: a backend that was removed and added again starts anew, and results of probes
/// of one that is gone have no effect. Every member is probed, whatever its conditions and weight.
/// Time: points of one clock. Set back it is followed within two intervals; set ahead, a probe that is out misses its
/// deadline, and each backend is probed once for all that was missed.
/// Complexity: `due` O(n) when something is, else O(1); `report` O(1); all that changed between two calls of `due` is
/// published at once. Memory: about 250 bytes a backend.
/// Thread safety: all members from any thread. Publishing waits for other updates; observers may call the checker.
/// May outlive its registry, and then finds it empty. One checker a registry: two would contradict each other.
/// One backend: no rule is different. None: nothing is due.
/// Source: HAProxy's checks (intervals, rise and fall, staggered starts), Envoy's (jitter, first result, without traffic).
class active_checker {
public:
    /// Throws std::invalid_argument for options that contradict each other. `seed` makes starts and jitter repeatable.
    template <class Backend>
    explicit active_checker(registry_base<Backend>& r, const check_options& options = {},
                            std::optional<std::uint64_t> seed = {})
        : hub_{r.hub()}, options_{options}, seed_{seed ? *seed : detail::thread_random()} {
        detail::check(options);
    }
    active_checker(const active_checker&) = delete;
    active_checker& operator=(const active_checker&) = delete;

    /// What to probe now: each entry once, and each must end in a report or in its deadline. Also counts the probes that
    /// were not reported in time, and publishes what all results since the last call have changed. Throws what an update
    /// throws; nothing is lost then. Not from inside an update of the registry.
    [[nodiscard]] std::vector<probe> due(std::chrono::nanoseconds now) {
        {
            const reading seen{*this};
            if (idle(seen.view, now)) return {};
            follow(seen.view, now);
            expire(seen.view, now);
        }
        publish();
        const reading seen{*this};
        return start(seen.view, now);
    }

    /// When to call `due` next, at the latest; not after one interval from now, by when others may have joined.
    [[nodiscard]] std::chrono::nanoseconds next_due(std::chrono::nanoseconds now) const {
        const reading seen{*this};
        if (!idle(seen.view, now)) return now;
        return (std::min)(earliest_, detail::elapsed_time::after(now, options_.interval));
    }

    /// How a probe ended. No effect if its backend is gone, or if it was reported or has expired already.
    /// True: what it changed waits to be published by `due`.
    bool report(const probe& p, probe_result result, std::chrono::nanoseconds now) {
        const reading seen{*this};
        checked* const c = find(p.id);
        if (c == nullptr || !c->schedule.awaits(p.number) || !has(seen.view, p.id)) return false;
        conclude(seen.view, *c, result == probe_result::passed && !c->schedule.expired(now), now);
        return c->untold;
    }

    /// Other options for one backend, for as long as it is a member. False for an id that is gone. Throws as the
    /// constructor does.
    bool set_options(backend_id id, const check_options& options, std::chrono::nanoseconds now) {
        detail::check(options);
        const reading seen{*this};
        follow(seen.view, now);
        checked* const c = find(id);
        if (c == nullptr) return false;
        c->schedule.set_options(options);
        earliest_ = now;  // the next call of `due` looks at all
        return true;
    }

    /// What is known of one backend; none for one that `due` has not seen, or an id that is gone.
    [[nodiscard]] std::optional<check_status> status(backend_id id) const {
        const std::lock_guard lock{mutex_};
        const checked* const c = const_cast<active_checker&>(*this).find(id);
        return c != nullptr ? std::optional{c->schedule.status()} : std::nullopt;
    }

private:
    struct checked {
        backend_id id;
        detail::probe_schedule schedule;
        bool was_unreachable = false;  // when the probe that is out started
        bool reached = false;          // has passed since, to be published
        bool untold = false;           // results that are not published
    };

    /// The section is the first to begin and the last to end: what it leaves to be freed is foreign code.
    struct reading {
        explicit reading(const active_checker& c) : section{c.hub_->readers}, lock{c.mutex_}, view{c.hub_->seen()} {}
        const detail::read_section section;
        const std::lock_guard<std::mutex> lock;
        const weir::view* const view;
    };

    static bool has(const view* v, backend_id id) noexcept {
        return v != nullptr && v->is_member(id.slot) && v->id(id.slot) == id;
    }
    checked* find(backend_id id) noexcept {
        return id.slot < all_.size() && all_[id.slot].id == id ? &all_[id.slot] : nullptr;
    }

    /// Nothing can have happened since the last call.
    bool idle(const view* v, std::chrono::nanoseconds now) const noexcept {
        const std::uint64_t roster = v != nullptr ? v->roster_version() : 0;
        return roster == roster_ && now < earliest_ && now >= latest_call_ && untold_ == 0;
    }

    /// Whoever joined starts anew, whoever went is forgotten. (The roster of an empty registry has the number 0.)
    void follow(const view* v, std::chrono::nanoseconds now) {
        const std::uint64_t roster = v != nullptr ? v->roster_version() : 0;
        if (roster == roster_) return;
        if (v == nullptr) {
            all_.clear();
            untold_ = roster_ = 0;
            return;
        }
        all_.resize(v->slots());
        std::vector<std::uint32_t> fresh;
        for (std::uint32_t i = 0; i < all_.size(); ++i) {
            const backend_id id = v->is_member(i) ? v->id(i) : backend_id{};
            if (all_[i].id == id) continue;
            forget(all_[i]);
            if (v->is_member(i)) fresh.push_back(i);
        }
        const auto spread = static_cast<double>(options_.fast_interval.value_or(options_.interval).count());
        const auto n = fresh.size();
        for (std::size_t k = 0; k < n; ++k) {
            // A part of the interval each, from another one on in each process, which may all have started at once.
            const std::uint64_t own = mix(seed_ ^ v->identity_hash(fresh[k]));
            const double offset = static_cast<double>((k + seed_ % n) % n) +
                                  options_.jitter * static_cast<double>(own >> 11) * 0x1p-53;
            const std::chrono::nanoseconds part{static_cast<std::int64_t>(spread * offset / static_cast<double>(n))};
            all_[fresh[k]] = {.id = v->id(fresh[k]),
                              .schedule = {options_, own, detail::elapsed_time::after(now, part)}};
        }
        roster_ = roster;
        earliest_ = now;
    }
    void forget(checked& c) noexcept {
        untold_ -= c.untold ? 1 : 0;
        c = {};
    }

    void expire(const view* v, std::chrono::nanoseconds now) noexcept {
        for (checked& c : all_) {
            if (c.id == backend_id{}) continue;
            c.schedule.notice(now);
            if (c.schedule.expired(now)) conclude(v, c, false, now);
        }
        latest_call_ = now;
    }

    void conclude(const view* v, checked& c, bool passed, std::chrono::nanoseconds now) noexcept {
        const bool first = c.schedule.state() == check_state::unknown;
        const bool changed = c.schedule.report(passed, now) && !first;
        c.reached = c.reached || (passed && c.was_unreachable);
        // Also where somebody else has set or cleared it meanwhile: the condition is what the results say.
        const bool wrong = has(v, c.id) && v->conditions(c.id.slot).has(condition::failed_check) !=
                                               (c.schedule.state() == check_state::down);
        if (changed || wrong || c.reached) tell_later(c);
        earliest_ = (std::min)(earliest_, c.schedule.next());
    }
    void tell_later(checked& c) noexcept {
        untold_ += c.untold ? 0 : 1;
        c.untold = true;
    }

    /// What is published is what is known at that moment, under the writer's lock: two threads cannot overtake each other.
    void publish() {
        {
            const std::lock_guard lock{mutex_};
            if (untold_ == 0) return;
        }
        bool done = false;
        const tell_again on_failure{*this, done};
        hub_->update([this](detail::draft& d) {
            const std::lock_guard lock{mutex_};
            for (const checked& c : all_)
                if (c.untold && d.has(c.id)) d.set_conditions(c.id, verdict(c, d.conditions_of(c.id)));
            for (checked& c : all_) c.reached = c.untold = false;
            untold_ = 0;
        });
        done = true;
    }
    static conditions verdict(const checked& c, conditions now) noexcept {
        if (c.reached) now = now.without(condition::unreachable);
        return c.schedule.state() == check_state::down ? now.with(condition::failed_check)
                                                       : now.without(condition::failed_check);
    }
    struct tell_again {
        active_checker& checker;
        const bool& done;
        ~tell_again() {
            if (done) return;
            const std::lock_guard lock{checker.mutex_};
            for (checked& c : checker.all_)
                if (c.schedule.state() != check_state::unknown) checker.tell_later(c);
        }
    };

    std::vector<probe> start(const view* v, std::chrono::nanoseconds now) {
        std::vector<probe> probes;  // room first: a probe that is started and not handed out would fail
        probes.reserve(static_cast<std::size_t>(
            std::count_if(all_.begin(), all_.end(), [&](const checked& c) { return c.schedule.due(now); })));
        earliest_ = (std::chrono::nanoseconds::max)();
        for (checked& c : all_) {
            if (c.id == backend_id{}) continue;
            if (c.schedule.due(now) && has(v, c.id) && !c.schedule.put_off(now, v->record(c.id.slot).outcomes())) {
                probes.push_back({.id = c.id, .number = c.schedule.start(now), .deadline = c.schedule.deadline()});
                c.was_unreachable = v->conditions(c.id.slot).has(condition::unreachable);
            }
            earliest_ = (std::min)(earliest_, c.schedule.next());
        }
        return probes;
    }

    const std::shared_ptr<detail::hub> hub_;
    const check_options options_;
    const std::uint64_t seed_;
    mutable std::mutex mutex_;
    std::vector<checked> all_;  // by slot
    std::uint64_t roster_ = 0;  // that `all_` is of
    std::size_t untold_ = 0;
    std::chrono::nanoseconds earliest_ = (std::chrono::nanoseconds::max)();  // nothing happens of itself before
    std::chrono::nanoseconds latest_call_ = (std::chrono::nanoseconds::min)();
};

}  // namespace weir::inline WEIR_ABI
