#pragma once

#include "../detail/error.hpp"
#include "latency_metric.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <string>

namespace weir::inline WEIR_ABI {

/// Peak EWMA as Finagle and tower define it: up at once, down with a time constant. Pure; any time unit.
/// `elapsed` since the last sample; negative counts as 0.
class peak_ewma_estimator {
public:
    /// The time constant, above 0; throws std::invalid_argument.
    constexpr explicit peak_ewma_estimator(double decay) : decay_{decay > 0 ? decay : refused(decay)} {}

    [[nodiscard]] double weight_of_past(double elapsed) const noexcept {
        const double x = (std::max)(elapsed, 0.0) / decay_;
        // Samples that are close together need no call: the series is exact to 1e-13 there.
        return x < 1e-3 ? 1 - x * (1 - x * (0.5 - x * (1.0 / 6))) : std::exp(-x);
    }
    [[nodiscard]] double observe(double estimate, double elapsed, double sample) const noexcept {
        if (sample > estimate) return sample;
        const double past = weight_of_past(elapsed);
        return estimate * past + sample * (1 - past);
    }

private:
    [[noreturn]] static double refused(double decay) {
        detail::reject("peak_ewma_estimator: decay of " + std::to_string(decay) + " is not above 0");
    }

    double decay_;
};

namespace detail {

/// The estimate behind the metric `peak_ewma`.
struct peak_estimate {
    using state = std::atomic<double>;  // nanoseconds; 0: no sample yet

    static double value(const state& s) noexcept { return s.load(std::memory_order_relaxed); }

    template <class Median>
    WEIR_ALWAYS_INLINE static double fresh(const state& s, Median read_median) noexcept {
        const double estimate = s.load(std::memory_order_relaxed);
        return estimate > 0 ? estimate : read_median();  // a measured backend spares its pool's line
    }
    static double expected(const state& s, double idle, double median) noexcept {
        const double estimate = s.load(std::memory_order_relaxed);
        return estimate > 0 ? median + (estimate - median) / quick_exp(idle) : median;
    }

    /// Below the peak, which has had no time to decay.
    WEIR_ALWAYS_INLINE static bool ignores(const state& s, double sample) noexcept {
        return sample <= s.load(std::memory_order_relaxed);
    }
    static bool observe(state& s, double idle, double sample) noexcept {
        if (idle == 0 && ignores(s, sample)) return false;
        constexpr peak_ewma_estimator estimator{1};  // idle is in time constants
        double estimate = s.load(std::memory_order_relaxed);
        for (int tries = 0; tries < 8; ++tries) {  // after that many the sample is one among very many
            const double next = estimate == 0 ? sample : estimator.observe(estimate, idle, sample);
            if (s.compare_exchange_weak(estimate, next, std::memory_order_relaxed)) break;
        }
        return true;
    }
};

}  // namespace detail

/// The metric of latency times queue by the peak EWMA: the latest peak of the latency, forgotten with `decay`. What it
/// shares with `ewma` (weights, newcomers, hangs, failures, cost) is told at latency_metric.
///
/// It sees a backend that turns slow at its first slow answer. But a decay of 10 s makes it a decaying maximum: under a
/// latency tail all backends look like their tails, and one without a tail beats a faster one with a tail. Then `ewma`.
/// Source: Finagle's PeakEwma, tower's load::PeakEwma.
class peak_ewma : public latency_metric<detail::peak_estimate> {
public:
    /// Both > 0; throws std::invalid_argument.
    explicit peak_ewma(std::chrono::nanoseconds decay = std::chrono::seconds{10},
                       std::chrono::nanoseconds initial = std::chrono::milliseconds{30})
        : latency_metric{"peak_ewma", decay, initial} {}

    bool operator==(const peak_ewma&) const = default;
};

static_assert(stateful_metric<peak_ewma>);

}  // namespace weir::inline WEIR_ABI
