#pragma once

#include "../detail/record.hpp"
#include "outlier_options.hpp"
#include "outlier_statistics.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace weir::inline WEIR_ABI {

/// What one rule says of one backend.
struct outlier_verdict {
    bool judged = false;  ///< the rule is on, and there was enough to judge by
    bool outlier = false;
    double value =
        0;  ///< failures in a row, a success rate, a percentage; of a trial: the successes before its failure
    double bound = 0;  ///< what the value was held against
};

/// One for each rule, by `outlier_rule`.
struct outlier_verdicts {
    std::array<outlier_verdict, outlier_rule_count> by_rule{};

    [[nodiscard]] outlier_verdict& operator[](outlier_rule r) noexcept { return by_rule[static_cast<std::size_t>(r)]; }
    [[nodiscard]] const outlier_verdict& operator[](outlier_rule r) const noexcept {
        return by_rule[static_cast<std::size_t>(r)];
    }
};

/// What a backend did between two sweeps, and what the rules of rates say about it.
struct outlier_case {
    backend_id id;
    request_sample sample;
    outlier_verdicts verdicts = {};
};

namespace detail {

template <class Rule>
std::vector<outlier_case*> with_enough(std::span<outlier_case> cases, const Rule& rule) {
    std::vector<outlier_case*> enough;
    for (outlier_case& one : cases)
        if (one.sample.requests >= rule.min_requests) enough.push_back(&one);
    if (enough.size() < rule.min_backends) enough.clear();
    return enough;
}

inline std::vector<double> rates_of(std::span<outlier_case* const> cases) {
    std::vector<double> rates;
    for (const outlier_case* one : cases) rates.push_back(one->sample.rate());
    return rates;
}

}  // namespace detail

/// Holds each case against its peers by all rules of rates, each on the same samples: none counts for itself, so none can
/// take away what another needs. Pure.
inline void judge_rates(std::span<outlier_case> cases, const outlier_options& o) {
    if (const auto& rule = o.success_rate_by_sigma) {
        const auto judged = detail::with_enough(cases, *rule);
        const double threshold = mean_and_sigma{detail::rates_of(judged)}.threshold(rule->factor);
        for (outlier_case* one : judged)
            one->verdicts[outlier_rule::success_rate_by_sigma] = {true, is_below(one->sample.rate(), threshold),
                                                                  one->sample.rate(), threshold};
    }
    if (const auto& rule = o.success_rate_by_median) {
        const auto judged = detail::with_enough(cases, *rule);
        const median_and_mad pool{detail::rates_of(judged)};
        for (outlier_case* one : judged) {
            const double threshold = pool.threshold(rule->factor, one->sample);
            one->verdicts[outlier_rule::success_rate_by_median] = {true, is_below(one->sample.rate(), threshold),
                                                                   one->sample.rate(), threshold};
        }
    }
    if (const auto& rule = o.failure_percentage) {
        for (outlier_case* one : detail::with_enough(cases, *rule)) {
            const double failed = one->sample.failure_rate();
            one->verdicts[outlier_rule::failure_percentage] = {true, failed >= rule->threshold, failed,
                                                               rule->threshold};
        }
    }
}

}  // namespace weir::inline WEIR_ABI
