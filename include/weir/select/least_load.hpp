#pragma once

#include "../load/in_flight.hpp"
#include "../load/load_index.hpp"
#include "../random.hpp"
#include "../selector.hpp"

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>

namespace weir::inline WEIR_ABI {

/// Takes the backend with the least load / weight of all.
///
/// Rule: ties go to a draw by weight, never to the first.
/// Complexity: `in_flight`: O(log n) a pick by an index, which both ends of every lease of the registry, by whatever
/// selector, bring up to date in O(log n); O(n) an update of members, weights or limits. Other metrics, pools of fewer
/// than 32, and picks to which 8 were refused: O(eligible), one cache line a backend.
/// Memory: about 22 bytes a backend for the index, shared by all such selectors of a registry; 34 with more than 16 weights.
/// Thread safety: starting and ending a lease writes the index: the line of the backend's leaf and those above it, the
/// topmost shared by all (see word_tree). A pick by itself writes it only where it finds it wrong: what the index says is
/// held against the backend's own count. Threads that pick at once may choose the same backend.
/// Bias: none; at rest the shares are the weights'.
/// One backend: that one. None: the error.
/// Source: nginx least_conn (connections / weight).
template <metric Metric>
struct least_load_policy {
    [[no_unique_address]] Metric metric{};
    static constexpr bool timed = metric_reader<Metric>::timed;
    static constexpr bool eligible_only = true;
    static constexpr bool indexed = std::same_as<Metric, in_flight>;

    struct table {
        typename metric_reader<Metric>::table loads;
        std::shared_ptr<load_index> index;
    };
    struct state {
        state(const least_load_policy& p, metric_set& metrics)
            : reader{p.metric, metrics}, index{indexed ? metrics.use_index() : nullptr} {}
        metric_reader<Metric> reader;
        std::shared_ptr<load_index_source> index;
    };

    [[nodiscard]] table build(const view& v, const before<table>*, const state& s) const {
        return {s.reader.build(v), indexed ? s.index->of(v) : nullptr};
    }

    template <class Accept>
    [[nodiscard]] choice choose(const view& v, const table& t, state& s, const query& q, Accept accept) const noexcept {
        if (indexed && t.index != nullptr) {
            if (const choice c = find(v, *t.index, q, accept)) return c;
        }
        if (indexed && v.equal_weights() && v.eligible().size() <= few) return scan_few(v, q, accept);
        return scan(v, t, s, q, accept);
    }

private:
    /// By the index: passes over whom `accept` refuses; gives up when there are too many of them. The index follows the
    /// snapshot a moment after it is published, so the snapshot is asked who is eligible, whatever the predicate.
    template <class Accept>
    static choice find(const view& v, load_index& index, const query& q, Accept accept) noexcept {
        std::uint32_t refused[load_index::most_refused];
        std::size_t count = 0;
        int moved = 0;
        while (count < load_index::most_refused) {
            const load_index::found found = index.draw(q.random(), {refused, count});
            if (found.slot == choice::nobody) return {};
            if (moved < 4 && !index.agrees(found)) {  // leases come and go: after that many it is a recent state
                index.refresh_slot(found.slot);
                ++moved;
                continue;
            }
            if (v.is_eligible(found.slot) && accept(found.slot)) return {.index = found.slot};
            refused[count++] = found.slot;
        }
        return {};
    }

    static constexpr std::size_t few = load_index::smallest_pool;

    /// One number for each, of its load, a random number that decides among equals, and its rank: the least is found
    /// without a branch on loads, which nobody can predict.
    template <class Accept>
    static choice scan_few(const view& v, const query& q, Accept accept) noexcept {
        static_assert(few <= 32 && detail::lease_word::most_in_flight < 1u << 24);
        const auto eligible = v.eligible();
        generator tie_breaks{q.random()};
        std::uint64_t least = ~std::uint64_t{0};
        for (std::size_t rank = 0; rank < eligible.size(); ++rank) {
            const std::uint64_t load = v.in_flight(eligible[rank]);
            const std::uint64_t tie_break = (tie_breaks() >> 24) & ~std::uint64_t{31};
            const std::uint64_t mine = (load << 40) | tie_break | rank;
            if (accept(eligible[rank])) least = (std::min)(least, mine);
        }
        return {.index = least == ~std::uint64_t{0} ? choice::nobody : eligible[least % 32]};
    }

    template <class Accept>
    choice scan(const view& v, const table& t, state& s, const query& q, Accept accept) const noexcept {
        const std::chrono::nanoseconds now = timed ? q.now() : std::chrono::nanoseconds{0};
        const auto score = [&](std::uint32_t i) { return s.reader.score(v, t.loads, i, now); };
        std::uint32_t best = choice::nobody;
        decltype(score(0)) best_score{};
        std::uint64_t tied_weight = 0;
        for (const std::uint32_t i : v.eligible()) {
            if (!accept(i)) continue;
            const auto mine = score(i);
            if (best == choice::nobody || detail::lighter(mine, v.weight(i), best_score, v.weight(best))) {
                best = i;
                best_score = mine;
                tied_weight = v.weight(i);
            } else if (!detail::lighter(best_score, v.weight(best), mine, v.weight(i))) {
                tied_weight += v.weight(i);
            }
        }
        if (best == choice::nobody || tied_weight == v.weight(best)) return {.index = best};
        // Loads may have moved since; whoever still is as good as the best takes its part of the draw.
        std::uint64_t rest = q.random_below(tied_weight);
        for (const std::uint32_t i : v.eligible()) {
            if (i < best || !accept(i) || detail::lighter(best_score, v.weight(best), score(i), v.weight(i))) continue;
            if (rest < v.weight(i)) return {.index = i};
            rest -= v.weight(i);
        }
        return {.index = best};
    }
};

/// `least_load_policy` as a selector: `weir::least_load<server, weir::peak_ewma> balancer{servers};`
template <class Backend, metric Metric = in_flight>
class least_load : public basic_selector<Backend, least_load_policy<Metric>> {
public:
    explicit least_load(registry_base<Backend>& r, const Metric& m = Metric{}, const selector_options& options = {})
        : basic_selector<Backend, least_load_policy<Metric>>{r, {m}, options} {}
};

template <class Registry>
least_load(Registry&) -> least_load<typename Registry::backend_type>;
template <class Registry, metric Metric, class... Options>
least_load(Registry&, const Metric&, const Options&...) -> least_load<typename Registry::backend_type, Metric>;

/// Least leases in flight, relative to the weight.
template <class Backend>
class least_connections : public least_load<Backend, in_flight> {
public:
    explicit least_connections(registry_base<Backend>& r, const selector_options& options = {})
        : least_load<Backend, in_flight>{r, {}, options} {}
};

template <class Registry, class... Options>
least_connections(Registry&, const Options&...) -> least_connections<typename Registry::backend_type>;

/// The same type: weights are always honoured.
template <class Backend>
using weighted_least_connections = least_connections<Backend>;

}  // namespace weir::inline WEIR_ABI
