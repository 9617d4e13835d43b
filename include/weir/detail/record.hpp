#pragma once

#include "../condition.hpp"
#include "../hash.hpp"
#include "../outcome.hpp"
#include "lease_end.hpp"
#include "lease_word.hpp"
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

namespace detail {

class lease_watch;
struct record_base;

/// What a metric keeps for one backend: a link of the record's list, fed by every lease.
struct metric_cell {
    metric_cell* next = nullptr;
    const void* pool = nullptr;  ///< which metric of which registry
    bool looks = false;          ///< wants `on_ended`
    /// The record has no other cell, and this one neither looks nor watches: then `start_alone` and `end_alone` do all that
    /// a lease needs in one call each. As long as it is the first one; who comes before it is not alone.
    bool alone = true;
    // Of this cell and of all after it, so that a lease asks the first one alone; see record_base::attach.
    bool timed = false;              ///< one wants to know when a lease started
    metric_cell* looking = nullptr;  ///< the first that looks
    lease_watch* watch = nullptr;  ///< is told when the lease word has changed; one cell of a record at most brings it
    /// Each lease that starts ends once, with the same `started`: a time only if some metric of the list is timed.
    virtual void on_start(std::chrono::nanoseconds) noexcept {}
    /// `latency` is negative if nobody measured it.
    virtual void on_end(outcome how, std::chrono::nanoseconds latency, std::chrono::nanoseconds now,
                        std::chrono::nanoseconds started) noexcept = 0;
    /// Of a cell that is `alone`: tells it of the start, which is returned; `now` may be untimed.
    virtual std::chrono::nanoseconds start_alone(std::chrono::nanoseconds, clock_function) noexcept { return untimed; }
    /// ... and ends a lease of the record, of whose start it `was_told` or not.
    virtual void end_alone(record_base&, [[maybe_unused]] bool was_told, outcome, std::chrono::nanoseconds,
                           std::chrono::nanoseconds) noexcept {}
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
        cell->alone = cell->next == nullptr && !cell->looks && cell->watch == nullptr;
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
