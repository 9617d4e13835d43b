#pragma once

#include "../selector/rescue.hpp"
#include "../tables/warm_up.hpp"

#include <memory>

namespace weir::inline WEIR_ABI {

/// Gives a backend that is new, or eligible again, its share little by little: an adaptor over any policy.
///
/// Rule: a warming backend takes part in a pick with the probability factor(t) of warm_up, rolled once a pick; where it
/// does not, the policy chooses among the others as if it were excluded, so by rotations and draws its share is factor x
/// its share by weight. A keyed policy gives it a key only if hash(key, identity) is below factor(t): each key moves to
/// it once, and nothing is rebuilt. It is excluded from nothing where nobody else is left, and where all start together.
/// Updates that leave a backend eligible do not restart it; those that are there when the selector is made are warm, and
/// so is whom panic alone lets in, since panic is there to spread the load (a level inside `priority` knows no panic).
/// Complexity: that of the policy, and of its picks with an exclusion while somebody is warming; one more load when nobody
/// is. An update costs O(n) more. The clock is read once a pick, and only while somebody is warming.
/// Memory: 8 bytes a slot while somebody is warming.
/// Thread safety: that of the policy.
/// Bias: policies by load see a warming backend as idle and take it whenever it takes part, until it has as many leases
/// as the others. With least_load that is up to factor of all picks, with choices about D times factor of its share.
/// Sessions: `sticky` goes around it, so that who has a session keeps it.
/// One backend: that one. None: the error.
/// Source: Envoy's slow start, where the factor multiplies the weight: the others share what a warming one leaves.
template <class Policy>
struct slow_start {
    static_assert(detail::explain_policy<Policy>::value);

    /// `window` 0 or more, `aggression` above 0 and finite, `floor` above 0 and at most 1; throws std::invalid_argument.
    explicit slow_start(const Policy& p = Policy{}, const slow_start_options& o = {}) : inner{p}, options{o} {
        detail::check_slow_start("slow_start", o);
    }

    struct table {
        typename Policy::table inner;
        std::unique_ptr<const warm_up> warming;  // null: nobody is
    };
    struct state {
        state(const slow_start& p, metric_set& metrics)
            : inner(detail::make_state(p.inner, metrics)), clock{metrics.clock()} {}
        typename Policy::state inner;
        detail::clock_function clock;
    };

    [[nodiscard]] table build(const view& v, const before<table>* b, const state& s) const {
        if (b == nullptr) return {inner.build(v, nullptr, s.inner), nullptr};
        const before<typename Policy::table> of_inner{b->members, b->table.inner};
        return {inner.build(v, &of_inner, s.inner),
                warm_up::after(b->members, b->table.warming.get(), v, s.clock(), options)};
    }

    template <class Accept>
    [[nodiscard]] WEIR_ALWAYS_INLINE choice choose(const view& v, const table& t, state& s, const query& q,
                                                   Accept accept) const noexcept {
        if (t.warming == nullptr || t.warming->known_over()) [[likely]]
            return inner.choose(v, t.inner, s.inner, q, accept);
        return choose_among_warming(v, t, s, q, accept);
    }

    Policy inner;
    slow_start_options options;
    static constexpr bool timed = detail::reads_clock<Policy>;
    static constexpr bool by_key = detail::chooses_by_key<Policy>;
    static constexpr bool eligible_only = detail::chooses_eligible_only<Policy>;

private:
    template <class Accept>
    WEIR_NEVER_INLINE choice choose_among_warming(const view& v, const table& t, state& s, const query& q,
                                                  Accept accept) const noexcept {
        const std::chrono::nanoseconds now = q.now();
        if (t.warming->over(now, s.clock)) return inner.choose(v, t.inner, s.inner, q, accept);
        // Not the hash by which a rendezvous draw chooses: it would like best what this one refuses.
        constexpr std::uint64_t other_hash = 0x5be0cd19137e2179;
        const std::uint64_t roll = by_key && q.has_key() ? mix(q.key() ^ other_hash) : q.random();
        const auto takes_part = [&](std::uint32_t i) {
            return accept(i) && t.warming->admits(i, mix(roll ^ v.identity_hash(i)), now);
        };
        choice c = inner.choose(v, t.inner, s.inner, q, takes_part);
        if (!c.is_refused() && (!c || !takes_part(c.index))) c = detail::rescue(v, q, takes_part);
        return c ? c : inner.choose(v, t.inner, s.inner, q, accept);
    }
};

template <class Policy>
slow_start(const Policy&, const slow_start_options&) -> slow_start<Policy>;
template <class Policy>
slow_start(const Policy&) -> slow_start<Policy>;

}  // namespace weir::inline WEIR_ABI
