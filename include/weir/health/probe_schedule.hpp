#pragma once

#include "../hash.hpp"
#include "../lease.hpp"
#include "check_options.hpp"
#include "elapsed_time.hpp"
#include "rise_and_fall.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace weir::inline WEIR_ABI {

/// One backend's checks as they stand: a copy, of a moment.
struct check_status {
    check_state state = check_state::unknown;
    std::uint32_t streak = 0;         ///< results in a row that contradict the state
    bool probing = false;             ///< a probe is out
    std::chrono::nanoseconds next{};  ///< when the next is due, or the one that is out expires
    std::uint64_t passed = 0;         ///< probes, since the backend was added
    std::uint64_t failed = 0;         ///< in time
    std::uint64_t timed_out = 0;      ///< not reported by their deadline: these count as failures, too
};

namespace detail {

/// When one backend is probed next, and what the results say. By points of time that the caller tells.
///
/// Intervals lie between the starts of probes, not between an end and a start, so that a hanging backend is found as
/// early as a refusing one. A late caller keeps the rhythm; a probe that outlasts a fast interval delays the next.
class probe_schedule {
public:
    probe_schedule() = default;
    probe_schedule(const check_options& o, std::uint64_t seed, std::chrono::nanoseconds first)
        : options_{o}, seed_{seed}, next_{first} {}

    void set_options(const check_options& o) noexcept { options_ = o; }

    /// The clock was set back: nothing lies further ahead than its own interval.
    void notice(std::chrono::nanoseconds now) noexcept {
        if (probing_) deadline_ = (std::min)(deadline_, elapsed_time::after(now, timeout()));
        started_ = (std::min)(started_, now);
        const auto longest = (std::max)(options_.interval, options_.slow_interval.value_or(options_.interval));
        if (const auto ahead = between(now, next_); ahead > 2 * longest)  // jitter at most doubles it
            next_ = now + ahead % longest;                                // keeps the starts staggered
    }

    /// The probe that is out has not been reported in time.
    [[nodiscard]] bool expired(std::chrono::nanoseconds now) const noexcept { return probing_ && now >= deadline_; }
    [[nodiscard]] bool due(std::chrono::nanoseconds now) const noexcept { return !probing_ && now >= next_; }
    /// The next moment at which something happens of itself.
    [[nodiscard]] std::chrono::nanoseconds next() const noexcept { return probing_ ? deadline_ : next_; }

    /// Due, but live traffic answers the question: only failures and silence are worth a probe before `slow_interval`.
    [[nodiscard]] bool put_off(std::chrono::nanoseconds now, const outcome_counts& seen) noexcept {
        if (!options_.slow_interval) return false;
        std::uint64_t failures = 0;
        for (std::size_t i = 0; i < outcome_count; ++i)
            if (const auto how = static_cast<outcome>(i); how != outcome::success && how != outcome::cancelled)
                failures += seen[how];
        const bool healthy = seen.success > successes_ && failures == failures_;
        successes_ = seen.success;
        failures_ = failures;
        const auto latest = elapsed_time::after(started_, lengthened(*options_.slow_interval));
        if (!healthy || verdict_.state() != check_state::up || verdict_.changing() || now >= latest) return false;
        next_ = (std::min)(elapsed_time::after(in_rhythm(now), lengthened(options_.interval)), latest);
        return true;
    }

    /// The probe's number, by which its result is told from another's.
    std::uint64_t start(std::chrono::nanoseconds now) noexcept {
        started_ = in_rhythm(now);
        deadline_ = elapsed_time::after(now, timeout());
        probing_ = true;
        ++number_;
        return number_;
    }
    [[nodiscard]] std::chrono::nanoseconds deadline() const noexcept { return deadline_; }
    [[nodiscard]] bool awaits(std::uint64_t number) const noexcept { return probing_ && number == number_; }

    /// Ends the probe that is out; one that comes after its deadline failed, whatever it says. True if the state changed.
    bool report(bool passed, std::chrono::nanoseconds now) noexcept {
        const bool late = expired(now);
        ++(late ? timed_out_ : passed ? passed_ : failed_);
        probing_ = false;
        const bool changed = verdict_.report(passed && !late, static_cast<std::uint32_t>(options_.rise),
                                             static_cast<std::uint32_t>(options_.fall));
        const auto interval = verdict_.changing() ? options_.fast_interval.value_or(options_.interval)
                                                  : options_.interval;
        next_ = elapsed_time::after((std::min)(started_, now), lengthened(interval));
        return changed;
    }

    [[nodiscard]] check_status status() const noexcept {
        return {.state = verdict_.state(),
                .streak = verdict_.streak(),
                .probing = probing_,
                .next = next(),
                .passed = passed_,
                .failed = failed_,
                .timed_out = timed_out_};
    }
    [[nodiscard]] check_state state() const noexcept { return verdict_.state(); }

private:
    [[nodiscard]] std::chrono::nanoseconds timeout() const noexcept {
        return options_.timeout.value_or(options_.interval);
    }
    /// When this should have been: a caller who is late by whole intervals does not make all backends due in step.
    [[nodiscard]] std::chrono::nanoseconds in_rhythm(std::chrono::nanoseconds now) const noexcept {
        return now - between(next_, now) % options_.interval;
    }
    /// By a share of itself that differs from probe to probe and from backend to backend, at most `jitter`.
    [[nodiscard]] std::chrono::nanoseconds lengthened(std::chrono::nanoseconds interval) const noexcept {
        const double u = static_cast<double>(mix(seed_ + number_) >> 11) * 0x1p-53;
        const double more = static_cast<double>(interval.count()) * options_.jitter * u;
        return interval + std::chrono::nanoseconds{static_cast<std::int64_t>(more)};
    }

    check_options options_;
    std::uint64_t seed_ = 0;
    std::uint64_t number_ = 0;
    std::chrono::nanoseconds started_{};
    std::chrono::nanoseconds next_{};
    std::chrono::nanoseconds deadline_{};
    std::uint64_t successes_ = 0, failures_ = 0;
    std::uint64_t passed_ = 0, failed_ = 0, timed_out_ = 0;
    rise_and_fall verdict_;
    bool probing_ = false;
};

}  // namespace detail
}  // namespace weir::inline WEIR_ABI
