#pragma once

#include "../selector.hpp"

#include <atomic>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

namespace weir::inline WEIR_ABI {

/// nginx's least_conn to the letter: for those who move from it and want the same backends in the same order.
/// `least_connections` is faster, and as good.
///
/// Rule: the least leases in flight / weight; those that tie take turns by smooth weighted round robin among themselves:
/// each gains its weight, the first with most is taken, and loses what all of them gained. Slot order is nginx's order of
/// servers. nginx lowers the weight of a server that failed; here conditions take a backend out instead.
/// Complexity: O(eligible) a pick, one cache line a backend; O(n) an update. Memory: 8 bytes a backend.
/// Thread safety: a pick writes the credits of all that tie, which all threads share.
/// Bias: none. Across updates each keeps what it is owed, in turns: where nginx keeps credits as numbers, those beside a
/// heavy backend that leaves would have hundreds of turns in a row. What one that leaves was owed is shared out; newcomers
/// start at 0. Where picks exclude a heavy backend, the others first catch up what they are ahead or behind, as in nginx.
/// Picks that run while an update builds its table may lose the turn that they take.
/// One backend: that one. None: the error.
/// Source: nginx 1.22, ngx_http_upstream_get_least_conn_peer.
struct nginx_least_conn_policy {
    struct table {
        std::unique_ptr<std::atomic<std::int64_t>[]> credits;  // by slot; not const: picks move them
        std::int64_t parts = 1;                                // of a unit of weight, in which credits are kept
        double turn = 0;                                       // the credit that a pick takes: all weights' parts
    };
    struct state {};

    [[nodiscard]] table build(const view& v, const before<table>* b, const state&) const {
        table t{std::make_unique<std::atomic<std::int64_t>[]>(v.slots())};
        // Kept in whole weights, credits would be off by the roundings of many updates. Below 2^61, with few turns owed.
        if (v.total_weight() < std::uint64_t{1} << 40) t.parts = std::int64_t{1} << 16;
        t.turn = static_cast<double>(v.total_weight()) * static_cast<double>(t.parts);
        if (b == nullptr) return t;
        if (v.eligible().empty()) {  // nothing to measure turns by
            t.parts = b->table.parts;
            t.turn = b->table.turn;
        }
        const double rescaled = b->table.turn > 0 ? t.turn / b->table.turn : 1;
        for (std::uint32_t i = 0; i < (std::min)(v.slots(), b->members.slots()); ++i) {
            if (!v.is_member(i) || !b->members.is_member(i) || v.id(i) != b->members.id(i)) continue;
            const std::int64_t owed = b->table.credits[i].load(std::memory_order_relaxed);
            t.credits[i] = rescaled == 1 ? owed : std::llround(static_cast<double>(owed) * rescaled);
        }
        std::int64_t excess = 0;
        for (const std::uint32_t i : v.eligible()) excess += t.credits[i].load(std::memory_order_relaxed);
        if (excess == 0) return t;
        const double each = static_cast<double>(excess) / static_cast<double>(v.total_weight());
        for (const std::uint32_t i : v.eligible()) t.credits[i] -= std::llround(each * v.weight(i));
        return t;
    }

    template <class Accept>
    [[nodiscard]] choice choose(const view& v, const table& t, state&, const query&, Accept accept) const noexcept {
        const auto lighter = [&](std::uint32_t load, std::uint32_t i, std::uint32_t than, std::uint32_t j) {
            return detail::lighter(load, v.weight(i), than, v.weight(j));
        };
        std::uint32_t best = choice::nobody, least = 0;
        bool tie = false;
        for (const std::uint32_t i : v.eligible()) {
            if (!accept(i)) continue;
            const std::uint32_t load = v.in_flight(i);
            if (best == choice::nobody || lighter(load, i, least, best)) {
                best = i;
                least = load;
                tie = false;
            } else {
                tie = tie || !lighter(least, best, load, i);
            }
        }
        if (!tie) return {.index = best};
        std::uint32_t winner = choice::nobody;
        std::int64_t most = 0, gained = 0;
        for (const std::uint32_t i : v.eligible()) {
            if (i < best || !accept(i)) continue;
            // Loads may have moved since: whoever still is as light as the best takes its turn.
            if (i != best && lighter(least, best, v.in_flight(i), i)) continue;
            const std::int64_t w = v.weight(i) * t.parts;
            const std::int64_t credit = t.credits[i].fetch_add(w, std::memory_order_relaxed) + w;
            gained += w;
            if (winner == choice::nobody || credit > most) {
                winner = i;
                most = credit;
            }
        }
        if (winner == choice::nobody) return {.index = best};
        t.credits[winner].fetch_sub(gained, std::memory_order_relaxed);
        return {.index = winner};
    }
};

/// The selector of `nginx_least_conn_policy`.
template <class Backend>
class nginx_least_conn : public basic_selector<Backend, nginx_least_conn_policy> {
public:
    explicit nginx_least_conn(registry_base<Backend>& r, const selector_options& options = {})
        : basic_selector<Backend, nginx_least_conn_policy>{r, {}, options} {}
};

template <class Registry, class... Options>
nginx_least_conn(Registry&, const Options&...) -> nginx_least_conn<typename Registry::backend_type>;

}  // namespace weir::inline WEIR_ABI
