#pragma once

#include "../detail/between.hpp"
#include "../detail/error.hpp"
#include "../snapshot.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

struct slow_start_options {
    std::chrono::nanoseconds window = std::chrono::seconds{10};  ///< until a backend is warm; 0: at once
    double aggression = 1;                                       ///< above 0; 1 is linear, more is steeper at first
    double floor = 0.1;                                          ///< above 0, at most 1: the factor it starts with
};

namespace detail {

/// Throws std::invalid_argument for options out of bounds, in the name of `who`, who was given them.
inline void check_slow_start(const char* who, const slow_start_options& o) {
    const auto refuse = [&](const std::string& what) { reject(who + (": " + what)); };
    if (o.window.count() < 0) refuse("a window of " + std::to_string(o.window.count()) + " ns is below 0");
    if (!(o.aggression > 0 && o.aggression <= (std::numeric_limits<double>::max)()))
        refuse("an aggression of " + std::to_string(o.aggression) + " is not above 0 and finite");
    if (!(o.floor > 0 && o.floor <= 1))
        refuse("a floor of " + std::to_string(o.floor) + " is not above 0 and at most 1");
}

}  // namespace detail

/// Since when the backends of one view may be chosen, and what part of its share each may have meanwhile.
///
/// Rule: factor(t) = max(floor, (max(1 ms, t) / window)^(1 / aggression)), t since the backend became eligible. While even
/// the oldest eligible one is younger than the window, its age is the window: a pool that starts as a whole has its full
/// shares at once, and factors only ever grow.
/// Complexity: O(slots) to make; O(1) to ask. Memory: 8 bytes a slot, while somebody is warming.
/// Thread safety: immutable but for the note that all are warm.
class warm_up {
public:
    /// What `next` needs to know, `before` and `known` being the previous view and what was known of it; null: all are
    /// warm. Whoever may be chosen now and could not before starts at `now`, but for whom panic alone lets in.
    /// Throws std::invalid_argument for options out of bounds.
    [[nodiscard]] static std::unique_ptr<const warm_up> after(const view& before, const warm_up* known,
                                                              const view& next, std::chrono::nanoseconds now,
                                                              const slow_start_options& options) {
        detail::check_slow_start("warm_up", options);
        std::unique_ptr<warm_up> result;
        std::chrono::nanoseconds oldest = now;
        for (const std::uint32_t i : next.eligible()) {
            if (next.in_panic() && next.conditions(i).exclude()) {
                oldest = always;
                continue;
            }
            const bool fresh = !before.is_eligible(i) || before.id(i) != next.id(i);
            const std::chrono::nanoseconds since = fresh ? now : known != nullptr ? known->since_[i] : always;
            oldest = (std::min)(oldest, since);
            if (detail::between(since, now) >= options.window) continue;
            if (result == nullptr) result.reset(new warm_up(next.slots(), options));
            result->since_[i] = since;
            result->newest_ = (std::max)(result->newest_, since);
        }
        if (result != nullptr) result->oldest_ = oldest;
        return result;
    }

    [[nodiscard]] double factor(std::uint32_t index, std::chrono::nanoseconds now) const noexcept {
        constexpr std::chrono::nanoseconds least = std::chrono::milliseconds{1};
        auto age = detail::between(since_[index], now), window = detail::between(oldest_, now);
        if (window >= options_.window) {
            window = options_.window;
            age = (std::max)(age, least);
        }
        if (age >= window) return 1;
        const double part = static_cast<double>(age.count()) / static_cast<double>(window.count());
        return (std::max)(options_.floor, options_.aggression == 1 ? part : std::pow(part, 1 / options_.aggression));
    }

    /// Whether a backend takes part in one pick, or gets a key: for `factor` of all 64 random or hashed bits. Who does for
    /// some bits does so ever after.
    [[nodiscard]] bool admits(std::uint32_t index, std::uint64_t bits, std::chrono::nanoseconds now) const noexcept {
        return since_[index] == always || static_cast<double>(bits >> 11) * 0x1p-53 < factor(index, now);
    }

    /// Whether all are warm, at `now` or by the clock. The clock alone ends it for good: a pick may be told any time.
    template <class Clock>
    [[nodiscard]] bool over(std::chrono::nanoseconds now, Clock clock) const noexcept {
        if (detail::between(newest_, now) < options_.window) return false;
        if (detail::between(newest_, clock()) >= options_.window) over_.store(true, std::memory_order_relaxed);
        return true;
    }
    [[nodiscard]] bool known_over() const noexcept { return over_.load(std::memory_order_relaxed); }

private:
    static constexpr std::chrono::nanoseconds always = (std::chrono::nanoseconds::min)();

    warm_up(std::uint32_t slots, const slow_start_options& options) : options_{options}, since_(slots, always) {}

    const slow_start_options options_;
    std::vector<std::chrono::nanoseconds> since_;  // by slot
    std::chrono::nanoseconds oldest_ = always;     // of the eligible
    std::chrono::nanoseconds newest_ = always;
    mutable std::atomic<bool> over_{false};
};

}  // namespace weir::inline WEIR_ABI
