#pragma once

#include "../lease.hpp"
#include "../registry/hub.hpp"
#include "rescue.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>

namespace weir::inline WEIR_ABI {

/// Picks of one selector, by reason and by error, since it was made; all its copies count together.
struct selector_counts {
    std::uint64_t by_reason[pick_reason_count]{};
    std::uint64_t by_error[pick_error_count]{};

    [[nodiscard]] std::uint64_t operator[](pick_reason r) const noexcept {
        return by_reason[static_cast<std::size_t>(r)];
    }
    [[nodiscard]] std::uint64_t operator[](pick_error e) const noexcept {
        return by_error[static_cast<std::size_t>(e)];
    }
};

namespace detail {

/// Counters that a pick adds to without sharing a line: each reader slot has a stripe, the last is for the others.
class pick_counters {
public:
    WEIR_ALWAYS_INLINE void count(std::uint32_t own, pick_reason r, pick_error e) noexcept {
        const std::size_t which = e == pick_error::none ? static_cast<std::size_t>(r)
                                                        : pick_reason_count + static_cast<std::size_t>(e);
        if (own < own_stripes) [[likely]] {  // nobody else writes it
            auto& counter = stripes_[own].counters[which];
            counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        } else {
            stripes_[own_stripes].counters[which].fetch_add(1, std::memory_order_relaxed);
        }
    }
    [[nodiscard]] selector_counts read() const noexcept {
        selector_counts sum;
        for (const auto& s : stripes_) {
            for (std::size_t i = 0; i < pick_reason_count; ++i)
                sum.by_reason[i] += s.counters[i].load(std::memory_order_relaxed);
            for (std::size_t i = 0; i < pick_error_count; ++i)
                sum.by_error[i] += s.counters[pick_reason_count + i].load(std::memory_order_relaxed);
        }
        return sum;
    }

private:
    static constexpr std::uint32_t own_stripes = 64;
    struct alignas(cache_line) stripe {
        std::atomic<std::uint64_t> counters[pick_reason_count + pick_error_count]{};
    };
    stripe stripes_[own_stripes + 1];
};

/// Everything that selectors share, written once: publication, the predicate, verification, rescue, errors, limits.
template <class Policy>
class selector_core final : public attachment {
    using table = typename Policy::table;
    using state = typename Policy::state;

    struct published final : published_base {
        published(std::shared_ptr<const view> v, const Policy& p, const before<table>* b, const state& s)
            : published_base{std::move(v)}, contents{p.build(*members, b, s)},
              unrestricted{members->all_eligible() && !members->limited()} {}
        const table contents;
        const bool unrestricted;  // whatever the policy chooses may be chosen, unless something is excluded
    };

public:
    selector_core(const Policy& p, std::shared_ptr<hub> h, std::optional<std::uint64_t> seed, metric_set& metrics)
        : policy_{p}, hub_{std::move(h)}, readers_{hub_->readers}, clock_{hub_->clock},
          seeded_{seed.has_value()}, random_{mix(seed.value_or(0))}, state_(make_state(p, metrics)) {}

    ~selector_core() override {
        // A pick's function may destroy the last handle of the selector that called it.
        if (published* const last = current_.load(std::memory_order_relaxed)) hub_->retire(last);
    }

    void prepare(const std::shared_ptr<const view>& next) override {
        const published* const now = current_.load(std::memory_order_relaxed);
        if (now != nullptr) {
            const before<table> b{*now->members, now->contents};
            next_ = std::make_unique<published>(next, policy_, &b, state_);
        } else {
            next_ = std::make_unique<published>(next, policy_, nullptr, state_);
        }
    }
    void discard() noexcept override { next_.reset(); }
    void commit(trash& old) noexcept override {
        old.add(current_.exchange(next_.release(), std::memory_order_seq_cst));
    }
    void close(trash& old) noexcept override { old.add(current_.exchange(nullptr, std::memory_order_seq_cst)); }

    WEIR_ALWAYS_INLINE picked pick(const pick_options& options) noexcept {
        const read_section section{readers_};
        const published* const p = current_.load(std::memory_order_seq_cst);
        picked result;
        if (p == nullptr) [[unlikely]] {
            result.error = pick_error::empty;
        } else {
            const choice c = decide(*p, options);
            if (c.index < p->members->slots()) [[likely]] {
                record_base& r = p->members->record(c.index);
                const std::uint32_t bound = p->unrestricted ? c.bound : (std::min)(c.bound, p->members->limit(c.index));
                if (r.leases.start() < (std::min)(bound, lease_word::most_in_flight)) [[likely]] {
                    result.record = &r;
                    result.reason = c.reason;
                } else {
                    r.leases.undo_start();
                    result = pick_again(*p, options);
                }
                if (result.record != nullptr && result.record->metrics.load(std::memory_order_acquire) != nullptr)
                    [[unlikely]]
                    start_metrics(result, options);
            } else {
                result.error = why_nobody(*p->members, options);
            }
        }
        counters_.count(section.stripe(), result.reason, result.error);
        return result;
    }

    template <class F>
    WEIR_ALWAYS_INLINE pick_error choose(const pick_options& options, F&& f) {
        const read_section section{readers_};
        const published* const p = current_.load(std::memory_order_seq_cst);
        if (p == nullptr) [[unlikely]]
            return pick_error::empty;
        const choice c = decide(*p, options);
        if (c.index >= p->members->slots()) [[unlikely]]
            return why_nobody(*p->members, options);
        std::forward<F>(f)(p->members->record(c.index));
        return pick_error::none;
    }

    [[nodiscard]] selector_counts counts() const noexcept { return counters_.read(); }
    [[nodiscard]] const Policy& policy() const noexcept { return policy_; }

private:
    WEIR_ALWAYS_INLINE choice decide(const published& p, const pick_options& options) noexcept {
        if (p.unrestricted && options.exclude.empty()) [[likely]] {
            const query q{options, seeded_ ? &random_ : nullptr, clock_};
            const choice c = policy_.choose(*p.members, p.contents, state_, q, accept_any{});
            if (c.index < p.members->slots()) [[likely]]
                return c;
        }
        return decide_among(p, options);
    }

    // Makes a query of its own, so that the usual one never has to leave the registers.
    WEIR_NEVER_INLINE choice decide_among(const published& p, const pick_options& options) noexcept {
        const query q{options, seeded_ ? &random_ : nullptr, clock_};
        const accept_some accept{*p.members, options.exclude};
        if (!p.members->eligible().empty())
            if (const choice c = policy_.choose(*p.members, p.contents, state_, q, accept); c && accept(c.index))
                return c;
        return rescue(*p.members, q, accept);
    }

    /// Somebody took the last place between the choice and the reservation: choose again, a bounded number of times.
    WEIR_NEVER_INLINE picked pick_again(const published& p, const pick_options& options) noexcept {
        picked result;
        for (int tries = 0; tries < 8; ++tries) {
            const choice c = decide_among(p, options);
            if (!c) break;
            record_base& r = p.members->record(c.index);
            const std::uint32_t bound = (std::min)(c.bound, p.members->limit(c.index));
            if (r.leases.start() < (std::min)(bound, lease_word::most_in_flight)) {
                result.record = &r;
                result.reason = c.reason;
                return result;
            }
            r.leases.undo_start();
        }
        result.error = pick_error::overloaded;
        return result;
    }

    WEIR_NEVER_INLINE void start_metrics(picked& lease, const pick_options& options) noexcept {
        bool timed = false;
        for (auto* c = lease.record->metrics.load(std::memory_order_acquire); c != nullptr; c = c->next) {
            timed = timed || c->timed;
            c->on_start();
        }
        if (timed) lease.started = options.now.has_value() ? *options.now : clock_();
    }

    const Policy policy_;
    const std::shared_ptr<hub> hub_;
    domain& readers_;
    const clock_function clock_;
    const bool seeded_;
    std::atomic<published*> current_{nullptr};
    std::unique_ptr<published> next_;
    alignas(cache_line) std::atomic<std::uint64_t> random_;
    alignas(cache_line) state state_;
    pick_counters counters_;
};

}  // namespace detail
}  // namespace weir::inline WEIR_ABI
