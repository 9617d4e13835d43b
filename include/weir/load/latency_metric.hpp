#pragma once

#include "../detail/error.hpp"
#include "in_flight_age.hpp"
#include "latency_median.hpp"
#include "metric.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <string>

namespace weir::inline WEIR_ABI {

namespace detail {

/// exp(x) for x >= 0 without its cost: to third order where x is small, and the inverse is within 0.07 of exp(-x).
[[nodiscard]] constexpr double quick_exp(double x) noexcept { return 1 + x + 0.5 * x * x; }

}  // namespace detail

/// What the metrics of latency times queue share: (latency to expect) x (in flight / relative weight + 1), in nanoseconds.
/// They differ by their estimate; see peak_ewma and ewma.
///
/// The weight, relative to the mean, divides the queue alone: idle backends of equal speed tie, and shares are the
/// weights'. (In flight + 1) / weight would send everything to the heaviest as long as nothing is in flight.
///
/// An idle backend's estimate moves to the median of the pool with the time constant `decay` (not to 0, which would
/// make a slow one look best), and a backend without a sample is taken for the median; as long as nobody has one, for
/// `initial`. So newcomers are neither starved nor flooded, and unmeasured backends are still ordered by in flight.
/// What is in flight is a sample too: never less is expected than its mean age, so a hang is seen before its timeouts. A
/// stream that stays open for hours looks like one: complete its lease when the answer begins.
/// A failure never makes a backend look faster: it counts as a latency of the median x 2^k at least, k the failures in a
/// row (up to 6), and of no less than the estimate, and as long as the row lasts no less is expected. `cancelled` can
/// only raise the estimate. The median is of what was measured, without what failures count for, or each would raise the
/// next one.
///
/// Cost: two readings of the clock a lease; one less if the pick is told the time, one less if `complete` is told the
/// latency. Scoring reads one line of the backend's own and a median; a lease adds to that line when it starts and when it
/// ends, writes an estimate that it changes (of a peak: at most once in `decay` / 10,000 unless it rises), and at each
/// eighth change may move the backend's entry in the pool's histogram, the one line that backends share.
///
/// An `Estimate` has a `state` of atomics; its members are static and noexcept. `idle` is the time since the last sample in
/// time constants, and `median` a function:
///
///     double value(const state&);                                // the estimate itself, in nanoseconds; 0: no sample yet
///     double expected(const state&, double idle, median);        // ... on its way to the median
///     bool observe(state&, double idle, double sample);          // whether it has changed
template <class Estimate>
class latency_metric {
public:
    static constexpr bool timed = true;

    struct pool {
        latency_median median;
    };

    struct state {
        in_flight_age age;
        typename Estimate::state estimate;
        typename Estimate::state measured;  // the same without what failures count for; 0: nothing has succeeded yet
        std::atomic<double> last{0};        // nanoseconds: until when the estimates have decayed
        std::atomic<std::uint32_t> changes{0};   // of `measured`, roughly: of two at once, one may be missed
        std::atomic<std::uint16_t> failures{0};  // in a row
        std::atomic<latency_median::bucket> filed{outside};
    };

    void join(pool& p, state& s) const noexcept {
        const double value = Estimate::value(s.measured);
        refile(p, s, outside, value > 0 ? latency_median::bucket_of(value) : latency_median::unfiled);
    }
    void leave(pool& p, state& s) const noexcept {
        const auto before = s.filed.exchange(outside, std::memory_order_relaxed);
        if (before >= 0) p.median.move(before, latency_median::unfiled);
    }

    void on_start(pool&, state& s, std::chrono::nanoseconds started) const noexcept { s.age.start(started); }

    void on_end(pool& p, state& s, outcome how, std::chrono::nanoseconds latency, std::chrono::nanoseconds now,
                std::chrono::nanoseconds started) const noexcept {
        const double sample = static_cast<double>(latency.count());
        if (how != outcome::success) [[unlikely]] {
            observe_failure(p, s, how, sample, now);
        } else {
            if (s.failures.load(std::memory_order_relaxed) != 0) s.failures.store(0, std::memory_order_relaxed);
            if (sample >= 0) observe(p, s, sample, sample, now);
        }
        s.age.end(started);  // last: a locked addition, behind which all else would wait
    }

    [[nodiscard]] WEIR_ALWAYS_INLINE double score(const pool& p, const state& s,
                                                  const load_reading& reading) const noexcept {
        const double latency = (std::max)(expected(p, s, idle_time(s, reading.now)), s.age.mean(reading.now));
        return latency * (reading.in_flight * reading.mean_weight + reading.weight);
    }

    bool operator==(const latency_metric&) const = default;

protected:
    /// Throws std::invalid_argument in the name of `who` unless both are above 0.
    latency_metric(const char* who, std::chrono::nanoseconds decay, std::chrono::nanoseconds initial)
        : rate_{1 / checked(decay, who, "decay")}, initial_{checked(initial, who, "initial")} {}

private:
    static constexpr int most_failures = 6;  // 64 x the median: beyond the queues that a healthy backend has
    static constexpr std::uint32_t changes_per_filing = 8;
    static constexpr double grain = 1e-4;  // time constants: what decays in less is far below the estimate's own noise
    static constexpr latency_median::bucket outside = -2;

    static double checked(std::chrono::nanoseconds value, const char* who, const char* name) {
        if (value.count() <= 0)
            detail::reject(std::string{who} + ": " + name + " of " + std::to_string(value.count()) +
                           " ns is not above 0");
        return static_cast<double>(value.count());
    }

    double reference(const pool& p) const noexcept {
        const double median = p.median.value();
        return median > 0 ? median : initial_;
    }

    /// In floating point nothing overflows, and what the clock has lost by then (2^-53 of its reading) is no time.
    WEIR_ALWAYS_INLINE double idle_time(const state& s, std::chrono::nanoseconds now) const noexcept {
        const double elapsed = static_cast<double>(now.count()) - s.last.load(std::memory_order_relaxed);
        return (std::max)(elapsed, 0.0) * rate_;
    }

    /// `measured` is the sample without what a failure counts for; below 0: there is none.
    WEIR_ALWAYS_INLINE void observe(pool& p, state& s, double sample, double measured,
                                    std::chrono::nanoseconds now) const noexcept {
        // Time passes in grains, so that a busy backend's line is not written for each sample. Who comes first in a grain
        // takes the time since the previous one for itself: concurrent ones share it out.
        double idle = idle_time(s, now);
        if (idle < grain)
            idle = 0;
        else
            s.last.store(static_cast<double>(now.count()), std::memory_order_relaxed);
        Estimate::observe(s.estimate, idle, (std::max)(sample, 1.0));
        if (measured >= 0 && Estimate::observe(s.measured, idle, (std::max)(measured, 1.0))) file(p, s);
    }
    WEIR_NEVER_INLINE void observe_failure(pool& p, state& s, outcome how, double sample,
                                           std::chrono::nanoseconds now) const noexcept {
        if (how == outcome::cancelled) {
            if (sample > expected(p, s, idle_time(s, now))) observe(p, s, sample, sample, now);
            return;
        }
        const double known = Estimate::value(s.measured);
        const double measured = known > 0 ? (std::max)(sample, known) : -1;
        const int row = (std::min)(s.failures.load(std::memory_order_relaxed) + 1, most_failures);
        s.failures.store(static_cast<std::uint16_t>(row), std::memory_order_relaxed);
        sample = (std::max)({sample, std::ldexp(reference(p), row), Estimate::value(s.estimate)});
        observe(p, s, sample, measured, now);
    }
    /// Follows `measured` in the pool's histogram: at each eighth change.
    WEIR_ALWAYS_INLINE static void file(pool& p, state& s) noexcept {
        const std::uint32_t changes = s.changes.load(std::memory_order_relaxed);
        s.changes.store(changes + 1, std::memory_order_relaxed);
        const auto filed = s.filed.load(std::memory_order_relaxed);
        if (filed == latency_median::unfiled || (changes % changes_per_filing == 0 && filed != outside))
            refile(p, s, filed, latency_median::bucket_of(Estimate::value(s.measured)));
    }

    WEIR_ALWAYS_INLINE double expected(const pool& p, const state& s, double idle) const noexcept {
        const double latency = Estimate::expected(s.estimate, idle, [&] { return reference(p); });
        const int row = s.failures.load(std::memory_order_relaxed);
        if (row == 0) [[likely]]
            return latency;
        return (std::max)(latency, after_failures(p, row, idle));
    }
    WEIR_NEVER_INLINE double after_failures(const pool& p, int row, double idle) const noexcept {
        const double median = reference(p);
        return median + (std::ldexp(median, row) - median) / detail::quick_exp(idle);
    }

    static void refile(pool& p, state& s, latency_median::bucket from, latency_median::bucket to) noexcept {
        const auto old = from;
        if (from == to || !s.filed.compare_exchange_strong(from, to, std::memory_order_relaxed)) return;
        if (old >= 0 || to >= 0)
            p.median.move(old >= 0 ? old : latency_median::unfiled, to >= 0 ? to : latency_median::unfiled);
    }

    double rate_;  // 1 / decay: multiplying by it is on every pick's path
    double initial_;
};

}  // namespace weir::inline WEIR_ABI
