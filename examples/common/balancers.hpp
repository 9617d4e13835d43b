#pragma once

// Selectors by name, for programs whose users choose one. A new selector is one more line of the table. Not in it: the
// metric reported_utilization, which is power_of_two where no backend reports anything.

#include <weir/weir.hpp>

#ifdef EXAMPLES_WITH_MD5
#include <weir/select/ketama.hpp>
#endif

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace examples {

/// `pick` of a selector that is known at run time only.
template <class Backend>
using picker = std::function<weir::lease<Backend>(const weir::pick_options&)>;

/// With a key for their tokens, sessions stay where they are.
template <class Backend, class Policy>
picker<Backend> bind(weir::registry_base<Backend>& backends, const weir::selector_options& options,
                     const weir::session_key* sessions) {
    const auto pick_by = [&](const auto& policy) -> picker<Backend> {
        return [selector = weir::basic_selector(backends, policy, options)](const weir::pick_options& how) {
            return selector.pick(how);
        };
    };
    return sessions == nullptr ? pick_by(Policy{}) : pick_by(weir::sticky(Policy{}, *sessions));
}

template <class Backend>
struct named_balancer {
    std::string_view name;
    picker<Backend> (*make)(weir::registry_base<Backend>&, const weir::selector_options&, const weir::session_key*);
    bool by_address = false;  ///< an address is the only text that it hashes
};

template <class Backend>
inline constexpr named_balancer<Backend> balancers[] = {
    {"round_robin", bind<Backend, weir::round_robin_policy>},
    {"round_robin_per_thread", bind<Backend, weir::rotation_policy<weir::per_thread_cursor>>},
    {"random", bind<Backend, weir::random_policy>},
    {"first", bind<Backend, weir::first_policy>},
    {"least_connections", bind<Backend, weir::least_load_policy<weir::in_flight>>},
    {"weighted_least_connections", bind<Backend, weir::least_load_policy<weir::in_flight>>},
    {"nginx_least_conn", bind<Backend, weir::nginx_least_conn_policy>},
    {"haproxy_leastconn", bind<Backend, weir::haproxy_leastconn_policy>},
    {"least_response_time", bind<Backend, weir::least_load_policy<weir::ewma>>},
    {"power_of_two", bind<Backend, weir::choices_policy<weir::in_flight, 2>>},
    {"three_choices", bind<Backend, weir::choices_policy<weir::in_flight, 3>>},
    {"p2c_peak_ewma", bind<Backend, weir::choices_policy<weir::peak_ewma, 2>>},
    {"peak_ewma", bind<Backend, weir::choices_policy<weir::peak_ewma, 2>>},
    {"ewma", bind<Backend, weir::choices_policy<weir::ewma, 2>>},
    {"slow_start_round_robin", bind<Backend, weir::slow_start<weir::round_robin_policy>>},
    {"priority_round_robin", bind<Backend, weir::priority<weir::round_robin_policy>>},
    {"ring_hash", bind<Backend, weir::ring_hash_policy>},
    {"ip_hash", bind<Backend, weir::ip_hash_policy>, true},
    {"bounded_ring_hash", bind<Backend, weir::bounded_load<weir::ring_hash_policy>>},
    {"maglev", bind<Backend, weir::maglev_policy>},
    {"bounded_maglev", bind<Backend, weir::bounded_load<weir::maglev_policy>>},
    {"rendezvous", bind<Backend, weir::rendezvous_policy>},
    {"multi_probe", bind<Backend, weir::multi_probe_policy>},
    {"jump", bind<Backend, weir::jump_policy>},
    {"anchor", bind<Backend, weir::anchor_policy>},
    {"memento", bind<Backend, weir::memento_policy>},
    {"nginx_hash", bind<Backend, weir::nginx_hash_policy>},
    {"nginx_consistent_hash", bind<Backend, weir::nginx_consistent_hash_policy>},
    {"haproxy_hash", bind<Backend, weir::haproxy_hash_policy>},
    {"haproxy_map", bind<Backend, weir::haproxy_map_policy>},
    {"envoy_ring_hash", bind<Backend, weir::envoy_ring_hash_policy>},
    {"grpc_ring_hash", bind<Backend, weir::grpc_ring_hash_policy>},
    {"envoy_maglev", bind<Backend, weir::envoy_maglev_policy>},
    {"katran_maglev", bind<Backend, weir::katran_maglev_policy>},
#ifdef EXAMPLES_WITH_MD5
    {"ketama", bind<Backend, weir::ketama_policy>},
#endif
};

/// All names, for messages.
inline std::string balancer_names() {
    std::string all;
    for (const auto& one : balancers<int>) all.append(all.empty() ? "" : ", ").append(one.name);
    return all;
}

/// What keys are made of: what the user chose of `header:NAME`, `ip` and `path`; if nothing, what suits the selector.
/// Throws std::invalid_argument, in words, where the selector would take no such key.
inline std::string key_for(std::string_view balance, const std::string& chosen) {
    bool by_address = false;
    for (const auto& one : balancers<int>) by_address |= one.by_address && one.name == balance;
    if (by_address && !chosen.empty() && chosen != "ip")
        throw std::invalid_argument("'" + chosen + "': expected ip, the one key that " + std::string(balance) +
                                    " hashes");
    return !chosen.empty() ? chosen : by_address ? "ip" : "path";
}

/// Binds the selector of that name; throws std::invalid_argument, with all the names, for another.
template <class Backend>
picker<Backend> balancer(std::string_view name, weir::registry_base<Backend>& backends,
                         const weir::selector_options& options = {}, const weir::session_key* sessions = nullptr) {
    for (const auto& one : balancers<Backend>)
        if (one.name == name) return one.make(backends, options, sessions);
    throw std::invalid_argument("'" + std::string(name) + "': expected one of " + balancer_names());
}

}  // namespace examples
