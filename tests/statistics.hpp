#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

// Tolerances, computed from n and p. No test has a window of its own.
namespace weir_test {

/// How far a binomial count may be from n p: 5 sigma, and what Bernstein's inequality adds where n p is small. Exceeded
/// with a probability below 2 exp(-25 / 2), for any n and p.
/// `overdispersion` is the factor by which the variance exceeds the binomial one.
inline double five_sigma(double n, double p, double overdispersion = 1) {
    return 5 * std::sqrt(n * p * (std::max)(0.0, 1 - p) * overdispersion) + 25.0 / 3 * overdispersion;
}

/// The z that a standard normal variable exceeds with probability `tail`.
inline double normal_quantile(double tail) {
    double low = -40, high = 40;
    for (int i = 0; i < 200; ++i) {
        const double middle = (low + high) / 2;
        (0.5 * std::erfc(middle / std::sqrt(2.0)) > tail ? low : high) = middle;
    }
    return low;
}

/// What chi-square with `degrees` of freedom exceeds with probability `alpha` (Wilson and Hilferty 1931; for one or two
/// degrees it is some 20 % on the generous side).
inline double chi_square_critical(double degrees, double alpha = 1e-9) {
    const double spread = 2 / (9 * degrees);
    return degrees * std::pow(1 - spread + normal_quantile(alpha) * std::sqrt(spread), 3);
}

/// The variance of the counts of `keys` keys on a ring of `points` points, as a multiple of the multinomial one. The arcs
/// of random points are Dirichlet distributed, so the counts are Dirichlet-multinomial.
inline double ring_overdispersion(double keys, double points) { return (keys + points) / (points + 1); }

/// Why `counts` cannot be draws of which these numbers were to be expected; empty if they can. Each count is held against
/// its own expectation, all of them against chi-square, and where nothing is expected there are no draws at all. What was
/// likely may have changed in between: sums of different draws vary less than those of equal ones with the same means.
inline std::string unfair(std::span<const std::uint64_t> counts, std::span<const double> expected,
                          double overdispersion = 1) {
    if (counts.size() != expected.size()) return "there are as many counts as expectations";
    const auto n = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}));
    double chi = 0, rare_count = 0, rare_expected = 0;
    int cells = 0;
    const auto add = [&](double count, double mean) {
        chi += (count - mean) * (count - mean) / mean;
        ++cells;
    };
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const auto count = static_cast<double>(counts[i]);
        if (std::abs(count - expected[i]) > (expected[i] > 0 ? five_sigma(n, expected[i] / n, overdispersion) : 0))
            return "backend " + std::to_string(i) + " has " + std::to_string(counts[i]) + " of " + std::to_string(n) +
                   " picks, expected are " + std::to_string(expected[i]);
        if (expected[i] <= 0) continue;
        if (expected[i] < 10) {  // chi-square is an approximation for large cells: small ones go together
            rare_count += count;
            rare_expected += expected[i];
        } else {
            add(count, expected[i]);
        }
    }
    if (rare_expected > 0) add(rare_count, rare_expected);
    if (cells < 2) return {};
    const double critical = chi_square_critical(cells - 1);
    if (chi / overdispersion <= critical) return {};
    return "chi-square " + std::to_string(chi / overdispersion) + " exceeds " + std::to_string(critical);
}

/// The same for draws in proportion to `weights`.
inline std::string unfair(std::span<const std::uint64_t> counts, std::span<const std::uint32_t> weights,
                          double overdispersion = 1) {
    const auto n = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}));
    const auto total = static_cast<double>(std::accumulate(weights.begin(), weights.end(), std::uint64_t{0}));
    std::vector<double> expected;
    for (const std::uint32_t w : weights) expected.push_back(n * (w / total));
    return unfair(counts, std::span<const double>{expected}, overdispersion);
}

}  // namespace weir_test
