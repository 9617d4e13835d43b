#pragma once

#include "latency_metric.hpp"

#include <atomic>
#include <chrono>

namespace weir::inline WEIR_ABI {

/// An average of samples that forgets, with a time constant: each sample counts once, and less the older it is. Pure;
/// `fade` is what the weight of the past is divided by since the last sample, >= 1.
struct ewma_estimator {
    double mean = 0;
    double weight = 0;  ///< how many fresh samples the past is worth; 0: none yet

    [[nodiscard]] ewma_estimator observe(double fade, double sample) const noexcept {
        return {mean + (sample - mean) * fade / (weight + fade), weight / fade + 1};
    }
    /// What to expect, knowing also that others of its kind have `prior`, which counts as `prior_weight` samples.
    [[nodiscard]] double expected(double fade, double prior, double prior_weight) const noexcept {
        const double doubt = prior_weight * fade;
        return (mean * weight + prior * doubt) / (weight + doubt);
    }
};

namespace detail {

/// The estimate behind the metric `ewma`.
struct mean_estimate {
    struct state {
        std::atomic<double> mean{0};  // nanoseconds
        std::atomic<double> weight{0};
    };
    // So many samples is the pool's median worth: a newcomer's first one moves it by a third of the way, not by all of it.
    static constexpr double prior_weight = 2;

    static double value(const state& s) noexcept { return s.mean.load(std::memory_order_relaxed); }

    template <class Median>
    WEIR_ALWAYS_INLINE static double fresh(const state& s, Median read_median) noexcept {
        return expected(s, 0, read_median());
    }
    WEIR_ALWAYS_INLINE static double expected(const state& s, double idle, double median) noexcept {
        return read(s).expected(quick_exp(idle), median, prior_weight);
    }

    static bool ignores(const state&, double) noexcept { return false; }
    static bool observe(state& s, double idle, double sample) noexcept {
        ewma_estimator e = read(s);
        for (int tries = 0; tries < 8; ++tries) {  // after that many the sample is one among very many
            const ewma_estimator next = e.observe(quick_exp(idle), sample);
            if (!s.mean.compare_exchange_weak(e.mean, next.mean, std::memory_order_relaxed)) continue;
            s.weight.store(next.weight, std::memory_order_relaxed);  // of two at once one may not be counted
            break;
        }
        return true;
    }

private:
    static ewma_estimator read(const state& s) noexcept {
        return {s.mean.load(std::memory_order_relaxed), s.weight.load(std::memory_order_relaxed)};
    }
};

}  // namespace detail

/// The metric of latency times queue by the plain average of the latencies, forgotten with `decay`. What it shares with
/// `peak_ewma` (weights, newcomers, hangs, failures, cost) is told at latency_metric.
///
/// One slow answer among many moves it by its share, however slow the request rate is: a fast backend with a latency tail
/// still beats a slow one without. A backend that turns slow is seen by the age of what is in flight there, and as fast
/// as its slow answers outnumber the others of the last `decay`; `peak_ewma` sees it at once.
/// Source: the mean that nginx's least_time takes, over time instead of over a number of requests.
class ewma : public latency_metric<detail::mean_estimate> {
public:
    /// Both > 0; throws std::invalid_argument.
    explicit ewma(std::chrono::nanoseconds decay = std::chrono::seconds{10},
                  std::chrono::nanoseconds initial = std::chrono::milliseconds{30})
        : latency_metric{"ewma", decay, initial} {}

    bool operator==(const ewma&) const = default;
};

static_assert(stateful_metric<ewma>);

}  // namespace weir::inline WEIR_ABI
