#pragma once

#include "../detail/error.hpp"
#include "../lease.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

namespace weir::inline WEIR_ABI {

/// How many retries there may be. The defaults are Finagle's.
struct retry_budget_options {
    double share = 0.2;                                          ///< of the requests: retries that they earn
    double per_second = 10;                                      ///< that are free, for clients with few requests
    std::chrono::nanoseconds window = std::chrono::seconds{10};  ///< how long what was earned is good for
};

/// Keeps retries from multiplying an outage: a bucket of tokens, one for each retry, that requests and time fill.
///
/// Rule: each request earns `share` of a token, each second `per_second`. What is not used fades with the time constant
/// `window`, so that a bucket never holds more than about a window's earnings; it starts with `per_second` x `window`, as
/// if it had been idle. Over any time t with r requests, the retries granted are at most
/// share x r + per_second x t + that start.
/// Complexity: a request is one locked addition on a line that all threads share; asking for a retry two to five.
/// Thread safety: all members from any thread; nobody waits. A retry takes its token first and gives it back if there
/// was none, so that none is spent twice; of threads that ask at once for the last one, all may be refused.
/// Time: any clock, as long as it is the same. A step back earns nothing for time.
/// Source: Finagle's RetryBudget, without its buckets of time; Envoy's (20 % of what is in flight) differs.
class retry_budget {
public:
    /// Throws std::invalid_argument: `share` or `per_second` not from 0 to 1,000 or to 1,000,000, `window` not from 1 ms to
    /// an hour.
    explicit retry_budget(const retry_budget_options& o = {})
        : earned_{checked(o).share * one}, per_nanosecond_{o.per_second * one / 1e9},
          window_{static_cast<double>(o.window.count())}, step_{step_of(o)} {
        tokens_.store(static_cast<std::int64_t>(per_nanosecond_ * window_), std::memory_order_relaxed);
    }
    retry_budget(const retry_budget&) = delete;
    retry_budget& operator=(const retry_budget&) = delete;

    /// Counts a request, not its retries.
    void on_request() noexcept { requests_.fetch_add(1, std::memory_order_relaxed); }

    /// Takes a token for a retry. False: there is none, do not retry.
    [[nodiscard]] bool withdraw(std::chrono::nanoseconds now) noexcept {
        refill(now);
        const bool granted = tokens_.fetch_sub(one, std::memory_order_relaxed) >= one;
        if (!granted) tokens_.fetch_add(one, std::memory_order_relaxed);
        (granted ? granted_ : refused_).fetch_add(1, std::memory_order_relaxed);
        return granted;
    }

    /// How many retries there could be now.
    [[nodiscard]] double available(std::chrono::nanoseconds now) noexcept {
        refill(now);
        return static_cast<double>((std::max)(tokens_.load(std::memory_order_relaxed), std::int64_t{0})) / one;
    }
    [[nodiscard]] std::uint64_t granted() const noexcept { return granted_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t refused() const noexcept { return refused_.load(std::memory_order_relaxed); }

private:
    static constexpr std::int64_t one = 1 << 20;  // a token, in units
    static constexpr std::int64_t most = std::int64_t{1} << 60;
    static constexpr std::int64_t unread = (std::numeric_limits<std::int64_t>::min)();

    static retry_budget_options checked(const retry_budget_options& o) {
        const auto from_0 = [](const char* name, double value, int bound) {
            if (!(value >= 0 && value <= bound))
                detail::reject(std::string{"retry_budget: "} + name + " of " + std::to_string(value) +
                               " is not from 0 to " + std::to_string(bound));
        };
        from_0("share", o.share, 1000);
        from_0("per_second", o.per_second, 1'000'000);
        if (o.window < std::chrono::milliseconds{1} || o.window > std::chrono::hours{1})
            detail::reject("retry_budget: a window of " + std::to_string(o.window.count()) +
                           " ns is not from 1 ms to 1 hour");
        return o;
    }
    /// Time is counted in steps that earn hundreds of units, so that rounding them down costs little.
    static std::chrono::nanoseconds step_of(const retry_budget_options& o) noexcept {
        const double enough = o.per_second > 0 ? 1e9 * 256 / (o.per_second * one) : 0;
        const double window = static_cast<double>(o.window.count());
        return std::chrono::nanoseconds{
            static_cast<std::int64_t>((std::min)((std::max)(enough, window / 1024), window))};
    }

    /// Adds what was earned since the last time, and lets what was there fade. One thread does it, the others go on with
    /// what they find.
    void refill(std::chrono::nanoseconds now) noexcept {
        double passed = 0;
        std::int64_t last = last_.load(std::memory_order_relaxed);
        const std::chrono::nanoseconds from{last};
        const bool back = now < from &&
                          detail::between(now, from) >= std::chrono::seconds{1};  // less is another thread's reading
        if (last == unread || back || detail::between(from, now) >= step_)
            if (last_.compare_exchange_strong(last, now.count(), std::memory_order_relaxed) && last != unread)
                passed = static_cast<double>(detail::between(from, now).count());
        const std::uint64_t came = requests_.load(std::memory_order_relaxed) == 0
                                       ? 0
                                       : requests_.exchange(0, std::memory_order_relaxed);
        if (passed == 0 && came == 0) return;
        const std::int64_t there = tokens_.load(std::memory_order_relaxed);
        const double gone = 1 - std::exp(-passed / window_);             // of what was there
        const double whole = passed == 0 ? 1 : gone * window_ / passed;  // left of what came evenly meanwhile
        const double earned = (earned_ * static_cast<double>(came) + per_nanosecond_ * passed) * whole;
        const double faded = gone * static_cast<double>((std::max)(there, std::int64_t{0}));
        const double change = (std::min)(earned - faded, static_cast<double>(most - there));
        tokens_.fetch_add(static_cast<std::int64_t>(std::floor(change)), std::memory_order_relaxed);
    }

    const double earned_;          // units a request
    const double per_nanosecond_;  // units
    const double window_;          // nanoseconds
    const std::chrono::nanoseconds step_;
    alignas(detail::cache_line) std::atomic<std::uint64_t> requests_{0};  // not yet in tokens
    alignas(detail::cache_line) std::atomic<std::int64_t> tokens_{0};
    std::atomic<std::int64_t> last_{unread};
    std::atomic<std::uint64_t> granted_{0}, refused_{0};
};

}  // namespace weir::inline WEIR_ABI
