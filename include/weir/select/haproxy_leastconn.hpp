#pragma once

#include "../load/lease_order.hpp"
#include "../selector.hpp"

#include <chrono>
#include <cstdint>

namespace weir::inline WEIR_ABI {

/// HAProxy's leastconn to the letter: for those who move from it and want the same backends in the same order.
/// `least_connections` is faster, and honours weights while backends are idle.
///
/// Rule: an idle backend before all others; else the least (leases + 1) x 256 / weight in whole numbers. Those that tie
/// are taken in the order in which they came to have that many leases, by whatever selector. HAProxy also counts what
/// waits in a server's queue; here nothing waits.
/// Complexity: O(eligible) a pick, one cache line a backend; O(n) an update. Memory: a line and a half a backend.
/// Thread safety: picks write nothing that is shared. Starting and ending a lease of the registry, by whatever selector,
/// adds to one line that all backends share, see lease_order.
/// Bias: weights do not count among the idle: at rest all have equal shares. Above a weight of 256, HAProxy's largest,
/// the whole numbers make backends equal that are not.
/// One backend: that one. None: the error.
/// Source: HAProxy 2.6, fwlc_get_next_server and fwlc_srv_reposition.
struct haproxy_leastconn_policy {
    struct table {
        metric_reader<lease_order>::table turns;
    };
    struct state {
        state(const haproxy_leastconn_policy&, metric_set& metrics) : order{lease_order{}, metrics} {}
        metric_reader<lease_order> order;
    };

    [[nodiscard]] table build(const view& v, const before<table>*, const state& s) const { return {s.order.build(v)}; }

    template <class Accept>
    [[nodiscard]] choice choose(const view& v, const table& t, state& s, const query&, Accept accept) const noexcept {
        std::uint32_t best = choice::nobody;
        std::uint64_t least = 0, since = 0;
        for (const std::uint32_t i : v.eligible()) {
            if (!accept(i)) continue;
            const std::uint64_t load = v.in_flight(i), key = load == 0 ? 0 : (load + 1) * 256 / v.weight(i);
            if (best != choice::nobody && key > least) continue;
            const std::uint64_t turn = s.order.score(v, t.turns, i, std::chrono::nanoseconds{0});
            if (best != choice::nobody && key == least && turn > since) continue;
            best = i;
            least = key;
            since = turn;
        }
        return {.index = best};
    }
};

/// The selector of `haproxy_leastconn_policy`.
template <class Backend>
class haproxy_leastconn : public basic_selector<Backend, haproxy_leastconn_policy> {
public:
    explicit haproxy_leastconn(registry_base<Backend>& r, const selector_options& options = {})
        : basic_selector<Backend, haproxy_leastconn_policy>{r, {}, options} {}
};

template <class Registry, class... Options>
haproxy_leastconn(Registry&, const Options&...) -> haproxy_leastconn<typename Registry::backend_type>;

}  // namespace weir::inline WEIR_ABI
