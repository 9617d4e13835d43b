#pragma once

#include "../version.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

// Who is worse than its peers, as pure functions of rates. All rates are success rates in percent, from 0 to 100.
namespace weir::inline WEIR_ABI {

/// The requests of one backend between two sweeps; cancelled ones are not among them.
struct request_sample {
    std::uint64_t requests = 0;
    std::uint64_t failures = 0;

    /// The success rate; 100 without requests.
    [[nodiscard]] constexpr double rate() const noexcept { return 100 - failure_rate(); }
    [[nodiscard]] constexpr double failure_rate() const noexcept {
        return requests == 0 ? 0 : 100 * static_cast<double>(failures) / static_cast<double>(requests);
    }
    /// What has come since an earlier reading of the same counters.
    [[nodiscard]] constexpr request_sample since(const request_sample& earlier) const noexcept {
        return {requests - (std::min)(requests, earlier.requests), failures - (std::min)(failures, earlier.failures)};
    }
};

/// The mean of some rates and their population sigma: how Envoy tells an outlier.
///
/// An outlier drags the mean to itself and widens sigma: k equal outliers among n score sqrt((n - k) / k) sigma,
/// however bad they are. At 1.9 sigma that takes at least 5 backends, and nothing is found once more than 21.7 % are
/// equally bad.
class mean_and_sigma {
public:
    explicit mean_and_sigma(std::span<const double> rates) noexcept {
        if (rates.empty()) return;
        const auto n = static_cast<double>(rates.size());
        double sum = 0, squares = 0;
        for (const double rate : rates) sum += rate;
        mean_ = sum / n;
        for (const double rate : rates) squares += (rate - mean_) * (rate - mean_) / n;
        sigma_ = std::sqrt(squares);
    }

    [[nodiscard]] double mean() const noexcept { return mean_; }
    [[nodiscard]] double sigma() const noexcept { return sigma_; }
    /// A rate below this is an outlier.
    [[nodiscard]] double threshold(double factor) const noexcept { return mean_ - factor * sigma_; }

private:
    double mean_ = 100;
    double sigma_ = 0;
};

/// The median of some rates and the median distance from it (MAD), which up to half of the backends cannot move.
///
/// In a healthy pool the MAD is 0, so a rate is held against the largest of three scales: 1.4826 MAD (sigma, were the
/// rates normal), the binomial sigma of that many requests, and 1 point. The binomial sigma is that of the median or of
/// the rate itself, whichever is nearer to one half: at a median of 100 % it would otherwise be 0 and forgive nobody.
class median_and_mad {
public:
    explicit median_and_mad(std::vector<double> rates) {
        if (rates.empty()) return;
        median_ = median_of(rates);
        for (double& rate : rates) rate = std::abs(rate - median_);
        mad_ = median_of(rates);
    }

    [[nodiscard]] double median() const noexcept { return median_; }
    [[nodiscard]] double mad() const noexcept { return mad_; }
    [[nodiscard]] double scale(const request_sample& one) const noexcept {
        return (std::max)({1.4826 * mad_, binomial(median_, one.requests), binomial(one.rate(), one.requests), 1.0});
    }
    /// A rate below this is an outlier; it depends on how many requests the rate is made of.
    [[nodiscard]] double threshold(double factor, const request_sample& one) const noexcept {
        return median_ - factor * scale(one);
    }

private:
    static double median_of(std::vector<double>& values) noexcept {
        const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
        std::nth_element(values.begin(), middle, values.end());
        if (values.size() % 2 == 1) return *middle;
        return (*middle + *std::max_element(values.begin(), middle)) / 2;
    }
    static double binomial(double rate, std::uint64_t requests) noexcept {
        if (requests == 0) return 0;
        return std::sqrt(rate * (100 - rate) / static_cast<double>(requests));
    }

    double median_ = 100;
    double mad_ = 0;
};

/// Below a threshold by more than rounding: equal rates are never outliers of each other.
[[nodiscard]] constexpr bool is_below(double rate, double threshold) noexcept { return rate < threshold - 1e-6; }

/// How many of `members` may be out at once: the share of them, rounded down, and always one.
[[nodiscard]] constexpr std::uint64_t ejection_cap(double share, std::uint64_t members) noexcept {
    // 0.29 x 100 is 28.999... in binary: what is a whole number in decimal shall be one here.
    return (std::max)(static_cast<std::uint64_t>(share * static_cast<double>(members) + 1e-9), std::uint64_t{1});
}

}  // namespace weir::inline WEIR_ABI
