#include "catch.hpp"
#include "statistics.hpp"
#include "support/length.hpp"
#include "support/manual_clock.hpp"

#include <weir/random.hpp>
#include <weir/select/choices.hpp>
#include <weir/select/random.hpp>

#include <cmath>
#include <vector>

// Choices against theory: what d draws are known to do, done by the real selectors with real leases.

using weir_test::manual_clock;

namespace {

using pool = weir::registry<int, manual_clock>;

void fill(pool& p, int n) {
    p.update([&](auto& change) {
        for (int i = 0; i < n; ++i) change.add(i);
    });
}

weir::random<int> one_draw(pool& p) { return weir::random<int>{p, {.seed = 1}}; }
weir::power_of_two<int> two_draws(pool& p) { return weir::power_of_two<int>{p, {.seed = 2}}; }
weir::choices<int, weir::in_flight, 3> three_draws(pool& p) {
    return weir::choices<int, weir::in_flight, 3>{p, {}, {.seed = 3}};
}

/// The share of bins with at least k balls after `balls` a bin, for each k: ds_k/dt = s_(k-1)^d - s_k^d, the limit for many
/// bins (Mitzenmacher 1996), by Runge and Kutta's rule.
std::vector<double> at_least(int d, double balls) {
    constexpr std::size_t most = 60;
    constexpr int steps_a_ball = 200;
    std::vector<double> s(most);
    s[0] = 1;
    const auto slope = [&](const std::vector<double>& at) {
        std::vector<double> result(most);
        for (std::size_t k = 1; k < most; ++k) result[k] = std::pow(at[k - 1], d) - std::pow(at[k], d);
        return result;
    };
    const auto along = [&](const std::vector<double>& by, double step) {
        std::vector<double> result = s;
        for (std::size_t k = 0; k < most; ++k) result[k] += step * by[k];
        return result;
    };
    const double h = 1.0 / steps_a_ball;
    for (int i = 0; i < static_cast<int>(balls * steps_a_ball); ++i) {
        const auto a = slope(s), b = slope(along(a, h / 2)), c = slope(along(b, h / 2)), e = slope(along(c, h));
        for (std::size_t k = 1; k < most; ++k) s[k] += h / 6 * (a[k] + 2 * b[k] + 2 * c[k] + e[k]);
    }
    return s;
}

/// Throws `balls` leases a backend, which all stay, and holds the loads against theory.
template <class Make>
void check_bins(int d, int balls, const Make& make) {
    constexpr int n = 10'000;
    pool p;
    fill(p, n);
    const auto selector = make(p);
    std::vector<weir::lease<int>> held;
    for (int i = 0; i < n * balls; ++i) held.push_back(selector.pick());
    std::vector<double> bins(61);
    std::size_t most = 0;
    for (const auto& m : p.members()) {
        for (std::size_t k = 0; k <= m.in_flight; ++k) ++bins.at(k);
        most = std::max<std::size_t>(most, m.in_flight);
    }
    const auto expected = at_least(d, balls);
    for (std::size_t k = 1; k < expected.size(); ++k) {
        INFO(d << " draws, " << balls << " leases a backend: with at least " << k);
        // Loads are negatively associated, so their counts vary no more than independent ones (Dubhashi, Ranjan 1998).
        CHECK(std::abs(bins[k] - n * expected[k]) <= weir_test::five_sigma(n, expected[k]));
    }
    // The largest load: the expected number of backends that have more is below one in a million.
    std::size_t bound = 0;
    while (n * expected[bound + 1] > 1e-6) ++bound;
    std::size_t usual = 0;
    while (n * expected[usual + 1] > 30) ++usual;  // missed with a probability of exp(-30)
    CHECK(most <= bound);
    CHECK(most >= usual);
}

/// Mean time in system where arrivals at each of n servers have the rate lambda, services the rate 1, and each arrival
/// joins the shortest of d queues: sum over i >= 1 of lambda^((d^i - d)/(d - 1)), for many servers.
double supermarket(double lambda, int d) {
    double sum = 0, exponent = 0, power = 1;
    for (int i = 1; i < 200; ++i) {
        const double term = std::pow(lambda, exponent);
        if (term < 1e-12) break;
        sum += term;
        exponent += power *= d;
    }
    return d == 1 ? 1 / (1 - lambda) : sum;
}

struct estimate {
    double mean, standard_error;
};

/// The same, measured: open Poisson arrivals, exponential service, one server and a queue behind each backend. All events
/// come from one Poisson process of rate n (1 + lambda): an arrival, or the end of a service at a random server if it has
/// one. Time in system is the mean number in it by the rate of arrivals (Little); its error is that of 20 batches.
template <class Selector>
estimate time_in_system(const Selector& selector, int n, double lambda, double warm_up, double duration) {
    weir::generator random{4};
    std::vector<std::vector<weir::lease<int>>> queues(static_cast<std::size_t>(n));
    const auto arrivals = static_cast<std::uint64_t>(std::ldexp(lambda / (1 + lambda), 64));
    const double rate = n * (1 + lambda);
    const auto between = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>{1 / rate});
    double jobs = 0;
    const auto mean_number = [&](double time) {
        const auto events = static_cast<std::uint64_t>(time * rate);
        double seen = 0;
        for (std::uint64_t i = 0; i < events; ++i) {
            manual_clock::advance(between);
            if (random() < arrivals) {
                auto lease = selector.pick();
                queues[static_cast<std::size_t>(*lease)].push_back(std::move(lease));
                ++jobs;
            } else if (auto& queue = queues[random.below(queues.size())]; !queue.empty()) {
                queue.back().complete(weir::outcome::success);
                queue.pop_back();
                --jobs;
            }
            seen += jobs;
        }
        return seen / static_cast<double>(events);
    };
    mean_number(warm_up);
    constexpr int batches = 20;
    double sum = 0, squares = 0;
    for (int batch = 0; batch < batches; ++batch) {
        const double time = mean_number(duration / batches) / (lambda * n);
        sum += time;
        squares += time * time;
    }
    const double mean = sum / batches;
    return {mean, std::sqrt((squares / batches - mean * mean) / (batches - 1))};
}

template <class Make>
void check_queues(double lambda, int d, const Make& make, double warm_up, double duration) {
    constexpr int n = 1'000;
    pool p;
    fill(p, n);
    const auto percent = static_cast<double>(weir_test::repetitions(100));
    const auto measured = time_in_system(make(p), n, lambda, warm_up, duration * percent / 100);
    const double theory = supermarket(lambda, d);
    INFO("lambda " << lambda << ", " << d << " draws: " << measured.mean << " +- " << measured.standard_error
                   << ", in theory " << theory);
    const double error = measured.standard_error / theory;
    CHECK(std::abs(measured.mean / theory - 1) <= std::max(0.03, 5 * error));
    if (percent >= 100) CHECK(error <= 0.006);  // 3 % are 5 of these
}

}  // namespace

TEST_CASE("balls into bins: the loads of d draws are those of theory, up to the largest") {
    for (const int balls : {1, 10}) {
        check_bins(1, balls, one_draw);
        check_bins(2, balls, two_draws);
        check_bins(3, balls, three_draws);
    }
}

TEST_CASE("the oracle is that of the published table") {
    CHECK(supermarket(0.9, 1) == Approx(10.0));
    CHECK(supermarket(0.9, 2) == Approx(2.614).epsilon(2e-4));
    CHECK(supermarket(0.9, 3) == Approx(2.028).epsilon(2e-4));
    CHECK(supermarket(0.99, 2) == Approx(5.432).epsilon(2e-4));
    CHECK(supermarket(0.99, 3) == Approx(3.858).epsilon(2e-4));
}

TEST_CASE("queues: the mean time in system is the supermarket model's within 3 %") {
    check_queues(0.9, 1, one_draw, 1000, 12'000);
    check_queues(0.9, 2, two_draws, 100, 2000);
    check_queues(0.9, 3, three_draws, 100, 2000);
    check_queues(0.99, 2, two_draws, 500, 12'000);
    check_queues(0.99, 3, three_draws, 500, 16'000);
}
