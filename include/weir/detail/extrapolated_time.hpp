#pragma once

#include "config.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace weir::inline WEIR_ABI::detail {

/// A clock that is right but dear, read once a millisecond in each thread; in between, time goes on by a counter. `Source`
/// has static members that do not throw: `std::uint64_t count()`, the counter, `std::int64_t time()`, nanoseconds, and
/// `bool is_steady()`, whether the counter claims to run at one rate, which a process asks once.
///
/// A thread keeps the last pair of both readings, its anchor, and the counter's rate, measured over 10 ms to 1 s. The rate
/// is taken a little too low, so that a new anchor does not set the time back. Each new anchor also tries the last one: if
/// the counter is off the clock by more than 3 us and a thousandth of the time since, as those of processors that disagree
/// are for a thread that moves, no thread of the process trusts it any more, and every reading is one of the clock.
/// Thread safety: all members from any thread; no lock, no wait.
template <class Source>
class extrapolated_time {
public:
    [[nodiscard]] WEIR_ALWAYS_INLINE static std::int64_t now() noexcept {
        const anchor& a = anchor_;
        const std::uint64_t passed = Source::count() - a.count;
        if (passed < a.reach) [[likely]]
            return a.time + in_nanoseconds(passed, a.rate);
        return renew();
    }

    /// Whether the counter has never been found to be wrong.
    [[nodiscard]] static bool trusted() noexcept { return !refused_.load(std::memory_order_relaxed); }

    static constexpr std::int64_t reach_ns = 1'000'000;        ///< how far an anchor reaches
    static constexpr std::int64_t closest_ns = 1'000;          ///< two readings that are further apart are no pair
    static constexpr std::int64_t shortest_base = 10'000'000;  ///< over less time a pair's own error shows in the rate

private:
    struct pair {
        std::uint64_t count = 0;
        std::int64_t time = 0;
        std::uint64_t width = 0;  // how much later than `count` the time may have been read
    };
    struct anchor {
        std::uint64_t count = 0;
        std::uint64_t reach = 0;  // in counts; 0: the next reading renews it
        std::uint64_t rate = 0;   // nanoseconds a count, times 2^32
        std::int64_t time = 0;
        pair base{};  // what the rate is measured from; with a width: there is one
    };

    static constexpr std::int64_t longest_base = 1'000'000'000;
    static constexpr double one = 4294967296.0;             // 2^32
    static constexpr double caution = 1 - 1.0 / (1 << 16);  // 15 ns in a millisecond

    /// Of less than 2^32 ns.
    WEIR_ALWAYS_INLINE static std::int64_t in_nanoseconds(std::uint64_t counts, std::uint64_t rate) noexcept {
        return static_cast<std::int64_t>((counts * rate) >> 32);
    }

    /// Both readings, the closest of a few where they are to be an anchor: a thread may be interrupted between the two.
    static pair read(int most_tries) noexcept {
        pair best{.count = 0, .time = 0, .width = ~std::uint64_t{0}};
        for (int tries = 0; tries < most_tries; ++tries) {
            const std::uint64_t before = Source::count();
            const std::int64_t time = Source::time();
            const std::uint64_t width = Source::count() - before;
            if (width < best.width) best = {before + width / 2, time, width};
        }
        return best;
    }

    WEIR_OUT_OF_LINE static std::int64_t renew() noexcept {
        anchor& a = anchor_;
        if (!claims_.load(std::memory_order_acquire)) {
            if (!Source::is_steady()) refused_.store(true, std::memory_order_relaxed);
            claims_.store(true, std::memory_order_release);  // whoever sees it sees what was refused
        }
        if (!trusted()) {
            a.reach = 0;
            return Source::time();
        }
        const pair now = read(a.reach > 0 ? 3 : 1);
        if (a.reach > 0 && !agrees(a, now)) {
            refused_.store(true, std::memory_order_relaxed);
            a.reach = 0;
            return now.time;
        }
        // Nothing that was read from the old anchor was later than this.
        const auto passed = static_cast<std::int64_t>(now.count - a.count);  // below 0: another processor's counter
        const auto reached = (std::min)(static_cast<std::uint64_t>((std::max)(passed, std::int64_t{0})), a.reach);
        const std::int64_t latest = a.time + in_nanoseconds(reached, a.rate);
        measure(a, now);
        const auto width_ns = static_cast<double>(now.width) * static_cast<double>(a.rate) / one;
        a.reach = a.rate == 0 || width_ns > closest_ns
                      ? 0
                      : static_cast<std::uint64_t>(static_cast<double>(reach_ns) * one / static_cast<double>(a.rate));
        a.count = now.count;
        return a.time = (std::max)(now.time, latest);
    }

    /// Whether the clock has gone as the counter says, as far as a pair can tell. After a second or more nobody can say.
    static bool agrees(const anchor& a, const pair& now) noexcept {
        const auto rate = static_cast<double>(a.rate) / one;
        const auto counted = static_cast<double>(static_cast<std::int64_t>(now.count - a.count)) * rate;
        const auto elapsed = static_cast<double>(now.time - a.time);
        if (elapsed > static_cast<double>(longest_base)) return true;
        const double doubt = 2.0 * closest_ns + static_cast<double>(now.width) * rate + elapsed / 1000;
        return counted > elapsed - doubt && counted < elapsed + doubt;
    }

    static void measure(anchor& a, const pair& now) noexcept {
        if (a.rate == 0) a.rate = known_rate_.load(std::memory_order_relaxed);  // of another thread
        const std::int64_t elapsed = now.time - a.base.time;
        const std::uint64_t counted = now.count - a.base.count;
        // What the two pairs do not know must not show beside the caution.
        const bool exact = a.base.width + now.width < counted >> 16;
        if (a.base.width != 0 && exact && elapsed >= shortest_base && elapsed <= 2 * longest_base) {
            const double rate = static_cast<double>(elapsed) / static_cast<double>(counted);
            a.rate = static_cast<std::uint64_t>(rate * caution * one);
            known_rate_.store(a.rate, std::memory_order_relaxed);
        }
        // Of pairs that are soon after each other the closest is the base.
        if (a.base.width == 0 || elapsed > longest_base || (elapsed < shortest_base && now.width < a.base.width))
            a.base = now;
    }

    static inline constinit thread_local anchor anchor_{};
    static inline constinit std::atomic<std::uint64_t> known_rate_{0};
    static inline constinit std::atomic<bool> claims_{false};  // has said whether it is steady
    static inline constinit std::atomic<bool> refused_{false};
};

}  // namespace weir::inline WEIR_ABI::detail
