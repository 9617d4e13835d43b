#pragma once

#include "load_index.hpp"

#include <chrono>
#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

/// What a metric is asked with.
struct load_reading {
    std::uint32_t in_flight;       ///< leases that have not ended
    std::chrono::nanoseconds now;  ///< by the registry's clock; zero for metrics that are not `timed`
    double weight = 1;  ///< the backend's, by which selectors divide the score; always 1 for a metric without state
    double mean_weight = 1;  ///< of those that may be chosen: for a part of the score that is no load, see peak_ewma
};

/// What a load-aware selector compares: less is better. Models: `in_flight` (no state), `peak_ewma`.
///
/// A metric without state has only `score`. One with state also names
///
///     struct pool;    what all backends of a registry share
///     struct state;   what one backend keeps, until its last lease is gone; fed by leases of any selector
///
/// Both are default-constructible and are used from any thread at once. The exemplar:
///
///     struct failures_seen {
///         static constexpr bool timed = false;                      // true: leases read the clock
///         struct pool {};
///         struct state { std::atomic<std::uint32_t> failures{0}; };
///         void join(pool&, state&) const noexcept {}                // became eligible
///         void leave(pool&, state&) const noexcept {}               // is not any more
///         void on_end(pool&, state& s, outcome how, std::chrono::nanoseconds, std::chrono::nanoseconds) const noexcept {
///             if (how == outcome::failure) ++s.failures;            // ... latency (< 0: unknown), now
///         }
///         double score(const pool&, const state& s, const load_reading& r) const noexcept {
///             return r.in_flight + s.failures;
///         }
///         bool operator==(const failures_seen&) const = default;    // equal metrics of a registry share their state
///     };
///
/// `void on_start(pool&, state&) const noexcept` is optional; a `timed` metric may ask for the time, `on_start(pool&,
/// state&, std::chrono::nanoseconds started)`, and for the same `started` as a last argument of `on_end`. Each lease that
/// has started ends once; one that was picked before the metric came does neither. A latency is below 0 where nobody
/// measured it: the caller did not, and no metric of the registry is `timed`; `now` is 0 then. All members are bounded, and
/// neither lock nor allocate.
template <class M>
concept stateless_metric = std::copyable<M> && requires(const M& m, const load_reading& reading) {
    { m.score(reading) } noexcept;
    requires std::is_arithmetic_v<decltype(m.score(reading))>;
};

namespace detail {

/// The longer form of `on_end`: the start of the lease comes last.
template <class M>
concept ends_with_start = requires(const M& m, typename M::pool& pool, typename M::state& state,
                                   std::chrono::nanoseconds time) {
    { m.on_end(pool, state, outcome::success, time, time, time) } noexcept;
};
template <class M>
concept ends_without_start = requires(const M& m, typename M::pool& pool, typename M::state& state,
                                      std::chrono::nanoseconds time) {
    { m.on_end(pool, state, outcome::success, time, time) } noexcept;
};

}  // namespace detail

template <class M>
concept stateful_metric =
    std::copyable<M> && std::equality_comparable<M> && std::default_initializable<typename M::pool> &&
    std::default_initializable<typename M::state> && (detail::ends_without_start<M> || detail::ends_with_start<M>) &&
    requires(const M& m, typename M::pool& pool, typename M::state& state, const load_reading& reading) {
        { M::timed } -> std::convertible_to<bool>;
        { m.join(pool, state) } noexcept;
        { m.leave(pool, state) } noexcept;
        { m.score(std::as_const(pool), std::as_const(state), reading) } noexcept;
        requires std::is_arithmetic_v<decltype(m.score(std::as_const(pool), std::as_const(state), reading))>;
    };

template <class M>
concept metric = stateless_metric<M> || stateful_metric<M>;

namespace detail {

/// a / weight_a < b / weight_b, without division; exact for unsigned scores, in floating point for the others.
template <class Score>
[[nodiscard]] WEIR_ALWAYS_INLINE constexpr bool lighter(Score a, std::uint32_t weight_a, Score b,
                                                        std::uint32_t weight_b) noexcept {
    if constexpr (std::unsigned_integral<Score> && sizeof(Score) <= 4)
        return std::uint64_t{a} * weight_b < std::uint64_t{b} * weight_a;
    else if constexpr (std::unsigned_integral<Score>)
        return multiply(a, weight_b) < multiply(b, weight_a);
    else
        return static_cast<double>(a) * weight_b < static_cast<double>(b) * weight_a;
}

/// One metric of one registry, without its type.
struct metric_pool {
    explicit metric_pool(const void* tag) : type{tag} {}
    metric_pool(const metric_pool&) = delete;
    metric_pool& operator=(const metric_pool&) = delete;
    const void* const type;  // instead of run-time type information, which some do without
    virtual std::unique_ptr<metric_cell> make_cell(const std::shared_ptr<metric_pool>& self) const = 0;
    virtual ~metric_pool() = default;
};

template <stateful_metric M>
struct metric_pool_of final : metric_pool {
    static inline char tag = 0;  // not a constant: a linker may fold equal constants of different types into one
    explicit metric_pool_of(const M& m) : metric_pool{&tag}, metric{m} {}

    struct cell final : metric_cell {
        explicit cell(std::shared_ptr<metric_pool_of> owner_) : owner{std::move(owner_)} {
            pool = owner.get();
            timed = M::timed;
        }
        void on_start([[maybe_unused]] std::chrono::nanoseconds started) noexcept override {
            const M& m = owner->metric;
            if constexpr (requires { m.on_start(owner->shared, state, started); }) {
                static_assert(M::timed, "weir: on_start with a time is for metrics that are `timed`");
                m.on_start(owner->shared, state, started);
            } else if constexpr (requires { m.on_start(owner->shared, state); }) {
                m.on_start(owner->shared, state);
            } else {
                static_assert(
                    !requires { &M::on_start; },
                    "weir: on_start is `void on_start(pool&, state&[, std::chrono::nanoseconds]) const noexcept`");
            }
        }
        void on_end(outcome how, std::chrono::nanoseconds latency, std::chrono::nanoseconds now,
                    [[maybe_unused]] std::chrono::nanoseconds started) noexcept override {
            if constexpr (ends_with_start<M>)
                owner->metric.on_end(owner->shared, state, how, latency, now, started);
            else
                owner->metric.on_end(owner->shared, state, how, latency, now);
        }
        void on_eligible(bool eligible) noexcept override {
            if (eligible)
                owner->metric.join(owner->shared, state);
            else
                owner->metric.leave(owner->shared, state);
        }
        std::shared_ptr<metric_pool_of> owner;
        alignas(cache_line) typename M::state state{};
    };

    std::unique_ptr<metric_cell> make_cell(const std::shared_ptr<metric_pool>& self) const override {
        return std::make_unique<cell>(std::static_pointer_cast<metric_pool_of>(self));
    }

    const M metric;
    alignas(cache_line) typename M::pool shared{};
};

}  // namespace detail

/// The metrics with state that the selectors of one registry use; given to a policy's state when a selector is made.
/// A metric stays with its registry, and is fed, when its last selector is gone: the next one starts with what it knows.
class metric_set {
public:
    explicit metric_set(detail::clock_function of_registry) noexcept : clock_{of_registry} {}

    /// The registry's clock, for policies that note when something happened.
    [[nodiscard]] detail::clock_function clock() const noexcept { return clock_; }

    /// The pool of `m`: the one that an equal metric uses already, or a new one.
    template <stateful_metric M>
    std::shared_ptr<detail::metric_pool_of<M>> use(const M& m) {
        for (const auto& known : pools_)
            if (known->type == &detail::metric_pool_of<M>::tag)
                if (auto same = std::static_pointer_cast<detail::metric_pool_of<M>>(known); same->metric == m)
                    return same;
        auto fresh = std::make_shared<detail::metric_pool_of<M>>(m);
        pools_.push_back(fresh);
        return fresh;
    }

    /// Asks the registry to keep an index of its members by leases in flight, for as long as it lives.
    std::shared_ptr<load_index_source> use_index() {
        if (index_ == nullptr) index_ = std::make_shared<load_index_source>();
        return index_;
    }

    [[nodiscard]] const std::vector<std::shared_ptr<detail::metric_pool>>& pools() const noexcept { return pools_; }
    /// Null: nobody has asked.
    [[nodiscard]] load_index_source* index() const noexcept { return index_.get(); }

private:
    detail::clock_function clock_;
    std::vector<std::shared_ptr<detail::metric_pool>> pools_;
    std::shared_ptr<load_index_source> index_;
};

/// A metric as a policy's state holds it: gives the score of a member, whether the metric has state or not.
template <metric M>
class metric_reader;

template <stateless_metric M>
class metric_reader<M> {
public:
    static constexpr bool timed = false;
    struct table {};

    metric_reader(const M& m, metric_set&) : metric_{m} {}

    [[nodiscard]] table build(const view&) const { return {}; }

    [[nodiscard]] WEIR_ALWAYS_INLINE auto score(const view& v, const table&, std::uint32_t index,
                                                std::chrono::nanoseconds now) const noexcept {
        return metric_.score(load_reading{v.in_flight(index), now});
    }

private:
    [[no_unique_address]] M metric_;
};

template <stateful_metric M>
class metric_reader<M> {
    using pool_type = detail::metric_pool_of<M>;

public:
    static constexpr bool timed = M::timed;
    /// The states of the members of one view, by index; null where a slot is free.
    struct table {
        std::vector<const typename M::state*> states;
        double mean_weight = 1;
    };

    metric_reader(const M& m, metric_set& metrics) : pool_{metrics.use(m)} {}

    [[nodiscard]] table build(const view& v) const {
        table t{std::vector<const typename M::state*>(v.slots())};
        for (std::uint32_t i = 0; i < v.slots(); ++i)
            if (v.is_member(i))
                t.states[i] = &static_cast<typename pool_type::cell*>(v.record(i).find_metric(pool_.get()))->state;
        if (!v.eligible().empty())
            t.mean_weight = static_cast<double>(v.total_weight()) / static_cast<double>(v.eligible().size());
        return t;
    }

    [[nodiscard]] WEIR_ALWAYS_INLINE auto score(const view& v, const table& t, std::uint32_t index,
                                                std::chrono::nanoseconds now) const noexcept {
        return pool_->metric.score(std::as_const(pool_->shared), *t.states[index],
                                   load_reading{.in_flight = v.in_flight(index),
                                                .now = now,
                                                .weight = static_cast<double>(v.weight(index)),
                                                .mean_weight = t.mean_weight});
    }

    /// What the metric shares among all backends.
    [[nodiscard]] const typename M::pool& pool() const noexcept { return pool_->shared; }

private:
    std::shared_ptr<pool_type> pool_;
};

}  // namespace weir::inline WEIR_ABI
