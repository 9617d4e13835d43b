#pragma once

#include "../detail/wide.hpp"
#include "../outcome.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace weir::inline WEIR_ABI {

/// What a metric is asked with.
struct load_reading {
    std::uint32_t in_flight;       ///< leases that have not ended
    std::chrono::nanoseconds now;  ///< by the registry's clock; zero for metrics that are not `timed`
    /// The backend's, by which selectors divide the score. 1 for a metric without state, and where all weights are equal.
    double weight = 1;
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

}  // namespace detail

}  // namespace weir::inline WEIR_ABI
