#pragma once

#include "../outcome.hpp"
#include "config.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weir::inline WEIR_ABI {

/// How the leases of a backend ended, by outcome, since it was added. Each is exact once the leases are at rest.
struct outcome_counts {
    std::uint64_t success = 0;
    std::uint64_t failure = 0;
    std::uint64_t timeout = 0;
    std::uint64_t connect_failure = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t gateway_failure = 0;

    [[nodiscard]] constexpr std::uint64_t operator[](outcome how) const noexcept {
        const std::uint64_t all[] = {success, failure, timeout, connect_failure, cancelled, gateway_failure};
        return static_cast<std::size_t>(how) < outcome_count ? all[static_cast<std::size_t>(how)] : 0;
    }
};

namespace detail {

/// Two counts and two flags in one word. The lowest bits of the counts are `distance` apart: those of the lower count, to
/// 2^30, stand on both sides of those of the upper, to 2^32.
///
///     63 62  61         53 52   21 20         0
///     flags  lower (high)  upper   lower (low)
struct two_counts {
    static constexpr int distance = 21, high_at = 53, flags_at = 62;
    static constexpr std::uint64_t low = (std::uint64_t{1} << distance) - 1;
    static constexpr std::uint64_t flags = std::uint64_t{3} << flags_at;
    static constexpr std::uint64_t most_lower = (std::uint64_t{1} << (flags_at - high_at + distance)) - 1;
    static constexpr std::uint64_t most_upper = (std::uint64_t{1} << (high_at - distance)) - 1;
    std::uint64_t word = 0;

    [[nodiscard]] constexpr std::uint64_t lower() const noexcept {
        return ((word & ~flags) >> high_at << distance) | (word & low);
    }
    [[nodiscard]] constexpr std::uint64_t upper() const noexcept { return (word >> distance) & most_upper; }
    /// Adds 1 to each count whose lowest bit is set in `more`. Each wraps by itself.
    [[nodiscard]] constexpr two_counts plus(std::uint64_t more) const noexcept {
        const std::uint64_t a = (lower() + (more & 1)) & most_lower,
                            b = (upper() + ((more >> distance) & 1)) & most_upper;
        return {(word & flags) | (a >> distance << high_at) | (b << distance) | (a & low)};
    }
};

/// How many leases ended in the ways that a `lease_word` does not count.
class rare_outcomes {
public:
    [[nodiscard]] static constexpr bool has(outcome how) noexcept {
        return how != outcome::success && how != outcome::cancelled;
    }
    /// Only what it has.
    void count(outcome how) noexcept { ends_[place_of(how)].fetch_add(1, std::memory_order_relaxed); }
    /// With the others, which a word has counted.
    [[nodiscard]] outcome_counts with(outcome_counts others) const noexcept {
        const auto of = [&](outcome how) { return ends_[place_of(how)].load(std::memory_order_relaxed); };
        others.failure = of(outcome::failure);
        others.timeout = of(outcome::timeout);
        others.connect_failure = of(outcome::connect_failure);
        others.gateway_failure = of(outcome::gateway_failure);
        return others;
    }

private:
    static constexpr std::size_t place_of(outcome how) noexcept {
        return static_cast<std::size_t>(how) - (how > outcome::cancelled ? 2 : 1);
    }
    std::atomic<std::uint64_t> ends_[outcome_count - 2]{};
};

/// One backend's leases in one 64-bit word: in flight, the registry's pin, and the two outcomes that are counted most
/// (a success and a lease that just goes), so that starting and ending a lease cost one locked addition each.
///
///     63      43 42       22  21  20        0
///     successes  cancellations pin in flight       (`most_in_flight`; the rest is for adds about to be undone)
///
/// The upper two wrap, and a wrap of the lower one carries into the higher: as the sum X = cancelled + 2^21 success is
/// exact modulo 2^42, nothing is lost as long as somebody counts how often the top bit of each field flips. That is
/// done by whoever starts the next lease, with the word that its addition returned: to read the word again, so soon
/// after it was written under lock, costs about as much as the addition. Who reads the counts allows for one flip that is not
/// counted yet, and there never are two: 2^20 leases end between two flips of a field, and before a flip is counted
/// only leases end that were in flight when it happened, at most `most_in_flight` with the one that made it.
///
/// A word beside it has the flips, and whether somebody wants to be told of the leases: as long as nobody wants that, and
/// none fails, these 16 bytes are all that the leases of a backend write.
class lease_word {
public:
    static constexpr std::uint32_t most_in_flight = 1u << 20;

    /// Counts one lease; returns how many there were before.
    WEIR_ALWAYS_INLINE std::uint32_t start() noexcept {
        return started_after(word_.fetch_add(1, std::memory_order_acquire));
    }
    void undo_start() noexcept { word_.fetch_sub(1, std::memory_order_relaxed); }
    /// Counts one lease if there are fewer than `bound`. Never more for a moment, or others would be refused for nothing.
    /// False: there are not, or others were faster again and again.
    [[nodiscard]] bool start_below(std::uint32_t bound) noexcept {
        std::uint64_t word = word_.load(std::memory_order_relaxed);
        for (int tries = 0; tries < 16 && in_flight_of(word) < bound; ++tries)
            if (word_.compare_exchange_weak(word, word + 1, std::memory_order_acquire, std::memory_order_relaxed))
                return started_after(word), true;
        return false;
    }

    /// Counts one lease if there are fewer than `bound` and than `most_in_flight`. One addition where the bound says nothing.
    [[nodiscard]] WEIR_ALWAYS_INLINE bool reserve(std::uint32_t bound) noexcept {
        if (bound < most_in_flight) return start_below(bound);
        if (start() < most_in_flight) [[likely]]
            return true;
        undo_start();
        return false;
    }

    /// Ends one lease, and counts a success or a cancellation; the others are `rare_outcomes`. True: it was the last and the
    /// registry has let go, so the caller destroys the record.
    [[nodiscard]] WEIR_ALWAYS_INLINE bool end(outcome how) noexcept {
        const std::uint64_t change = how == outcome::success     ? one_success
                                     : how == outcome::cancelled ? one_cancelled
                                                                 : 0;
        return unreferenced(word_.fetch_add(change - 1, std::memory_order_acq_rel) + change - 1);
    }

    /// The registry lets go. True: nobody else holds on, so the caller destroys the record.
    [[nodiscard]] bool unpin() noexcept { return unreferenced(word_.fetch_sub(pin, std::memory_order_acq_rel) - pin); }

    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t in_flight() const noexcept {
        return in_flight_of(word_.load(std::memory_order_relaxed));
    }

    /// Who wants to be told of the leases: see record_base::attach.
    enum class told : std::uint64_t {
        nobody = 0,
        one = std::uint64_t{1} << two_counts::flags_at,  ///< a cell that is `alone`
        several = std::uint64_t{2} << two_counts::flags_at,
        one_and_others = one | several,
    };
    [[nodiscard]] WEIR_ALWAYS_INLINE told tells() const noexcept {
        return told{flips_.load(std::memory_order_acquire) & two_counts::flags};
    }
    void tell(told more) noexcept { flips_.fetch_or(static_cast<std::uint64_t>(more), std::memory_order_release); }

    /// Nothing in flight; in order with all that starts and ends: who ends a lease afterwards sees what was written before.
    [[nodiscard]] bool at_rest() noexcept { return in_flight_of(word_.fetch_add(0, std::memory_order_acq_rel)) == 0; }

    /// Of successes and cancellations alone.
    [[nodiscard]] outcome_counts counts() const noexcept {
        // Flips that are counted between the two readings would be missing: then once more.
        two_counts flips;
        std::uint64_t word = 0;
        do {
            flips.word = flips_.load(std::memory_order_acquire);
            word = word_.load(std::memory_order_acquire);
        } while (flips_.load(std::memory_order_relaxed) != flips.word);
        const std::uint64_t cancelled = total(flips.lower(), word >> cancelled_at);
        const std::uint64_t upper = total(flips.upper(), word >> success_at);
        return {.success = upper - (cancelled >> bits), .cancelled = cancelled};
    }

private:
    static constexpr int bits = two_counts::distance;  // of each field
    static constexpr int pin_at = bits, cancelled_at = pin_at + 1, success_at = cancelled_at + bits;
    static_assert(success_at + bits == 64);
    static constexpr std::uint64_t half = std::uint64_t{1} << (bits - 1);  // as many between two flips
    static_assert(most_in_flight <= half);
    static constexpr std::uint64_t pin = std::uint64_t{1} << pin_at;
    static constexpr std::uint64_t one_cancelled = std::uint64_t{1} << cancelled_at;
    static constexpr std::uint64_t one_success = std::uint64_t{1} << success_at;

    static constexpr std::uint32_t in_flight_of(std::uint64_t word) noexcept {
        return static_cast<std::uint32_t>(word & (pin - 1));
    }
    static constexpr bool unreferenced(std::uint64_t word) noexcept { return (word & (2 * pin - 1)) == 0; }

    /// `flips` of the top bit of a field, and its current content: how often it was incremented.
    static constexpr std::uint64_t total(std::uint64_t flips, std::uint64_t field) noexcept {
        const bool top = (field & half) != 0;
        if (top != ((flips & 1) != 0)) ++flips;
        return flips * half + (field & (half - 1));
    }

    // Started with acquire, so that the flips are not read before the word, and missed. What happens in between is counted
    // or looks uncounted, which is looked at again.
    WEIR_ALWAYS_INLINE std::uint32_t started_after(std::uint64_t word) noexcept {
        if (pending(flips_.load(std::memory_order_acquire), word) != 0) [[unlikely]]
            count_flips();
        return in_flight_of(word);
    }
    /// Bit 0: a flip of the cancellations is not counted. Bit `bits`: one of the successes.
    static constexpr std::uint64_t pending(std::uint64_t flips, std::uint64_t word) noexcept {
        return ((word >> (success_at - 1)) ^ flips) & (std::uint64_t{1} | std::uint64_t{1} << bits);
    }
    // The flips are read before the word: the other way round, a flip counted in between would look like a missing one.
    WEIR_NEVER_INLINE void count_flips() noexcept {
        std::uint64_t flips = flips_.load(std::memory_order_acquire);
        while (const std::uint64_t more = pending(flips, word_.load(std::memory_order_relaxed)))
            if (flips_.compare_exchange_weak(flips, two_counts{flips}.plus(more).word, std::memory_order_acq_rel,
                                             std::memory_order_acquire))
                return;
    }

    std::atomic<std::uint64_t> word_{pin};
    std::atomic<std::uint64_t> flips_{0};  // two_counts: of the cancellations, of the successes; the flags: told
};

}  // namespace detail
}  // namespace weir::inline WEIR_ABI
