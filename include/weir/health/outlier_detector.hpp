#pragma once

#include "../registry.hpp"
#include "outlier_ledger.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

/// Takes backends out of service that fail more than their peers, and lets them back by way of a trial. Without I/O.
///
///     weir::outlier_detector outliers{servers};
///     outliers.poll(now);  // by a timer, and when `on_pending` says so; leases are completed as ever
///
/// Rule: see outlier_options and failure_runs. Runs of failures act at the next poll, rates at a sweep, every
/// `interval`. An ejection sets condition::ejected for base x n (n: ejections in a row, one less after each clean sweep)
/// plus jitter. Then the backend is half open: eligible, but with one lease at a time, of which the first failure closes
/// it again at once, and `trial_requests` successes give it back.
/// Cap: ejected and half-open backends together are at most max(1, floor(share x members)), and one that is neither
/// stays: the last one is never ejected. Both are decided under the registry's lock, so no interleaving breaches them.
/// If members leave later, or the others go out of service for other causes, the next sweep ends the oldest ejections
/// that are too many. Ejections by others through the same condition count, and are not ended.
/// Complexity: a lease that succeeds reads one line of its backend's, one that fails adds to it. A poll with nothing to
/// do reads three words; a sweep costs O(n log n), and one update of the registry where something changes.
/// Thread safety: all members from any thread, also in observers, but no poll inside an update of the registry. A poll
/// that finds another one running leaves its work to that one.
/// Time: `now` is a reading of the registry's clock, or of another one if `poll` is never called without it. A step back
/// takes no time; a jump ahead ends ejections, and the trials decide.
/// Lifetime: may outlive its registry. When it goes, so do its ejections; its counters stay with the backends.
/// Source: Envoy's outlier detection; nginx's max_fails (a live request probes).
class outlier_detector {
public:
    /// Throws std::invalid_argument, naming the value and the bound, for options that make no sense.
    template <class Backend>
    explicit outlier_detector(registry_base<Backend>& r, const outlier_options& o = {})
        : outlier_detector{r.hub(), o} {}
    outlier_detector(const outlier_detector&) = delete;
    outlier_detector& operator=(const outlier_detector&) = delete;
    ~outlier_detector() {
        alarm_->pending.store(true, std::memory_order_relaxed);  // for ever: nobody is called any more
#if defined(__cpp_exceptions)
        try {
            end_all();
        } catch (...) {  // NOLINT(bugprone-empty-catch): out of memory, or inside an update: then they stay
        }
#else
        end_all();
#endif
    }

    /// Does what is due: ejects, ends ejections and trials, sweeps. The first poll starts the interval. True if it
    /// changed the registry. Throws what an update throws; then nothing has changed, and the next poll tries again.
    bool poll(std::chrono::nanoseconds now) {
        const std::chrono::nanoseconds last{last_.load(std::memory_order_relaxed)};
        const bool goes_on = now >= last || detail::elapsed_time::is_late(last, now);
        if (goes_on && now < due() && !pending()) {
            if (now > last) last_.store(now.count(), std::memory_order_relaxed);  // where a step back would begin
            return false;
        }
        if (polls_.fetch_add(1, std::memory_order_acq_rel) != 0) return false;
        give_up_on_throw guard{*this};
        bool changed = false;
        for (std::uint32_t served = 1; served != 0;) {
            changed = pass(now) || changed;
            served = polls_.fetch_sub(served, std::memory_order_acq_rel) - served;
        }
        guard.armed = false;
        return changed;
    }
    bool poll() { return poll(hub_->clock()); }

    /// A run reached its threshold or a trial is decided: poll now, instead of at `due`.
    [[nodiscard]] bool pending() const noexcept { return alarm_->pending.load(std::memory_order_acquire); }
    /// When a poll will have something to do if nothing happens, by the registry's clock.
    [[nodiscard]] std::chrono::nanoseconds due() const noexcept {
        return std::chrono::nanoseconds{due_.load(std::memory_order_relaxed)};
    }

    /// All backends that were there at the last poll, by slot.
    [[nodiscard]] std::vector<outlier_report> reports() const {
        const std::scoped_lock lock{mutex_};
        return ledger_.reports();
    }
    /// One of them; none for an id that is gone.
    [[nodiscard]] std::optional<outlier_report> inspect(backend_id id) const {
        const std::scoped_lock lock{mutex_};
        if (const outlier_report* const one = ledger_.find(id)) return *one;
        return std::nullopt;
    }
    [[nodiscard]] outlier_counts counts() const {
        const std::scoped_lock lock{mutex_};
        return ledger_.counts();
    }
    [[nodiscard]] const outlier_options& options() const noexcept { return options_; }

private:
    struct give_up_on_throw {
        outlier_detector& self;
        bool armed = true;
        ~give_up_on_throw() {
            if (!armed) return;
            self.alarm_->pending.store(true, std::memory_order_release);
            self.polls_.store(0, std::memory_order_release);
        }
    };

    outlier_detector(std::shared_ptr<detail::hub> h, const outlier_options& o)
        : options_{(detail::check(o), o)}, hub_{std::move(h)}, alarm_{std::make_shared<failure_runs::alarm>(o)},
          pool_{hub_->use_metric(failure_runs{alarm_})}, ledger_{o} {
        read([&](const view& v) { ledger_.open(v); });
    }

    /// Not at all once the registry is gone.
    template <class F>
    void read(F&& f) {
        const detail::read_section section{hub_->readers};
        if (const view* const v = hub_->seen())
            f(*v);
        else
            ledger_.close();
    }

    /// The mutex is never held while the registry is changed: its observers may ask for reports.
    bool pass(std::chrono::nanoseconds now) {
        // Before looking: what comes later raises it again. An exchange, so that what raised it is seen.
        alarm_->pending.exchange(false, std::memory_order_acq_rel);
        detail::ejection_round round{options_, pool_.get()};
        {
            const std::scoped_lock lock{mutex_};
            if (const auto last = last_.load(std::memory_order_relaxed); last != unread)
                elapsed_.at(std::chrono::nanoseconds{last});
            const auto time = elapsed_.at(now);
            read([&](const view& v) { ledger_.look(v, round, time); });
        }
        if (!round.requests.empty()) hub_->update([&](detail::draft& d) { round.decide(d); });
        const std::scoped_lock lock{mutex_};
        const bool changed = ledger_.settle(round);
        due_.store(detail::elapsed_time::after(now, ledger_.idle()).count(), std::memory_order_relaxed);
        last_.store(now.count(), std::memory_order_relaxed);
        return changed;
    }

    void end_all() {
        bool any = false;
        const auto ours = ledger_.reports();
        for (const outlier_report& one : ours) any = any || one.phase != outlier_phase::in_service;
        if (!any) return;
        hub_->update([&](detail::draft& d) {
            for (const outlier_report& one : ours) {
                if (!d.has(one.id) || one.phase == outlier_phase::in_service) continue;
                const auto over = one.phase == outlier_phase::ejected ? options_.condition : condition::half_open;
                d.set_conditions(one.id, d.conditions_of(one.id).without(over));
            }
        });
    }

    const outlier_options options_;
    const std::shared_ptr<detail::hub> hub_;
    const std::shared_ptr<failure_runs::alarm> alarm_;
    const std::shared_ptr<detail::metric_pool_of<failure_runs>> pool_;
    std::atomic<std::uint32_t> polls_{0};
    static constexpr std::int64_t unread = (std::numeric_limits<std::int64_t>::min)();
    std::atomic<std::int64_t> last_{unread}, due_{unread};  // readings of the clock
    detail::elapsed_time elapsed_;                          // whose turn it is to poll, alone
    mutable std::mutex mutex_;
    detail::outlier_ledger ledger_;  // changed by that one alone, under the mutex
};

}  // namespace weir::inline WEIR_ABI
