#pragma once

#include "../load/metric.hpp"
#include "outlier_options.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace weir::inline WEIR_ABI {

/// The metric behind an outlier detector: failures in a row, and how a trial goes, noticed by the lease that ends.
///
/// Rule: a success ends all runs. Any failure lengthens the run of failures; gateway_failure, timeout and connect_failure
/// lengthen that of gateway failures, connect_failure alone that of connect failures, and a failure that is not of its
/// kind ends a run. Cancelled leases say nothing. A run that reaches its threshold, or a multiple, raises the alarm.
/// Becoming eligible, or the end of a trial, starts all runs at 0.
/// Trial: armed by the detector before it publishes condition::half_open. One lease at a time decides: each success
/// counts towards `trial_requests`, the first failure closes the backend at once, for every selector, without a
/// publication. Leases from before the ejection do not count: a trial's first lease waits until they have ended.
/// Cost: a success reads one line of the backend's own and writes nothing.
/// Thread safety: all members from any thread, but `trial_start` by one at a time.
class failure_runs {
public:
    static constexpr bool timed = false;
    static constexpr std::size_t kinds = 3;  // failures, gateway failures, connect failures: as outlier_rule has them

    /// 0: off.
    [[nodiscard]] static constexpr std::array<std::uint32_t, kinds> thresholds_of(const outlier_options& o) noexcept {
        return {o.consecutive_failures.value_or(0), o.consecutive_gateway_failures.value_or(0),
                o.consecutive_connect_failures.value_or(0)};
    }

    /// What leases tell, and whom.
    struct alarm {
        explicit alarm(const outlier_options& o) : thresholds{thresholds_of(o)}, call{o.on_pending} {}
        void raise() {
            if (!pending.exchange(true, std::memory_order_acq_rel) && call) call();
        }
        const std::array<std::uint32_t, kinds> thresholds;
        const std::function<void()> call;
        std::atomic<bool> pending{false};
    };
    enum class trial : std::uint8_t { none, armed, running, passed, failed };

    explicit failure_runs(std::shared_ptr<alarm> a) : alarm_{std::move(a)} {}

    struct pool {};
    struct state {
        std::array<std::atomic<std::uint32_t>, kinds> runs{};
        std::atomic<std::uint8_t> reached{0};  // bit k: run k has reached its threshold since this was last cleared
        std::atomic<failure_runs::trial> trial{failure_runs::trial::none};
        std::atomic<std::uint32_t> wanted{0};                   // successes that the trial still wants
        std::atomic<std::uint32_t>* half_open_limit = nullptr;  // of the record; set before the trial is armed
    };

    void join(pool&, state& s) const noexcept { start_afresh(s); }
    void leave(pool&, state&) const noexcept {}

    void on_start(pool&, state& s) const noexcept {
        if (s.trial.load(std::memory_order_relaxed) == trial::armed) [[unlikely]]
            advance(s, trial::armed, trial::running);
    }

    void on_end(pool&, state& s, outcome how, std::chrono::nanoseconds, std::chrono::nanoseconds) const noexcept {
        if (how == outcome::cancelled) return;
        const bool success = how == outcome::success;
        const bool connect = how == outcome::connect_failure;
        const bool gateway = connect || how == outcome::timeout || how == outcome::gateway_failure;
        bool news = false;
        if (s.trial.load(std::memory_order_acquire) == trial::running) [[unlikely]]
            news = judge_trial(s, success);
        news = count(s, 0, !success) || news;
        news = count(s, 1, gateway) || news;
        news = count(s, 2, connect) || news;
        if (news) [[unlikely]]
            alarm_->raise();
    }

    /// The failures in a row.
    [[nodiscard]] std::uint32_t score(const pool&, const state& s, const load_reading&) const noexcept {
        return s.runs[0].load(std::memory_order_relaxed);
    }

    /// Arms a trial of `requests` > 0. Before the backend is published as half open.
    static void trial_start(state& s, std::atomic<std::uint32_t>& half_open_limit, std::uint32_t requests) noexcept {
        if (s.half_open_limit == nullptr) s.half_open_limit = &half_open_limit;  // written once: leases read it
        s.wanted.store(requests, std::memory_order_relaxed);
        half_open_limit.store(1, std::memory_order_relaxed);
        s.trial.store(trial::armed, std::memory_order_release);
    }
    /// Runs start at 0 after it. True if there was one.
    static bool trial_end(state& s) noexcept {
        start_afresh(s);
        return s.trial.exchange(trial::none, std::memory_order_relaxed) != trial::none;
    }

    /// Each detector has an alarm, and so a metric, of its own: none can disturb the counts of another.
    bool operator==(const failure_runs&) const = default;

private:
    static void start_afresh(state& s) noexcept {
        for (auto& run : s.runs) run.store(0, std::memory_order_relaxed);
        s.reached.store(0, std::memory_order_relaxed);
    }
    static bool advance(state& s, trial from, trial to) noexcept {
        return s.trial.compare_exchange_strong(from, to, std::memory_order_acq_rel);
    }

    static bool judge_trial(state& s, bool success) noexcept {
        if (success)
            return s.wanted.fetch_sub(1, std::memory_order_relaxed) == 1 && advance(s, trial::running, trial::passed);
        if (!advance(s, trial::running, trial::failed)) return false;
        s.half_open_limit->store(0, std::memory_order_relaxed);
        return true;
    }

    /// One more of a run, or its end. True when the threshold is reached.
    bool count(state& s, std::size_t kind, bool one_more) const noexcept {
        std::atomic<std::uint32_t>& run = s.runs[kind];
        if (!one_more) {
            if (run.load(std::memory_order_relaxed) != 0) run.store(0, std::memory_order_relaxed);
            return false;
        }
        const std::uint32_t length = run.fetch_add(1, std::memory_order_relaxed) + 1;
        const std::uint32_t threshold = alarm_->thresholds[kind];
        if (threshold == 0 || length % threshold != 0) return false;
        s.reached.fetch_or(static_cast<std::uint8_t>(1u << kind), std::memory_order_relaxed);
        return true;
    }

    std::shared_ptr<alarm> alarm_;
};

static_assert(stateful_metric<failure_runs>);

}  // namespace weir::inline WEIR_ABI
