#pragma once

#include "../selector.hpp"

#include <atomic>
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
/// Bias: none. What a backend is owed survives updates, in proportion to its weight where that changes; newcomers start at 0.
/// (Picks that run while members or weights change may lose the turn that they take meanwhile.)
/// One backend: that one. None: the error.
/// Source: nginx 1.22, ngx_http_upstream_get_least_conn_peer.
struct nginx_least_conn_policy {
    struct table {
        std::shared_ptr<std::vector<std::atomic<std::int64_t>>> credits;  // by slot; not const: picks move them
    };
    struct state {};

    [[nodiscard]] table build(const view& v, const before<table>* b, const state&) const {
        // Picks go on moving them while conditions change: the same members keep the same credits.
        if (b != nullptr && b->members.roster() == v.roster()) return {b->table.credits};
        table t{std::make_shared<std::vector<std::atomic<std::int64_t>>>(v.slots())};
        for (std::uint32_t i = 0; b != nullptr && i < (std::min)(v.slots(), b->members.slots()); ++i) {
            if (!v.is_member(i) || !b->members.is_member(i) || v.id(i) != b->members.id(i)) continue;
            const std::int64_t owed = (*b->table.credits)[i].load(std::memory_order_relaxed);
            const std::uint32_t was = b->members.weight(i), is = v.weight(i);
            (*t.credits)[i] = was == is || was == 0 ? owed
                                                    : static_cast<std::int64_t>(static_cast<double>(owed) / was * is);
        }
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
        auto& credits = *t.credits;
        std::uint32_t winner = choice::nobody;
        std::int64_t most = 0, gained = 0;
        for (const std::uint32_t i : v.eligible()) {
            if (i < best || !accept(i)) continue;
            // Loads may have moved since: whoever still is as light as the best takes its turn.
            if (i != best && lighter(least, best, v.in_flight(i), i)) continue;
            const std::int64_t w = v.weight(i);
            const std::int64_t credit = credits[i].fetch_add(w, std::memory_order_relaxed) + w;
            gained += w;
            if (winner == choice::nobody || credit > most) {
                winner = i;
                most = credit;
            }
        }
        if (winner == choice::nobody) return {.index = best};
        credits[winner].fetch_sub(gained, std::memory_order_relaxed);
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
