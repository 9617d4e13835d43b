#pragma once

#include "detail/record.hpp"
#include "registry/lease_watch.hpp"

#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

namespace weir::inline WEIR_ABI {

template <class Backend, class Policy>
class basic_selector;

namespace detail {

/// What a selector decided, without the type of the backend.
struct picked {
    record_base* record = nullptr;
    metric_cell* metrics = nullptr;  // those that were told of the start, and are told of the end
    lease_word* word = nullptr;      // the record's; beside it, g++ would store both as one, and reading wait for that
    std::chrono::nanoseconds started = untimed;
    backend_id id;
    pick_reason reason = pick_reason::chosen;
    pick_error error = pick_error::none;
};

/// Ends a lease of a record that `first`, and others after it, want to look at afterwards.
inline void end_and_look(record_base& r, lease_word& word, metric_cell* first, outcome how) noexcept {
    const read_section section{*r.readers};
    const bool stays = first->stays(r);
    if (end_lease(word, how))
        r.dispose();
    else if (stays)
        look_at(r, first);
}

/// Ends a lease of a record that several learn from: `told` of its start, and all that there are by now.
WEIR_NEVER_INLINE inline void end_and_tell(record_base& r, lease_word& word, metric_cell* told, outcome how,
                                           std::chrono::nanoseconds started,
                                           std::chrono::nanoseconds latency) noexcept {
    const metric_cell* const all = lease_entry::of(word).told.load(std::memory_order_acquire);
    const lease_end end{started, latency, r.clock};
    for (; told != nullptr; told = told->next) told->on_end(how, end.latency, end.now, started);
    if (lease_watch* const watch = all->watch)
        watch->end(r, word, all->looking, how);
    else if (all->looking != nullptr)
        end_and_look(r, word, all->looking, how);
    else if (end_lease(word, how))
        r.dispose();
}

}  // namespace detail

/// One request in flight on one backend: the backend stays alive and counts the lease until `complete`, or until the
/// lease goes, which reports `outcome::cancelled`. Without a backend it is empty and carries the error.
///
/// Move only. May outlive its selector and its registry, and may be completed on another thread than it was picked on;
/// one lease must not be used from two threads at once. All members are noexcept; completing never waits, takes no lock
/// and frees nothing but a backend that was removed meanwhile and has no other lease.
template <class Backend>
class [[nodiscard]] lease {
public:
    constexpr lease() noexcept = default;
    lease(lease&& other) noexcept : picked_{std::exchange(other.picked_, {})} {}
    lease& operator=(lease&& other) noexcept {
        if (this != &other) {
            finish(outcome::cancelled, detail::unmeasured);
            picked_ = std::exchange(other.picked_, {});
        }
        return *this;
    }
    // Ends are inlined, like the pick: what it has just written to the lease is not read back from memory.
    WEIR_ALWAYS_INLINE ~lease() { finish(outcome::cancelled, detail::unmeasured); }

    /// True while it holds a backend.
    [[nodiscard]] explicit operator bool() const noexcept { return picked_.record != nullptr; }
    /// Only while it holds a backend, so not after `complete`. The backend is shared by all its leases: synchronising
    /// what is in it is its own business.
    [[nodiscard]] Backend& operator*() const noexcept {
        return static_cast<detail::record<Backend>*>(picked_.record)->backend;
    }
    [[nodiscard]] Backend* operator->() const noexcept { return &**this; }
    /// The backend's id, also after completion: to exclude it from the next attempt. An id of nobody if there was none.
    [[nodiscard]] backend_id id() const noexcept { return picked_.id; }
    /// The backend's identity as the registry knows it; empty without one. Only while it holds a backend.
    [[nodiscard]] std::string_view identity() const noexcept { return picked_.record->identity; }
    /// Why it is this backend; meaningful also after completion.
    [[nodiscard]] pick_reason reason() const noexcept { return picked_.reason; }
    /// Why there is none; `none` for a lease that has or had a backend.
    [[nodiscard]] pick_error error() const noexcept { return picked_.error; }

    /// Ends the lease. The latency is the time since the pick, where a metric asked for it. Does nothing to an empty one.
    WEIR_ALWAYS_INLINE void complete(outcome how) noexcept { finish(how, detail::unmeasured); }
    /// The same with the caller's own measurement, which saves a reading of the clock: the lease is taken to have ended that
    /// long after the pick. A negative latency counts as unknown.
    WEIR_ALWAYS_INLINE void complete(outcome how, std::chrono::nanoseconds latency) noexcept {
        finish(how, latency.count() < 0 ? (std::chrono::nanoseconds::min)() : latency);
    }

private:
    template <class, class>
    friend class basic_selector;

    WEIR_ALWAYS_INLINE void finish(outcome how, std::chrono::nanoseconds latency) noexcept {
        detail::record_base* const r = std::exchange(picked_.record, nullptr);
        if (r == nullptr) return;
        detail::lease_word& word = *picked_.word;
        const auto told = word.tells();
        if (told == detail::lease_word::told::nobody) [[likely]] {
            if (detail::end_lease(word, how)) [[unlikely]]
                r->dispose();
        } else if (told == detail::lease_word::told::one && picked_.metrics != nullptr) {
            picked_.metrics->end_alone(word, how, picked_.started, latency);  // there is no other
        } else {
            detail::end_and_tell(*r, word, picked_.metrics, how, picked_.started, latency);
        }
    }

    detail::picked picked_;
};

}  // namespace weir::inline WEIR_ABI
