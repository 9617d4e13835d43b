#pragma once

#include "retry_budget.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace weir::inline WEIR_ABI {

struct retry_options {
    std::uint32_t attempts = 3;                                           ///< of a request in all, from 1 to 8
    std::chrono::nanoseconds base_pause = std::chrono::milliseconds{25};  ///< doubled for each further retry
    std::chrono::nanoseconds max_pause = std::chrono::milliseconds{250};
    retry_budget_options budget = {};
};

/// What all requests of a client share: how often to try, how long to pause, and the budget.
///
/// Rule: before the k-th retry a uniformly random pause below min(max_pause, base_pause x 2^(k - 1)): full jitter, so
/// that clients that failed together do not return together.
/// Thread safety: all members from any thread, see retry_budget.
/// Source: Envoy's pauses; full jitter after Brooker 2015.
class retry_rules {
public:
    static constexpr std::uint32_t most_attempts = 8;

    /// Throws std::invalid_argument: no or too many attempts, a pause that is negative or above its maximum, what the
    /// budget refuses.
    explicit retry_rules(const retry_options& o = {}) : budget{o.budget}, options_{checked(o)} {}

    /// How long to wait before the k-th retry, k from 1, for 64 random bits.
    [[nodiscard]] std::chrono::nanoseconds pause(std::uint32_t k, std::uint64_t random) const noexcept {
        std::chrono::nanoseconds below = options_.base_pause;
        for (; k > 1 && below < options_.max_pause / 2; --k) below *= 2;
        if (k > 1) below = options_.max_pause;
        const auto steps = static_cast<std::uint64_t>(below.count());
        return std::chrono::nanoseconds{static_cast<std::int64_t>(detail::scale(random, steps))};
    }
    [[nodiscard]] const retry_options& options() const noexcept { return options_; }

    retry_budget budget;

private:
    static retry_options checked(const retry_options& o) {
        if (o.attempts == 0 || o.attempts > most_attempts)
            detail::reject("retry_options: " + std::to_string(o.attempts) + " attempts are not from 1 to " +
                           std::to_string(most_attempts));
        if (o.base_pause.count() < 0)
            detail::reject("retry_options: a base_pause of " + std::to_string(o.base_pause.count()) +
                           " ns is not at least 0");
        if (o.max_pause < o.base_pause)
            detail::reject("retry_options: a max_pause of " + std::to_string(o.max_pause.count()) +
                           " ns is not at least base_pause");
        return o;
    }

    const retry_options options_;
};

/// One request and its attempts: who has failed it, and whether there may be another.
///
///     weir::retry attempts{rules};
///     auto lease = balancer.pick({.exclude = attempts.tried()});
///     ...                                            // it failed, in a way that is safe to repeat
///     const auto pause = attempts.again(lease.id(), now);
///     if (!pause) ...                                // that was the last attempt
///
/// Which failures are safe to repeat is the caller's to say: idempotent requests, or those of which nothing was sent.
/// A value for one thread at a time; allocates nothing. The rules must outlive it.
class retry {
public:
    /// Counts the request in the budget.
    explicit retry(retry_rules& rules) noexcept : rules_{&rules} { rules.budget.on_request(); }

    /// Those that have failed this request: for `pick_options::exclude`.
    [[nodiscard]] std::span<const backend_id> tried() const noexcept { return {tried_.data(), count_}; }

    /// An attempt has failed on `backend` (an id of nobody if none was found). The pause before the next one, or none:
    /// all attempts are used up, or the budget is.
    [[nodiscard]] std::optional<std::chrono::nanoseconds>
    again(backend_id backend, std::chrono::nanoseconds now, std::uint64_t random = detail::thread_random()) noexcept {
        const auto end = tried_.begin() + static_cast<std::ptrdiff_t>(count_);
        if (backend != backend_id{} && std::find(tried_.begin(), end, backend) == end && count_ < tried_.size())
            tried_[count_++] = backend;
        if (attempts_ >= rules_->options().attempts || !rules_->budget.withdraw(now)) return std::nullopt;
        return rules_->pause(attempts_++, random);
    }
    /// How many there have been, the present one counted.
    [[nodiscard]] std::uint32_t attempts() const noexcept { return attempts_; }

private:
    retry_rules* rules_;
    std::array<backend_id, retry_rules::most_attempts> tried_{};
    std::uint32_t count_ = 0;
    std::uint32_t attempts_ = 1;
};

}  // namespace weir::inline WEIR_ABI
