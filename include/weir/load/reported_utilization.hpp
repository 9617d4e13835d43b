#pragma once

#include "../detail/between.hpp"
#include "../detail/error.hpp"
#include "metric.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>

namespace weir::inline WEIR_ABI {

/// What a backend says of itself: with each reply, or every 10 s or so (an ORCA load report).
struct load_report {
    double utilization = 0;  ///< the busy part of what limits it, 1 = all of it; above 1 where it can be exceeded
    double qps = 0;          ///< requests a second that it answers, to whomever
    double errors = 0;       ///< those among them that fail, a second

    /// Whether it tells anything: utilization from 10^-6 to 100, qps from 10^-6 to 10^9, errors from 0 to 10^9.
    [[nodiscard]] constexpr bool usable() const noexcept {
        return utilization >= 1e-6 && utilization <= 100 && qps >= 1e-6 && qps <= 1e9 && errors >= 0 && errors <= 1e9;
    }
};

struct reported_utilization_options {
    double error_penalty = 1;                                      ///< 0 or more, at most 10^6
    std::chrono::nanoseconds blackout = std::chrono::seconds{10};  ///< 0 or more
    std::chrono::nanoseconds expiry = std::chrono::minutes{3};     ///< above 0
};

/// What backends can carry by their own reports: a metric that compares leases in flight with it, and the source of the
/// weights that load_reports sets.
///
/// Rule: a report is worth qps / (utilization + errors / qps x error_penalty), the requests a second that the backend would
/// carry when fully busy. It counts from `blackout` after the first one (a fresh backend reports little load for its
/// little traffic) until `expiry` after the latest. Reports that are not `usable` are ignored, as if they had not come.
/// As a metric: (in flight) x (mean worth / own worth), the latter 1 where nothing is known; it moves only when
/// `load_reports::update` says so, and reads no clock. Idle backends tie: where reports shall decide who gets the draws of
/// an idle pool, let load_reports set the weights instead.
/// Thread safety: all members from any thread.
/// Source: ORCA as gRPC's weighted_round_robin uses it (gRFC A58). Envoy takes the median for unknown backends.
class reported_utilization {
public:
    static constexpr bool timed = false;

    reported_utilization() : reported_utilization{reported_utilization_options{}} {}
    /// Throws std::invalid_argument for options out of bounds.
    explicit reported_utilization(const reported_utilization_options& o)
        : penalty_{o.error_penalty}, blackout_{o.blackout}, expiry_{o.expiry} {
        if (!(penalty_ >= 0 && penalty_ <= 1e6))
            detail::reject("reported_utilization: an error penalty of " + std::to_string(penalty_) +
                           " is not from 0 to 1000000");
        if (blackout_.count() < 0)
            detail::reject("reported_utilization: a blackout of " + std::to_string(blackout_.count()) +
                           " ns is below 0");
        if (expiry_.count() <= 0)
            detail::reject("reported_utilization: an expiry of " + std::to_string(expiry_.count()) +
                           " ns is not above 0");
    }

    struct pool {};
    struct state {
        std::atomic<double> cost{1};   // mean worth / own worth
        std::atomic<double> worth{0};  // by the latest report
        std::atomic<std::chrono::nanoseconds> first{never}, latest{never};
    };

    /// Whoever comes back is to be known anew.
    void join(pool&, state& s) const noexcept {
        s.latest.store(never, std::memory_order_relaxed);
        s.cost.store(1, std::memory_order_relaxed);
    }
    void leave(pool&, state&) const noexcept {}
    void on_end(pool&, state&, outcome, std::chrono::nanoseconds, std::chrono::nanoseconds) const noexcept {}

    /// False: the report is not usable, and ignored.
    bool report(state& s, const load_report& r, std::chrono::nanoseconds now) const noexcept {
        if (!r.usable()) return false;
        if (expired(s, now)) s.first.store(now, std::memory_order_relaxed);
        s.worth.store(r.qps / (r.utilization + r.errors / r.qps * penalty_), std::memory_order_relaxed);
        s.latest.store(now, std::memory_order_release);
        return true;
    }

    /// Requests a second; 0: nothing is known, not yet or not any more.
    [[nodiscard]] double worth(const state& s, std::chrono::nanoseconds now) const noexcept {
        if (expired(s, now) || detail::between(s.first.load(std::memory_order_relaxed), now) < blackout_) return 0;
        return s.worth.load(std::memory_order_relaxed);
    }

    [[nodiscard]] double score(const pool&, const state& s, const load_reading& reading) const noexcept {
        return reading.in_flight * s.cost.load(std::memory_order_relaxed);
    }

    bool operator==(const reported_utilization&) const = default;

private:
    static constexpr std::chrono::nanoseconds never = (std::chrono::nanoseconds::min)();

    bool expired(const state& s, std::chrono::nanoseconds now) const noexcept {
        return detail::between(s.latest.load(std::memory_order_acquire), now) >= expiry_;
    }

    double penalty_;
    std::chrono::nanoseconds blackout_, expiry_;
};

static_assert(stateful_metric<reported_utilization>);

/// The mean of the worths that are known, those above 0; 0 if none is. What `relative_worth` is relative to.
[[nodiscard]] inline double mean_worth(std::span<const double> worths) noexcept {
    double sum = 0, known = 0;
    for (const double one : worths) {
        sum += one;
        known += one > 0 ? 1 : 0;
    }
    return known > 0 ? sum / known : 0;
}

/// A worth as a multiple of the mean: 1 where it is 0, that is unknown, and from 0.01 to 10 as gRPC clamps it, so that no
/// report starves a backend or buries it.
[[nodiscard]] inline double relative_worth(double worth, double mean) noexcept {
    return worth > 0 && mean > 0 ? (std::min)((std::max)(worth / mean, 0.01), 10.0) : 1.0;
}

}  // namespace weir::inline WEIR_ABI
