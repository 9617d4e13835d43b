#pragma once

#include "../detail/error.hpp"
#include "../load/total_in_flight.hpp"
#include "../selector/rescue.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

namespace weir::inline WEIR_ABI {

/// Keeps every backend's load near the mean: an adaptor that refuses a policy's candidates which are full.
///
/// Rule: with T leases in flight on the backends that may be chosen and W their weight, a backend of weight w takes at
/// most ceil(factor (T + 1) w / W) leases, the new one counted, at the moment of the pick. A full one is passed over in
/// the policy's own order: keyed policies spill to the key's next candidates. Where that leaves nobody because some have
/// reached their own `max_in_flight`, T and W are of the others. Leases that were picked before the registry's first such
/// selector was made are not in T: make it before there is traffic, or what they hold spills more than it should.
/// Complexity: that of the policy, plus O(excluded^2). Starting and ending a lease adds to one line that all backends of
/// the registry share (the total), see total_in_flight.
/// Thread safety: the bound holds under any interleaving: a pick reserves its place, or chooses again. Only where T has to
/// be counted one backend after another (limits, three picks at once on a nearly idle pool) a lease that moves from one
/// backend to another meanwhile may count twice.
/// One backend: that one. None: the error. There is always room for one more by the rule; only picks that lose their
/// place to others again and again give `overloaded`.
/// Source: Mirrokni, Thorup, Zadimoghaddam 2018. Envoy compares with the mean of the whole cluster even where the
/// choice is among a subset; here both T and W are of what may be chosen.
template <class Policy>
struct bounded_load {
    static_assert(detail::explain_policy<Policy>::value);

    /// `factor` above 1 and finite; throws std::invalid_argument. 1.25 costs few moves, 2 very few.
    explicit bounded_load(const Policy& p = Policy{}, double factor = 1.25) : inner{p}, factor_{factor} {
        if (!(factor > 1 && factor <= max_factor))
            detail::reject("bounded_load: a factor of " + std::to_string(factor) + " is not above 1 and at most " +
                           std::to_string(static_cast<int>(max_factor)));
    }

    struct table {
        typename Policy::table inner;
    };
    struct state {
        state(const bounded_load& p, metric_set& metrics)
            : inner(detail::make_state(p.inner, metrics)), total{metrics.use(total_in_flight{})} {}
        typename Policy::state inner;
        std::shared_ptr<detail::metric_pool_of<total_in_flight>> total;
    };

    [[nodiscard]] table build(const view& v, const before<table>* b, const state& s) const {
        if (b == nullptr) return {inner.build(v, nullptr, s.inner)};
        const before<typename Policy::table> of_inner{b->members, b->table.inner};
        return {inner.build(v, &of_inner, s.inner)};
    }

    template <class Accept>
    [[nodiscard]] choice choose(const view& v, const table& t, state& s, const query& q, Accept accept) const noexcept {
        std::int64_t total = s.total->shared.total.load(std::memory_order_relaxed);
        std::uint64_t weight = v.total_weight();
        for_each_excluded(v, q, [&](std::uint32_t i) {
            total -= v.in_flight(i);
            weight -= v.weight(i);
        });
        // The total is of the whole registry: a part of it counts for itself.
        if (!v.is_part())
            if (const choice c = choose_below(v, t, s, q, accept, total, weight)) return c;
        // The total lags behind picks that have reserved and not yet been added, and knows nothing of limits: count anew,
        // of the same words that the bound is held against, what may be chosen. Then somebody has room, unless others take
        // it in between.
        total = 0;
        weight = 0;
        for (const std::uint32_t i : v.eligible()) {
            if (!accept(i)) continue;
            total += v.in_flight(i);
            weight += v.weight(i);
        }
        if (const choice c = choose_below(v, t, s, q, accept, total, weight)) return c;
        return weight > 0 ? choice::refused() : choice{};
    }

    /// The most leases that a backend of weight `w` may have, the new one counted.
    [[nodiscard]] std::uint32_t capacity(std::int64_t total, std::uint32_t w, std::uint64_t weight) const noexcept {
        const double share = factor_ * static_cast<double>((std::max)(total, std::int64_t{0}) + 1) * w;
        return static_cast<std::uint32_t>(
            (std::min)(std::ceil(share / static_cast<double>((std::max)(weight, std::uint64_t{1}))), 4294967294.0));
    }

    Policy inner;
    static constexpr bool timed = detail::reads_clock<Policy>;
    static constexpr bool by_key = detail::chooses_by_key<Policy>;

private:
    static constexpr double max_factor = 1000;  // beyond that a bound does not bind; use the policy without it

    template <class F>
    static void for_each_excluded(const view& v, const query& q, F&& f) noexcept {
        const auto ids = q.options().exclude;
        for (std::size_t k = 0; k < ids.size(); ++k) {
            const backend_id id = ids[k];
            const bool again = std::find(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(k), id) !=
                               ids.begin() + static_cast<std::ptrdiff_t>(k);
            if (!again && v.is_eligible(id.slot) && v.id(id.slot) == id) f(id.slot);
        }
    }

    template <class Accept>
    choice choose_below(const view& v, const table& t, state& s, const query& q, Accept accept, std::int64_t total,
                        std::uint64_t weight) const noexcept {
        bool spilled = false;
        const auto has_room = [&](std::uint32_t i) {
            if (!accept(i)) return false;
            if (v.in_flight(i) < capacity(total, v.weight(i), weight)) return true;
            spilled = true;
            return false;
        };
        choice c = inner.choose(v, t.inner, s.inner, q, has_room);
        if (!c.is_refused() && (!c || !has_room(c.index))) c = detail::rescue(v, q, has_room);
        if (!c) return c;
        if (spilled && c.reason != pick_reason::keyless) c.reason = pick_reason::spilled;
        c.bound = (std::min)(c.bound, capacity(total, v.weight(c.index), weight));
        return c;
    }

    double factor_;
};

template <class Policy>
bounded_load(const Policy&, double) -> bounded_load<Policy>;
template <class Policy>
bounded_load(const Policy&) -> bounded_load<Policy>;

}  // namespace weir::inline WEIR_ABI
