#pragma once

#include "../condition.hpp"
#include "../hash.hpp"
#include "../outcome.hpp"
#include "reader.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace weir::inline WEIR_ABI {

/// Names one membership of one backend in one registry. An id whose backend is gone stays invalid for ever: a slot that
/// is used again has another generation (until 2^32 backends have passed through it).
struct backend_id {
    std::uint32_t slot = ~std::uint32_t{0};
    std::uint32_t generation = 0;
    friend constexpr auto operator<=>(const backend_id&, const backend_id&) noexcept = default;
};

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

/// Two counts in one word, whose lowest bits are `distance` apart: those of the lower count, to 2^31, stand on both sides of
/// those of the upper, to 2^33.
///
///     63         54 53   21 20         0
///     lower (high)  upper   lower (low)
struct two_counts {
    static constexpr int distance = 21, high_at = 54;
    static constexpr std::uint64_t low = (std::uint64_t{1} << distance) - 1;
    std::uint64_t word = 0;

    [[nodiscard]] constexpr std::uint64_t lower() const noexcept {
        return (word >> high_at << distance) | (word & low);
    }
    [[nodiscard]] constexpr std::uint64_t upper() const noexcept {
        return (word >> distance) & ((std::uint64_t{1} << (high_at - distance)) - 1);
    }
    /// Adds 1 to each count whose lowest bit is set in `more`.
    [[nodiscard]] constexpr two_counts plus(std::uint64_t more) const noexcept {
        const std::uint64_t a = lower() + (more & 1), b = upper() + (more >> distance & 1);
        return {(a >> distance << high_at) | (b << distance) | (a & low)};
    }
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
/// after it was written under lock, costs more than the addition. Who reads the counts allows for one flip that is not
/// counted yet, and there never are two: 2^20 leases end between two flips of a field, and before a flip is counted
/// only leases end that were in flight when it happened, at most `most_in_flight` with the one that made it.
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

    /// Ends one lease. True: it was the last and the registry has let go, so the caller destroys the record.
    [[nodiscard]] WEIR_ALWAYS_INLINE bool end(outcome how) noexcept {
        std::uint64_t change = 0;
        if (how == outcome::success)
            change = one_success;
        else if (how == outcome::cancelled)
            change = one_cancelled;
        else
            rare_[static_cast<std::size_t>(how)].fetch_add(1, std::memory_order_relaxed);
        return unreferenced(word_.fetch_add(change - 1, std::memory_order_acq_rel) + change - 1);
    }

    /// The registry lets go. True: nobody else holds on, so the caller destroys the record.
    [[nodiscard]] bool unpin() noexcept { return unreferenced(word_.fetch_sub(pin, std::memory_order_acq_rel) - pin); }

    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t in_flight() const noexcept {
        return in_flight_of(word_.load(std::memory_order_relaxed));
    }

    /// Nothing in flight; in order with all that starts and ends: who ends a lease afterwards sees what was written before.
    [[nodiscard]] bool at_rest() noexcept { return in_flight_of(word_.fetch_add(0, std::memory_order_acq_rel)) == 0; }

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
        const auto rare = [&](outcome how) {
            return rare_[static_cast<std::size_t>(how)].load(std::memory_order_relaxed);
        };
        return {.success = upper - (cancelled >> bits),
                .failure = rare(outcome::failure),
                .timeout = rare(outcome::timeout),
                .connect_failure = rare(outcome::connect_failure),
                .cancelled = cancelled,
                .gateway_failure = rare(outcome::gateway_failure)};
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

    std::atomic<std::uint64_t> rare_[outcome_count]{};  // by outcome; success and cancelled are in the word
    std::atomic<std::uint64_t> word_{pin};              // the last two are what every lease needs
    std::atomic<std::uint64_t> flips_{0};               // two_counts: of the cancellations, of the successes
};

using clock_function = std::chrono::nanoseconds (*)() noexcept;

class lease_watch;
struct record_base;

/// What a metric keeps for one backend: a link of the record's list, fed by every lease.
struct metric_cell {
    metric_cell* next = nullptr;
    const void* pool = nullptr;  ///< which metric of which registry
    bool looks = false;          ///< wants `on_ended`
    // Of this cell and of all after it, so that a lease asks the first one alone; see record_base::attach.
    bool timed = false;              ///< one wants to know when a lease started
    metric_cell* looking = nullptr;  ///< the first that looks
    lease_watch* watch = nullptr;  ///< is told when the lease word has changed; one cell of a record at most brings it
    /// Each lease that starts ends once, with the same `started`: a time only if some metric of the list is timed.
    virtual void on_start(std::chrono::nanoseconds) noexcept {}
    /// `latency` is negative if nobody measured it.
    virtual void on_end(outcome how, std::chrono::nanoseconds latency, std::chrono::nanoseconds now,
                        std::chrono::nanoseconds started) noexcept = 0;
    virtual void on_eligible(bool eligible) noexcept = 0;
    /// The lease is not counted any more. Inside a read section in which the record stays.
    virtual void on_ended(record_base&) noexcept {}
    /// Asked inside a read section: it is a member, so that it stays until the section ends, leases or not.
    [[nodiscard]] virtual bool stays(const record_base&) const noexcept { return false; }
    virtual ~metric_cell() = default;
    metric_cell() = default;
    metric_cell(const metric_cell&) = delete;
    metric_cell& operator=(const metric_cell&) = delete;
};

/// One backend for as long as the registry or a lease holds on to it, without its type.
struct alignas(cache_line) record_base : retired {
    // Read only, once published.
    std::string identity;  // empty: it has none
    alignas(cache_line) std::uint64_t identity_hash = 0;
    domain* readers = nullptr;
    // What every lease needs is on one line, which begins with the two words that it writes: the last of `leases`.
    lease_word leases;
    std::atomic<metric_cell*> metrics{nullptr};
    backend_id id;
    clock_function clock = nullptr;
    std::atomic<std::uint32_t> half_open_limit{1};  // leases at once while condition::half_open is set

    record_base() = default;
    record_base(const record_base&) = delete;
    record_base& operator=(const record_base&) = delete;
    virtual ~record_base() {
        for (metric_cell* cell = metrics.load(std::memory_order_relaxed); cell != nullptr;) {
            const std::unique_ptr<metric_cell> doomed{cell};
            cell = cell->next;
        }
    }

    /// Puts a cell before the others, for leases from now on. Under the writer's lock.
    void attach(std::unique_ptr<metric_cell> cell) noexcept {
        if (metric_cell* const rest = metrics.load(std::memory_order_relaxed); rest != nullptr) {
            cell->next = rest;
            cell->timed = cell->timed || rest->timed;
            cell->looking = rest->looking;
            if (cell->watch == nullptr) cell->watch = rest->watch;
        }
        if (cell->looks) cell->looking = cell.get();
        metrics.store(cell.release(), std::memory_order_release);
    }

    [[nodiscard]] metric_cell* find_metric(const void* pool) const noexcept {
        metric_cell* cell = metrics.load(std::memory_order_acquire);
        while (cell != nullptr && cell->pool != pool) cell = cell->next;
        return cell;
    }

    /// Destroys a record that nobody references: outside read sections, so later if this thread is inside one.
    WEIR_NEVER_INLINE void dispose() noexcept {
        release = [](retired* self) noexcept { delete static_cast<record_base*>(self); };
        release_outside(*readers, this);
    }
};

template <class Backend>
struct record final : record_base {
    explicit record(Backend&& value) : backend(std::move(value)) {}
    // A pointer or a handle is on the line of its leases, who write there anyway; what is larger has lines of its own.
    alignas(sizeof(Backend) <= 16 ? alignof(Backend) : (std::max)(alignof(Backend), cache_line)) Backend backend;
};

}  // namespace detail
}  // namespace weir::inline WEIR_ABI

/// For unordered containers.
template <>
struct std::hash<weir::backend_id> {
    [[nodiscard]] std::size_t operator()(weir::backend_id id) const noexcept {
        return static_cast<std::size_t>(weir::mix((std::uint64_t{id.generation} << 32) | id.slot));
    }
};
