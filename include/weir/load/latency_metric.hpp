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
/// time constants, and `read_median` a function:
///
///     double value(const state&);                                // the estimate itself, in nanoseconds; 0: no sample yet
///     double fresh(const state&, read_median);                   // what to expect right after a sample
///     double expected(const state&, double idle, double median);       // ... on its way to the median
///     bool observe(state&, double idle, double sample);          // whether it has changed
///     bool ignores(const state&, double sample);                 // ... it would not, right after another sample
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
        std::atomic<std::int64_t> last{0};  // nanoseconds: until when the estimates have decayed
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

    WEIR_ALWAYS_INLINE void on_end(pool& p, state& s, outcome how, std::chrono::nanoseconds latency,
                                   std::chrono::nanoseconds now, std::chrono::nanoseconds started) const noexcept {
        const double sample = static_cast<double>(latency.count());
        if (how != outcome::success) [[unlikely]] {
            observe_failure(p, s, how, sample, now);
        } else {
            if (s.failures.load(std::memory_order_relaxed) != 0) [[unlikely]]
                s.failures.store(0, std::memory_order_relaxed);
            const double counted = (std::max)(sample, 1.0);
            const bool changes_nothing = is_recent(s, now) && Estimate::ignores(s.estimate, counted) &&
                                         Estimate::ignores(s.measured, counted);
            if (sample >= 0 && !changes_nothing) observe(p, s, sample, sample, now);
        }
        s.age.end(started);  // last: a locked addition, behind which all else would wait
    }

    [[nodiscard]] WEIR_ALWAYS_INLINE double score(const pool& p, const state& s,
                                                  const load_reading& reading) const noexcept {
        const double latency = s.age.mean_or(expected(p, s, reading.now), reading.now);
        return latency * (reading.in_flight * reading.mean_weight + reading.weight);
    }

    bool operator==(const latency_metric&) const = default;

protected:
    /// Throws std::invalid_argument in the name of `who` unless both are above 0.
    latency_metric(const char* who, std::chrono::nanoseconds decay, std::chrono::nanoseconds initial)
        : rate_{1 / checked(decay, who, "decay")}, initial_{checked(initial, who, "initial")},
          grain_{decay.count() / 10'000}, fresh_{decay.count() / 1'000} {}

private:
    static constexpr int most_failures = 6;  // 64 x the median: beyond the queues that a healthy backend has
    static constexpr std::uint32_t changes_per_filing = 8;
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

    /// Nanoseconds since the last sample, below 0 for a clock that has gone back; wraps after 292 years.
    WEIR_ALWAYS_INLINE static std::int64_t elapsed(const state& s, std::chrono::nanoseconds now) noexcept {
        const auto last = static_cast<std::uint64_t>(s.last.load(std::memory_order_relaxed));
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(now.count()) - last);
    }
    /// In the grain of the last sample. A little before it, too: what is told comes late. Long before it, time is set anew.
    WEIR_ALWAYS_INLINE bool is_recent(const state& s, std::chrono::nanoseconds now) const noexcept {
        const std::int64_t since = elapsed(s, now);
        return since < grain_ && since >= -fresh_;
    }
    /// In time constants. In floating point nothing overflows, and what the clock has lost by then (2^-53) is no time.
    double idle_time(const state& s, std::chrono::nanoseconds now) const noexcept {
        const auto last = static_cast<double>(s.last.load(std::memory_order_relaxed));
        return (std::max)(static_cast<double>(now.count()) - last, 0.0) * rate_;
    }

    /// `measured` is the sample without what a failure counts for; below 0: there is none.
    WEIR_OUT_OF_LINE void observe(pool& p, state& s, double sample, double measured,
                                  std::chrono::nanoseconds now) const noexcept {
        // Time passes in grains, so that a busy backend's line is not written for each sample. Who comes first in a grain
        // takes the time since the previous one for itself: concurrent ones share it out.
        double idle = 0;
        if (!is_recent(s, now)) {
            idle = idle_time(s, now);
            s.last.store(now.count(), std::memory_order_relaxed);
        }
        Estimate::observe(s.estimate, idle, (std::max)(sample, 1.0));
        if (measured >= 0 && Estimate::observe(s.measured, idle, (std::max)(measured, 1.0))) file(p, s);
    }
    WEIR_NEVER_INLINE void observe_failure(pool& p, state& s, outcome how, double sample,
                                           std::chrono::nanoseconds now) const noexcept {
        if (how == outcome::cancelled) {
            if (sample > expected(p, s, now)) observe(p, s, sample, sample, now);
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

    /// What a busy backend's estimate has moved since its last sample, less than a thousandth, is not worth a division.
    WEIR_ALWAYS_INLINE double expected(const pool& p, const state& s, std::chrono::nanoseconds now) const noexcept {
        const bool settled = elapsed(s, now) < fresh_ || Estimate::value(s.estimate) == 0;
        if (settled && s.failures.load(std::memory_order_relaxed) == 0) [[likely]]
            return Estimate::fresh(s.estimate, [&] { return reference(p); });
        return expected_later(p, s, now);
    }
    WEIR_NEVER_INLINE double expected_later(const pool& p, const state& s,
                                            std::chrono::nanoseconds now) const noexcept {
        // The same grace, or a failure could lower a score by what the estimate has moved.
        const double median = reference(p), idle = elapsed(s, now) < fresh_ ? 0 : idle_time(s, now);
        const double latency = Estimate::expected(s.estimate, idle, median);
        const int row = s.failures.load(std::memory_order_relaxed);
        if (row == 0) return latency;
        return (std::max)(latency, median + (std::ldexp(median, row) - median) / detail::quick_exp(idle));
    }

    static void refile(pool& p, state& s, latency_median::bucket from, latency_median::bucket to) noexcept {
        const auto old = from;
        if (from == to || !s.filed.compare_exchange_strong(from, to, std::memory_order_relaxed)) return;
        if (old >= 0 || to >= 0)
            p.median.move(old >= 0 ? old : latency_median::unfiled, to >= 0 ? to : latency_median::unfiled);
    }

    double rate_;  // 1 / decay
    double initial_;
    // Nanoseconds: what decays in less is far below the estimate's own noise, or below a thousandth of it.
    std::int64_t grain_, fresh_;
};

}  // namespace weir::inline WEIR_ABI
