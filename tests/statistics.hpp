#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <utility>
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

/// How often one of `n` draws falls on a backend that has the part `p` of them. With an overdispersion the part itself is
/// Beta distributed, of the mean p, as that of an arc of a ring is, and the count beta-binomial of that variance.
class share_of_draws {
public:
    share_of_draws(double n, double p, double overdispersion = 1) : n_{n}, p_{p} {
        if (overdispersion <= 1) return;
        const double points = (n - overdispersion) / (overdispersion - 1);
        alpha_ = points * p;
        beta_ = points * (1 - p);
    }

    /// Whether a count as far off as `count`, to its side of the mean, has a probability below `level`: the exact tail.
    [[nodiscard]] bool refuses(double count, double level) const {
        if (p_ >= 1) return count != n_;
        double term = std::exp(log_probability(count)), tail = 0;
        const double step = count < n_ * p_ ? -1 : 1;
        for (double x = count; term > 0 && tail + term < level && x >= 0 && x <= n_; x += step) {
            if (term < 1e-9 * tail) return true;
            tail += term;
            term *= step > 0 ? ratio(x) : x > 0 ? 1 / ratio(x - 1) : 0;
        }
        return tail + term < level;
    }

private:
    static double log_beta(double a, double b) { return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b); }
    [[nodiscard]] double log_probability(double x) const {
        const double ways = -std::log(n_ + 1) - log_beta(x + 1, n_ - x + 1);
        if (alpha_ > 0) return ways + log_beta(x + alpha_, n_ - x + beta_) - log_beta(alpha_, beta_);
        return ways + x * std::log(p_) + (n_ - x) * std::log1p(-p_);
    }
    /// Of the probability of x + 1 to that of x.
    [[nodiscard]] double ratio(double x) const {
        const double odds = alpha_ > 0 ? (x + alpha_) / (n_ - x - 1 + beta_) : p_ / (1 - p_);
        return (n_ - x) / (x + 1) * odds;
    }

    double n_, p_, alpha_ = 0, beta_ = 0;
};

/// How many pairs of draws fall on the same backend, where each backend has too few for a test of its own: draws among half
/// of the backends make twice as many. Empty if there are no more than by chance.
inline std::string too_many_pairs(std::span<const std::pair<double, double>> counts_and_means) {
    double m = 0, mean = 0, pairs = 0, squares = 0, cubes = 0;
    for (const auto& [count, expected] : counts_and_means) {
        m += count;
        mean += expected;
        pairs += count * (count - 1) / 2;
        squares += expected * expected;
        cubes += expected * expected * expected;
    }
    if (mean <= 0) return {};
    squares /= mean * mean;
    cubes /= mean * mean * mean;
    const double all = m * (m - 1) / 2;
    const double variance = all * (squares - squares * squares) + 2 * all * (m - 2) * (cubes - squares * squares);
    // 5 sigma, and what is added where few are expected, as in five_sigma.
    const double most = all * squares + 5 * std::sqrt((std::max)(0.0, variance)) + 25.0 / 3;
    if (pairs <= most) return {};
    return std::to_string(pairs) + " pairs of picks are more than " + std::to_string(most);
}

/// Of the right answers of a test, `unfair` refuses about this part, and at most twice as many (groups and chi-square come
/// on top). It is shared out among the backends (Bonferroni), and to both sides; none at all of an expected 12 is too few,
/// then, for each of up to 8.
inline constexpr double wrongly_refused = 1e-4;

/// Why `counts` cannot be draws of which these numbers were to be expected; empty if they can. Each count is held against
/// its own expectation by the exact tail, all of them against chi-square, and where nothing is expected there are no draws
/// at all. Backends of too few draws for chi-square go together, like with like, by no more than it takes; their pairs are
/// counted, too. Where not even nothing at all would be refused, there are too few draws for an answer.
/// What was likely may have changed in between: sums of different draws vary less than those of equal ones with the same
/// means.
inline std::string unfair(std::span<const std::uint64_t> counts, std::span<const double> expected,
                          double overdispersion = 1) {
    if (counts.size() != expected.size()) return "there are as many counts as expectations";
    const auto n = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}));
    if (n <= 0) return "nothing was picked";
    constexpr double enough = 10;  // for a cell of chi-square, which is an approximation for large ones
    struct cell {
        double count = 0, mean = 0;
    };
    std::vector<cell> cells;
    std::vector<std::pair<double, double>> few;
    const auto chosen = std::count_if(expected.begin(), expected.end(), [](double e) { return e > 0; });
    const double level = wrongly_refused / 2 / static_cast<double>(chosen);
    const auto off = [&](const cell& c) {
        return share_of_draws{n, c.mean / n, overdispersion}.refuses(c.count, level);
    };
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const cell own{static_cast<double>(counts[i]), expected[i]};
        if (own.mean <= 0 ? own.count > 0 : off(own))
            return "backend " + std::to_string(i) + " has " + std::to_string(counts[i]) + " of " + std::to_string(n) +
                   " picks, expected are " + std::to_string(expected[i]);
        if (own.mean >= enough)
            cells.push_back(own);
        else if (own.mean > 0)
            few.emplace_back(own.count, own.mean);
    }
    if (overdispersion <= 1)
        if (std::string why = too_many_pairs(few); !why.empty()) return why;
    std::stable_sort(few.begin(), few.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    const std::size_t large = cells.size();
    cell rest;
    for (const auto& [count, mean] : few) {
        rest.count += count;
        rest.mean += mean;
        if (rest.mean >= enough) cells.push_back(std::exchange(rest, {}));
    }
    if (rest.mean > 0) {
        if (cells.size() == large) cells.emplace_back();
        cells.back().count += rest.count;
        cells.back().mean += rest.mean;
    }
    double chi = 0;
    std::size_t in_chi = 0;
    bool tested = large + few.size() == 1;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const auto& [count, mean] = cells[i];
        if (i >= large && off(cells[i]))
            return "backends of few picks have " + std::to_string(count) + " of " + std::to_string(n) +
                   " picks, expected are " + std::to_string(mean);
        tested = tested || (mean < 0.999 * n && off({0, mean}));  // that all have all is no answer
        if (mean < enough) continue;                              // its exact tail is all that there is
        chi += (count - mean) * (count - mean) / mean;
        ++in_chi;
    }
    if (!tested && in_chi < 2) return "too few picks to tell: " + std::to_string(n);
    if (in_chi < 2) return {};
    const double critical = chi_square_critical(static_cast<double>(in_chi) - 1);
    if (chi / overdispersion <= critical) return {};
    return "chi-square " + std::to_string(chi / overdispersion) + " exceeds " + std::to_string(critical);
}

/// The same for draws in proportion to `weights`, which are enough for an answer about the lightest, too; unless it is so
/// light that no test has the time, and next to no picks are what it should have.
inline std::string unfair(std::span<const std::uint64_t> counts, std::span<const std::uint32_t> weights,
                          double overdispersion = 1) {
    const auto n = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}));
    const auto total = static_cast<double>(std::accumulate(weights.begin(), weights.end(), std::uint64_t{0}));
    std::vector<double> expected;
    double few = 0;
    for (const std::uint32_t w : weights) {
        expected.push_back(n * (w / total));
        if (expected.back() < 10) few += expected.back();
    }
    if (few > 0.01 && few < 10 && few < n) return "too few picks to tell of the lightest: " + std::to_string(few);
    return unfair(counts, std::span<const double>{expected}, overdispersion);
}

}  // namespace weir_test
