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
    WEIR_ALWAYS_INLINE void count(std::uint32_t own, pick_reason r, std::uint64_t times = 1) noexcept {
        add(own, static_cast<std::size_t>(r), times);
    }
    void count(std::uint32_t own, pick_error e) noexcept {
        add(own, pick_reason_count + static_cast<std::size_t>(e), 1);
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
    WEIR_ALWAYS_INLINE void add(std::uint32_t own, std::size_t which, std::uint64_t times) noexcept {
        if (own < own_stripes) [[likely]] {  // nobody else writes it
            auto& counter = stripes_[own].counters[which];
            counter.store(counter.load(std::memory_order_relaxed) + times, std::memory_order_relaxed);
        } else {
            stripes_[own_stripes].counters[which].fetch_add(times, std::memory_order_relaxed);
        }
    }

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
        published(std::shared_ptr<const view> v, const Policy& p, const before<table>* b, const state& s, bool seeded)
            : published_base{std::move(v), seeded}, contents{p.build(*members, b, s)} {}
        const table contents;
    };

public:
    selector_core(const Policy& p, std::shared_ptr<hub> h, std::optional<std::uint64_t> seed, metric_set& metrics)
        : policy_{p}, hub_{std::move(h)}, readers_{hub_->readers}, clock_{hub_->clock}, seeded_{seed.has_value()},
          random_{mix(seed.value_or(0))}, state_(make_state(p, metrics)) {}

    ~selector_core() override {
        // A pick's function may destroy the last handle of the selector that called it.
        if (published_base* const last = current_.load(std::memory_order_relaxed); last != &gone_) hub_->retire(last);
    }

    void prepare(const std::shared_ptr<const view>& next) override {
        if (const published_base* const now = current_.load(std::memory_order_relaxed); now != &gone_) {
            const before<table> b{*now->members, static_cast<const published*>(now)->contents};
            next_ = std::make_unique<published>(next, policy_, &b, state_, seeded_);
        } else {
            next_ = std::make_unique<published>(next, policy_, nullptr, state_, seeded_);
        }
    }
    void discard() noexcept override { next_.reset(); }
    void commit(trash& old) noexcept override { replace(next_.release(), old); }
    void close(trash& old) noexcept override { replace(&gone_, old); }

    /// Fills `result`, which starts empty: in place, since a copy right after single stores would stall.
    WEIR_ALWAYS_INLINE void pick(picked& result, const pick_options& options) noexcept {
        const read_section section{readers_};
        const published_base* const p = current_.load(std::memory_order_seq_cst);
        const auto now = time_of(options);
        std::uint32_t index = choice::nobody, bound = unlimited;
        decide(*p, options, now, index, result.reason, bound);
        if (index >= p->slots) [[unlikely]]
            return fail(result, section.stripe(), why_nobody(*p, options));
        counters_.count(section.stripe(), result.reason);  // before the locked addition, behind which it would wait
        record_base* r = p->records[index];
        if (!p->plain) bound = (std::min)(bound, p->members->limit(index));
        if (r->leases.start() >= (std::min)(bound, lease_word::most_in_flight)) [[unlikely]] {
            r->leases.undo_start();
            counters_.count(section.stripe(), result.reason, ~std::uint64_t{0});  // back
            r = pick_again(*p, options, now, result.reason);
            if (r == nullptr) return fail(result, section.stripe(), pick_error::overloaded);
            counters_.count(section.stripe(), result.reason);
        }
        result.record = r;
        if (metric_cell* const metrics = r->metrics.load(std::memory_order_acquire)) [[unlikely]]
            result.started = start_metrics(metrics, now);
    }

    template <class F>
    WEIR_ALWAYS_INLINE pick_error choose(const pick_options& options, F&& f) {
        const read_section section{readers_};
        const published_base* const p = current_.load(std::memory_order_seq_cst);
        std::uint32_t index = choice::nobody, bound = unlimited;
        pick_reason reason = pick_reason::chosen;
        decide(*p, options, time_of(options), index, reason, bound);
        if (index >= p->slots) [[unlikely]]
            return why_nobody(*p, options);
        std::forward<F>(f)(*p->records[index]);
        return pick_error::none;
    }

    [[nodiscard]] selector_counts counts() const noexcept { return counters_.read(); }
    [[nodiscard]] const Policy& policy() const noexcept { return policy_; }

private:
    WEIR_ALWAYS_INLINE std::chrono::nanoseconds time_of(const pick_options& options) const noexcept {
        if (options.now.has_value()) return *options.now;
        if constexpr (reads_clock<Policy>) return clock_();
        return picked::untimed;
    }
    WEIR_NEVER_INLINE void fail(picked& result, std::uint32_t stripe, pick_error why) noexcept {
        result.error = why;
        result.reason = pick_reason::chosen;
        counters_.count(stripe, why);
    }
    void replace(published_base* next, trash& old) noexcept {
        if (published_base* const was = current_.exchange(next, std::memory_order_seq_cst); was != &gone_) old.add(was);
    }

    // The answer goes into scalars: a struct that two paths fill would live in memory.
    WEIR_ALWAYS_INLINE void decide(const published_base& p, const pick_options& options, std::chrono::nanoseconds now,
                                   std::uint32_t& index, pick_reason& reason, std::uint32_t& bound) noexcept {
        if (p.plain && options.exclude.empty()) [[likely]] {
            const choice c = choose_plainly(p, query{options, nullptr, clock_, now});
            index = c.index;
            reason = c.reason;
            bound = c.bound;
            if (index < p.slots) [[likely]]
                return;
        }
        const choice c = decide_among(p, options, now);
        index = c.index;
        reason = c.reason;
        bound = c.bound;
    }
    WEIR_ALWAYS_INLINE choice choose_plainly(const published_base& p, const query& q) noexcept {
        return policy_.choose(*p.members, static_cast<const published&>(p).contents, state_, q, accept_any{});
    }

    // Makes a query of its own, so that the usual one never has to leave the registers.
    WEIR_NEVER_INLINE choice decide_among(const published_base& p, const pick_options& options,
                                          std::chrono::nanoseconds now) noexcept {
        if (p.members == nullptr) return {};
        const view& v = *p.members;
        if (v.eligible().empty() && !keeps_sessions<Policy>) return {};
        const query q{options, seeded_ ? &random_ : nullptr, clock_, now};
        if (seeded_ && v.all_eligible() && !v.limited() && options.exclude.empty())
            if (const choice c = choose_plainly(p, q); c.index < p.slots) return c;
        const accept_some accept{v, options.exclude};
        if (const choice c = policy_.choose(v, static_cast<const published&>(p).contents, state_, q, accept);
            c && (accept(c.index) || is_kept(c, accept)))
            return c;
        return rescue(v, q, accept);
    }

    static bool is_kept(const choice& c, const accept_some& accept) noexcept {
        if constexpr (!keeps_sessions<Policy>) return false;
        return c.reason == pick_reason::sticky && accept.for_session(c.index);
    }

    /// Somebody took the last place between the choice and the reservation: choose again, a bounded number of times.
    WEIR_NEVER_INLINE record_base* pick_again(const published_base& p, const pick_options& options,
                                              std::chrono::nanoseconds now, pick_reason& reason) noexcept {
        for (int tries = 0; tries < 8; ++tries) {
            const choice c = decide_among(p, options, now);
            if (!c) return nullptr;
            record_base* const r = p.records[c.index];
            const std::uint32_t bound = (std::min)(c.bound, p.members->limit(c.index));
            reason = c.reason;
            if (r->leases.start() < (std::min)(bound, lease_word::most_in_flight)) return r;
            r->leases.undo_start();
        }
        return nullptr;
    }

    WEIR_NEVER_INLINE static pick_error why_nobody(const published_base& p, const pick_options& options) noexcept {
        return p.members == nullptr ? pick_error::empty : detail::why_nobody(*p.members, options);
    }

    /// Tells the metrics; returns when the lease started if one of them wants to know.
    WEIR_NEVER_INLINE std::chrono::nanoseconds start_metrics(metric_cell* metrics,
                                                             std::chrono::nanoseconds now) noexcept {
        bool wanted = false;
        for (; metrics != nullptr; metrics = metrics->next) {
            wanted = wanted || metrics->timed;
            metrics->on_start();
        }
        if (!wanted) return picked::untimed;
        return now != picked::untimed ? now : clock_();
    }

    const Policy policy_;
    const std::shared_ptr<hub> hub_;
    domain& readers_;
    const clock_function clock_;
    const bool seeded_;
    published_base gone_{};
    std::atomic<published_base*> current_{&gone_};
    std::unique_ptr<published> next_;
    alignas(cache_line) std::atomic<std::uint64_t> random_;
    alignas(cache_line) state state_;
    pick_counters counters_;
};

}  // namespace detail
}  // namespace weir::inline WEIR_ABI
