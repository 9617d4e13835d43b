#pragma once

#include "../lease.hpp"
#include "../registry/hub.hpp"
#include "counters.hpp"
#include "rescue.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>

namespace weir::inline WEIR_ABI::detail {

/// Everything that selectors share, written once: publication, the predicate, verification, rescue, errors, limits.
template <class Policy>
class selector_core final : public attachment {
    using table = typename Policy::table;
    using state = typename Policy::state;

    struct published final : published_base {
        published(std::shared_ptr<const view> v, const Policy& p, const before<table>* b, const state& s, bool seeded)
            : published_base{must_be_eligible<Policy>(*v), std::move(v), seeded}, contents{p.build(*members, b, s)} {}
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
        domain::slot* const slot = this_thread.fast_slot;
        if (!usual_section::is_next(readers_, slot)) [[unlikely]]
            return pick_otherwise(result, options);
        const usual_section section{readers_, *slot};
        pick_in(section.stripe(), result, options);
    }

    /// `f` goes by value: what cold calls take by reference would have to be stored before the pick's locked addition.
    template <class F>
    WEIR_ALWAYS_INLINE pick_error choose(const pick_options& options, F f) {
        domain::slot* const slot = this_thread.fast_slot;
        if (!usual_section::is_next(readers_, slot)) [[unlikely]]
            return choose_otherwise(options, f);
        const usual_section section{readers_, *slot};
        return choose_in_section(section, options, f);
    }

    template <class F>
    bool inspect(F&& f) const {
        const read_section section{readers_};
        const published_base* const p = current_.load(std::memory_order_seq_cst);
        if (p->members == nullptr) return false;
        std::forward<F>(f)(*p->members, static_cast<const published*>(p)->contents);
        return true;
    }

    [[nodiscard]] selector_counts counts() const noexcept { return counters_.read(); }
    [[nodiscard]] const Policy& policy() const noexcept { return policy_; }

private:
    WEIR_NEVER_INLINE void pick_otherwise(picked& result, const pick_options& options) noexcept {
        const read_section section{readers_};
        pick_in(section.stripe(), result, options);
    }
    template <class F>
    WEIR_NEVER_INLINE pick_error choose_otherwise(const pick_options& options, F f) {
        const read_section section{readers_};
        return choose_in_section(section, options, f);
    }

    WEIR_ALWAYS_INLINE void pick_in(std::uint32_t stripe, picked& result, const pick_options& options) noexcept {
        const published_base& p = *current_.load(std::memory_order_seq_cst);
        const auto now = time_of(options);
        if (p.plain && options.exclude.empty()) [[likely]] {
            const choice c = choose_plainly(p, query{options, nullptr, clock_, now, stripe});
            if (chooses_always<Policy> || c.index < p.slots) [[likely]]
                return take(p, c, c.bound, stripe, result, options, now);
        }
        pick_among(p, stripe, result, options, now);
    }
    WEIR_NEVER_INLINE void pick_among(const published_base& p, std::uint32_t stripe, picked& result,
                                      const pick_options& options, std::chrono::nanoseconds now) noexcept {
        const choice c = decide_among(p, options, now, stripe);
        if (!c) return look_again(p, c.is_refused(), stripe, result, options, now);
        take(p, c, (std::min)(c.bound, p.members->limit(c.index)), stripe, result, options, now);
    }
    /// Reserves what was chosen, or chooses again.
    WEIR_ALWAYS_INLINE void take(const published_base& p, const choice& c, std::uint32_t bound, std::uint32_t stripe,
                                 picked& result, const pick_options& options, std::chrono::nanoseconds now) noexcept {
        lease_word* const word = p.row ? &p.row[c.index] : p.words[c.index];
        record_base* const r = lease_entry::of(*word).owner;
        result.id = {c.index, p.generations[c.index]};
        result.reason = c.reason;
        counters_.count(stripe, c.reason);  // before the locked addition, behind which it would wait
        if (!word->reserve(bound)) [[unlikely]] {
            counters_.count(stripe, c.reason, ~std::uint64_t{0});  // back
            return look_again(p, true, stripe, result, options, now);
        }
        hand_out(result, r, word, now);
    }
    WEIR_ALWAYS_INLINE void hand_out(picked& result, record_base* r, lease_word* word,
                                     std::chrono::nanoseconds now) noexcept {
        result.record = r;
        result.word = word;
        if (word->tells() != lease_word::told::nobody) [[unlikely]] {
            metric_cell* const metrics = lease_entry::of(*word).told.load(std::memory_order_acquire);
            result.metrics = metrics;
            result.started = metrics->alone ? metrics->start_alone(now, clock_) : start_all(metrics, now);
        }
    }

    template <class Section, class F>
    WEIR_ALWAYS_INLINE pick_error choose_in_section(const Section& section, const pick_options& options, F f) {
        const published_base& p = *current_.load(std::memory_order_seq_cst);
        const auto now = time_of(options);
        if (p.plain && options.exclude.empty()) [[likely]] {
            const query q{options, nullptr, clock_, now, section.stripe()};
            if constexpr (chooses_records<Policy>)
                return f(policy_.choose_record(*p.members, table_of(p), state_, q)), pick_error::none;
            const choice c = choose_plainly(p, q);
            if (chooses_always<Policy> || c.index < p.slots) [[likely]]
                return f(*p.records[c.index]), pick_error::none;
        }
        return choose_among(p, options, now, section.stripe(), f);
    }
    template <class F>
    WEIR_NEVER_INLINE pick_error choose_among(const published_base& p, const pick_options& options,
                                              std::chrono::nanoseconds now, std::uint32_t stripe, F f) {
        const choice c = decide_among(p, options, now, stripe);
        if (!c) return why_nobody(p.members.get(), options);
        return f(*p.records[c.index]), pick_error::none;
    }

    WEIR_ALWAYS_INLINE std::chrono::nanoseconds time_of(const pick_options& options) const noexcept {
        if (options.now.has_value()) return *options.now;
        if constexpr (reads_clock<Policy>) return clock_();
        return untimed;
    }
    /// Nobody was found, or the place was taken before it could be reserved. Says why, but looks again where that may
    /// help: where somebody else `was_faster`, and where users are told of room, after having asked for that.
    WEIR_NEVER_INLINE void look_again(const published_base& p, bool was_faster, std::uint32_t stripe, picked& result,
                                      const pick_options& options, std::chrono::nanoseconds now) noexcept {
        const published_base* latest = &p;
        record_base* r = was_faster ? pick_again(p, options, now, stripe, result.reason) : nullptr;
        if (r == nullptr && hub_->watch->has_subscribers()) {
            hub_->watch->refused();
            latest = current_.load(std::memory_order_seq_cst);
            r = pick_again(*latest, options, now, stripe, result.reason);
        }
        if (r != nullptr) {
            counters_.count(stripe, result.reason);
            result.id = r->id;
            return hand_out(result, r, &r->leases(), now);
        }
        result.id = {};
        result.error = why_nobody(latest->members.get(), options);
        result.reason = pick_reason::chosen;
        counters_.count(stripe, result.error);
    }
    void replace(published_base* next, trash& old) noexcept {
        if (published_base* const was = current_.exchange(next, std::memory_order_seq_cst); was != &gone_) old.add(was);
    }
    static const table& table_of(const published_base& p) noexcept { return static_cast<const published&>(p).contents; }
    WEIR_ALWAYS_INLINE choice choose_plainly(const published_base& p, const query& q) noexcept {
        return policy_.choose(*p.members, table_of(p), state_, q, accept_any{});
    }

    // Makes a query of its own, so that the usual one stays in registers. Inlined: a choice from memory stalls its reader.
    WEIR_ALWAYS_INLINE choice decide_among(const published_base& p, const pick_options& options,
                                           std::chrono::nanoseconds now, std::uint32_t stripe,
                                           bool was_refused = false) noexcept {
        if (p.members == nullptr || (p.members->eligible().empty() && !keeps_sessions<Policy>)) return {};
        choice c = decide_calmly(p, *p.members, options, now, stripe, was_refused);
        if (p.members->in_panic() && c.reason != pick_reason::sticky) c.reason = pick_reason::panic;
        return c;
    }
    WEIR_ALWAYS_INLINE choice decide_calmly(const published_base& p, const view& v, const pick_options& options,
                                            std::chrono::nanoseconds now, std::uint32_t stripe,
                                            bool was_refused) noexcept {
        const query q{options, seeded_ ? &random_ : nullptr, clock_, now, stripe};
        if (seeded_ && p.open && !was_refused && options.exclude.empty())
            if (const choice c = choose_plainly(p, q); c.index < p.slots) return c;
        const accept_some accept{v, options.exclude, was_refused};
        if (const choice c = policy_.choose(v, table_of(p), state_, q, accept);
            c.is_refused() || (c && (accept(c.index) || is_kept(c, accept))))
            return c;
        return rescue(v, q, accept);
    }

    static bool is_kept(const choice& c, const accept_some& accept) noexcept {
        return keeps_sessions<Policy> && c.reason == pick_reason::sticky && accept.for_session(c.index);
    }

    /// Chooses and reserves, a bounded number of times; null if nobody is left, or all are taken again and again. Each time
    /// somebody else was faster, which two threads in step may be for each other by the toss of a coin: 64 tosses.
    WEIR_NEVER_INLINE record_base* pick_again(const published_base& p, const pick_options& options,
                                              std::chrono::nanoseconds now, std::uint32_t stripe,
                                              pick_reason& reason) noexcept {
        for (int tries = 0; tries < 64; ++tries) {
            const choice c = decide_among(p, options, now, stripe, true);
            if (c.is_refused()) continue;
            if (!c) return nullptr;
            record_base* const r = p.records[c.index];
            reason = c.reason;
            if (r->leases().reserve((std::min)(c.bound, p.members->limit(c.index)))) return r;
        }
        return nullptr;
    }

    /// Tells the metrics from `first` on, and when the lease started if one of them wants to know.
    WEIR_NEVER_INLINE std::chrono::nanoseconds start_all(metric_cell* first, std::chrono::nanoseconds now) noexcept {
        const auto started = !first->timed ? untimed : now != untimed ? now : clock_();
        for (; first != nullptr; first = first->next) first->on_start(started);
        return started;
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

}  // namespace weir::inline WEIR_ABI::detail
