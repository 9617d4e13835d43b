#pragma once

#include "../detail/error.hpp"
#include "latency_median.hpp"
#include "metric.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <string>

namespace weir::inline WEIR_ABI {

/// Peak EWMA as Finagle and tower define it: up at once, down with a time constant. Pure; any time unit.
/// `elapsed` since the last sample; negative counts as 0.
struct peak_ewma_estimator {
    double decay;  ///< the time constant, > 0

    [[nodiscard]] double weight_of_past(double elapsed) const noexcept {
        return std::exp(-(std::max)(elapsed, 0.0) / decay);
    }
    [[nodiscard]] double observe(double estimate, double elapsed, double sample) const noexcept {
        if (sample > estimate) return sample;
        const double past = weight_of_past(elapsed);
        return estimate * past + sample * (1 - past);
    }
};

/// The metric of latency times queue: (peak EWMA of the latency) x (in flight / relative weight + 1), in nanoseconds.
///
/// The weight, relative to the mean, divides the queue alone: idle backends of equal speed tie, and shares are the
/// weights'. (In flight + 1) / weight would send everything to the heaviest as long as nothing is in flight.
///
/// An idle backend's estimate moves to the median of the pool with the time constant `decay` (not to 0, which would
/// make a slow one look best), and a backend without a sample is taken for the median; as long as nobody has one, for
/// `initial`. So newcomers are neither starved nor flooded, and unmeasured backends are still ordered by in flight.
/// A failure never makes a backend look faster: it counts as a latency of the median x 2^k at least, k the failures in a
/// row (up to 6), and of no less than the estimate; `cancelled` can only raise what is expected.
///
/// Cost: scoring reads three words and a median; ending a lease updates two words of the backend's own, and at each
/// eighth sample may move its entry in the pool's histogram, the one line that backends share.
/// A decay of 10 s makes it a decaying maximum: under a latency tail all backends look like their tails.
/// Source: Finagle's PeakEwma, tower's load::PeakEwma.
class peak_ewma {
public:
    static constexpr bool timed = true;

    /// Both > 0; throws std::invalid_argument.
    explicit peak_ewma(std::chrono::nanoseconds decay = std::chrono::seconds{10},
                       std::chrono::nanoseconds initial = std::chrono::milliseconds{30})
        : decay_{checked(decay, "decay")}, initial_{checked(initial, "initial")} {}

    struct pool {
        latency_median median;
    };

    struct state {
        std::atomic<double> estimate{0};  // nanoseconds; 0: no sample yet
        std::atomic<std::int64_t> last{0};
        std::atomic<std::uint32_t> samples{0};
        std::atomic<std::uint16_t> failures{0};  // in a row
        std::atomic<latency_median::bucket> filed{outside};
    };

    void join(pool& p, state& s) const noexcept {
        const double estimate = s.estimate.load(std::memory_order_relaxed);
        refile(p, s, outside, estimate > 0 ? latency_median::bucket_of(estimate) : latency_median::unfiled);
    }
    void leave(pool& p, state& s) const noexcept {
        const auto before = s.filed.exchange(outside, std::memory_order_relaxed);
        if (before >= 0) p.median.move(before, latency_median::unfiled);
    }

    void on_end(pool& p, state& s, outcome how, std::chrono::nanoseconds latency,
                std::chrono::nanoseconds now) const noexcept {
        double sample = static_cast<double>(latency.count());
        if (how == outcome::success) {
            if (s.failures.load(std::memory_order_relaxed) != 0) s.failures.store(0, std::memory_order_relaxed);
            if (sample < 0) return;
        } else if (how == outcome::cancelled) {
            if (sample <= expected(p, s, now)) return;
        } else {
            const int row = (std::min)(s.failures.load(std::memory_order_relaxed) + 1, most_failures);
            s.failures.store(static_cast<std::uint16_t>(row), std::memory_order_relaxed);
            sample = (std::max)({sample, std::ldexp(reference(p), row), s.estimate.load(std::memory_order_relaxed)});
        }
        observe(s, (std::max)(sample, 1.0), now.count());
        const std::uint32_t samples = s.samples.fetch_add(1, std::memory_order_relaxed);
        if (samples % samples_per_filing == 0) {
            const auto filed = s.filed.load(std::memory_order_relaxed);
            if (filed != outside)
                refile(p, s, filed, latency_median::bucket_of(s.estimate.load(std::memory_order_relaxed)));
        }
    }

    [[nodiscard]] double score(const pool& p, const state& s, const load_reading& reading) const noexcept {
        return expected(p, s, reading.now) * (reading.in_flight * reading.mean_weight + reading.weight);
    }

    bool operator==(const peak_ewma&) const = default;

private:
    static constexpr int most_failures = 6;  // 64 x the median: beyond the queues that a healthy backend has
    static constexpr std::uint32_t samples_per_filing = 8;
    static constexpr latency_median::bucket outside = -2;

    static double checked(std::chrono::nanoseconds value, const char* name) {
        if (value.count() <= 0)
            detail::reject(std::string{"peak_ewma: "} + name + " of " + std::to_string(value.count()) +
                           " ns is not above 0");
        return static_cast<double>(value.count());
    }

    /// Never negative, never overflowing, whatever the two are.
    static std::int64_t elapsed(std::int64_t from, std::int64_t to) noexcept {
        if (to <= from) return 0;
        const auto difference = static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
        return static_cast<std::int64_t>((std::min)(difference, std::uint64_t{1} << 62));
    }

    double reference(const pool& p) const noexcept {
        const double median = p.median.value();
        return median > 0 ? median : initial_;
    }

    /// The latency to expect now: the estimate, on its way to the median while it is idle.
    double expected(const pool& p, const state& s, std::chrono::nanoseconds now) const noexcept {
        const double median = reference(p);
        double estimate = s.estimate.load(std::memory_order_relaxed);
        if (estimate == 0) {
            estimate = median;
        } else {
            const auto idle = static_cast<double>(elapsed(s.last.load(std::memory_order_relaxed), now.count()));
            const double x = idle / decay_;
            estimate = median +
                       (estimate - median) / (1 + x + 0.5 * x * x);  // within 0.07 of exp(-x), without its cost
        }
        return estimate;
    }

    void observe(state& s, double sample, std::int64_t now) const noexcept {
        const peak_ewma_estimator estimator{decay_};
        // Each sample takes the time since the previous one for itself: concurrent ones share it out.
        const std::int64_t before = s.last.load(std::memory_order_relaxed);
        if (now > before) s.last.store(now, std::memory_order_relaxed);
        const auto past = static_cast<double>(elapsed(before, now));
        double estimate = s.estimate.load(std::memory_order_relaxed);
        for (int tries = 0; tries < 8; ++tries) {  // after that many the sample is one among very many
            const double next = estimate == 0 ? sample : estimator.observe(estimate, past, sample);
            if (s.estimate.compare_exchange_weak(estimate, next, std::memory_order_relaxed)) return;
        }
    }

    static void refile(pool& p, state& s, latency_median::bucket from, latency_median::bucket to) noexcept {
        const auto old = from;
        if (from == to || !s.filed.compare_exchange_strong(from, to, std::memory_order_relaxed)) return;
        if (old >= 0 || to >= 0)
            p.median.move(old >= 0 ? old : latency_median::unfiled, to >= 0 ? to : latency_median::unfiled);
    }

    double decay_;
    double initial_;
};

static_assert(stateful_metric<peak_ewma>);

}  // namespace weir::inline WEIR_ABI
