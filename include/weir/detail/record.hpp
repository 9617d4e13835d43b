#pragma once

#include "../condition.hpp"
#include "../hash.hpp"
#include "../outcome.hpp"
#include "lease_end.hpp"
#include "lease_word.hpp"
#include "lease_words.hpp"
#include "reader.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
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

namespace detail {

class lease_watch;
struct record_base;

/// What a metric keeps for one backend: a link of the record's list, fed by every lease.
struct alignas(cache_line) metric_cell {
    const void* pool = nullptr;  ///< which metric of which registry
    bool looks = false;          ///< wants `on_ended`
    /// The record has no other cell, and this one neither looks nor watches: then `start_alone` and `end_alone` do all that
    /// a lease needs in one call each. As long as it is the first one; who comes before it is not alone.
    bool alone = true;
    bool timed = false;  ///< this cell or one after it wants to know when a lease started
    /// For a metric's state, if it fits: on the line that a lease of an `alone` cell reads anyway.
    alignas(std::uint64_t) std::byte room[cache_line - 3 * sizeof(std::uint64_t)];

    metric_cell* next = nullptr;
    // Of this cell and of all after it, so that a lease asks the first one alone; see record_base::attach.
    metric_cell* looking = nullptr;  ///< the first that looks
    lease_watch* watch = nullptr;  ///< is told when the lease word has changed; one cell of a record at most brings it
    /// Each lease that starts ends once, with the same `started`: a time only if some metric of the list is timed.
    virtual void on_start(std::chrono::nanoseconds) noexcept {}
    /// `latency` is negative if nobody measured it.
    virtual void on_end(outcome how, std::chrono::nanoseconds latency, std::chrono::nanoseconds now,
                        std::chrono::nanoseconds started) noexcept = 0;
    /// Of a cell that is `alone`: tells it of the start, which is returned; `now` may be untimed.
    virtual std::chrono::nanoseconds start_alone(std::chrono::nanoseconds, clock_function) noexcept { return untimed; }
    /// ... and ends a lease of the record whose word it is, of whose start it was told.
    virtual void end_alone(lease_word&, outcome, std::chrono::nanoseconds, std::chrono::nanoseconds) noexcept {}
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
    std::string identity;  // empty: it has none
    alignas(cache_line) rare_outcomes rare;
    leased_word place;
    std::uint64_t identity_hash = 0;
    // Only read, unlike the line before.
    alignas(cache_line) backend_id id;
    clock_function clock = nullptr;
    domain* readers = nullptr;
    std::atomic<std::uint32_t> half_open_limit{1};  // leases at once while condition::half_open is set

    record_base() = default;
    record_base(const record_base&) = delete;
    record_base& operator=(const record_base&) = delete;
    virtual ~record_base() {
        if (place.get() == nullptr) return;  // refused before it had one
        for (metric_cell* cell = metrics().load(std::memory_order_relaxed); cell != nullptr;) {
            const std::unique_ptr<metric_cell> doomed{cell};
            cell = cell->next;
        }
    }

    /// Once it has a `place`.
    [[nodiscard]] lease_word& leases() noexcept { return *place.get(); }
    [[nodiscard]] const lease_word& leases() const noexcept { return *place.get(); }
    [[nodiscard]] std::atomic<metric_cell*>& metrics() noexcept { return lease_entry::of(leases()).told; }
    [[nodiscard]] outcome_counts outcomes() const noexcept { return rare.with(leases().counts()); }

    /// Goes on with another word. Before it is published: nobody has a lease of it yet.
    void move_to(leased_word fresh) noexcept {
        lease_word& other = *fresh.get();
        lease_entry::of(other).told.store(metrics().load(std::memory_order_relaxed), std::memory_order_relaxed);
        other.tell(leases().tells());
        place = std::move(fresh);
    }

    /// Puts a cell before the others, for leases from now on. Under the writer's lock.
    void attach(std::unique_ptr<metric_cell> cell) noexcept {
        using told = lease_word::told;
        metric_cell* const rest = metrics().load(std::memory_order_relaxed);
        if (rest != nullptr) {
            cell->next = rest;
            cell->timed = cell->timed || rest->timed;
            cell->looking = rest->looking;
            if (cell->watch == nullptr) cell->watch = rest->watch;
            leases().tell(told::several);  // before the cell is found: who finds it must not take it for the only one
        }
        if (cell->looks) cell->looking = cell.get();
        cell->alone = cell->next == nullptr && !cell->looks && cell->watch == nullptr;
        const auto first = cell->alone ? told::one : told::several;
        metrics().store(cell.release(), std::memory_order_release);
        if (rest == nullptr) leases().tell(first);  // once there is a cell to be found
    }

    [[nodiscard]] metric_cell* find_metric(const void* pool) noexcept {
        metric_cell* cell = metrics().load(std::memory_order_acquire);
        while (cell != nullptr && cell->pool != pool) cell = cell->next;
        return cell;
    }

    /// Destroys a record that nobody references: outside read sections, so later if this thread is inside one.
    WEIR_NEVER_INLINE void dispose() noexcept {
        release = [](retired* self) noexcept { delete static_cast<record_base*>(self); };
        release_outside(*readers, this);
    }
};

/// Ends a lease that a record's word has counted. True: the caller destroys the record.
[[nodiscard]] WEIR_ALWAYS_INLINE bool end_lease(lease_word& word, outcome how) noexcept {
    if (rare_outcomes::has(how)) [[unlikely]]
        lease_entry::of(word).owner->rare.count(how);
    return word.end(how);
}

template <class Backend>
struct record final : record_base {
    explicit record(Backend&& value) : backend(std::move(value)) {}
    // A pointer or a handle is on the line that its leases read; what is larger has lines of its own.
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
