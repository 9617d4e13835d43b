#pragma once

#include "detail/record.hpp"

#include <chrono>
#include <utility>

namespace weir::inline WEIR_ABI {

template <class Backend, class Policy>
class basic_selector;

namespace detail {

/// What a selector decided, without the type of the backend.
struct picked {
    static constexpr std::chrono::nanoseconds untimed{(std::chrono::nanoseconds::min)()};

    record_base* record = nullptr;
    std::chrono::nanoseconds started = untimed;
    pick_reason reason = pick_reason::chosen;
    pick_error error = pick_error::none;
};

WEIR_NEVER_INLINE inline void feed_metrics(record_base& r, metric_cell* cell, outcome how,
                                           std::chrono::nanoseconds started,
                                           std::chrono::nanoseconds latency) noexcept {
    std::chrono::nanoseconds now{0};
    for (const metric_cell* c = cell; c != nullptr; c = c->next)
        if (c->timed) {
            now = r.clock();
            break;
        }
    if (latency.count() < 0 && started != picked::untimed)
        latency = now > started ? now - started : std::chrono::nanoseconds{0};
    for (; cell != nullptr; cell = cell->next) cell->on_end(how, latency, now);
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
            finish(outcome::cancelled, unmeasured);
            picked_ = std::exchange(other.picked_, {});
        }
        return *this;
    }
    ~lease() { finish(outcome::cancelled, unmeasured); }

    /// True while it holds a backend.
    [[nodiscard]] explicit operator bool() const noexcept { return picked_.record != nullptr; }
    /// Only while it holds a backend.
    [[nodiscard]] Backend& operator*() const noexcept {
        return static_cast<detail::record<Backend>*>(picked_.record)->backend;
    }
    [[nodiscard]] Backend* operator->() const noexcept { return &**this; }
    /// The backend's id; an id of nobody if the lease is empty.
    [[nodiscard]] backend_id id() const noexcept {
        return picked_.record != nullptr ? picked_.record->id : backend_id{};
    }
    /// Why it is this backend; meaningful also after completion.
    [[nodiscard]] pick_reason reason() const noexcept { return picked_.reason; }
    /// Why there is none; `none` for a lease that has or had a backend.
    [[nodiscard]] pick_error error() const noexcept { return picked_.error; }

    /// Ends the lease. The latency is the time since the pick, where a metric asked for it. Does nothing to an empty one.
    void complete(outcome how) noexcept { finish(how, unmeasured); }
    /// The same with the caller's own measurement; a negative latency counts as unknown.
    void complete(outcome how, std::chrono::nanoseconds latency) noexcept {
        if (latency.count() < 0) picked_.started = detail::picked::untimed;
        finish(how, latency);
    }

private:
    template <class, class>
    friend class basic_selector;

    static constexpr std::chrono::nanoseconds unmeasured{-1};

    WEIR_ALWAYS_INLINE void finish(outcome how, std::chrono::nanoseconds latency) noexcept {
        detail::record_base* const r = std::exchange(picked_.record, nullptr);
        if (r == nullptr) return;
        if (auto* const metrics = r->metrics.load(std::memory_order_acquire); metrics != nullptr) [[unlikely]]
            detail::feed_metrics(*r, metrics, how, picked_.started, latency);
        if (r->leases.end(how)) [[unlikely]]
            r->dispose();
    }

    detail::picked picked_;
};

}  // namespace weir::inline WEIR_ABI
