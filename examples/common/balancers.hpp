#pragma once

// Selectors by name, for programs whose users choose one. A new selector is one more line of the table, which
// tests/balancers.cmake asks for.

#include <weir/weir.hpp>

#ifdef EXAMPLES_WITH_MD5
#include <weir/select/ketama.hpp>
#endif

#include <array>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>

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

/// One line of the table. Without code: what a selector costs to compile is paid by those who make it.
template <class Policy>
struct named_balancer {
    std::string_view name;
    bool by_address = false;  ///< an address is the only text that it hashes
    bool by_reports = false;  ///< it follows load_reports that set no weights; without any it is power_of_two
};

inline constexpr std::tuple balancers{
    named_balancer<weir::round_robin_policy>{"round_robin"},
    named_balancer<weir::round_robin_policy>{"weighted_round_robin"},
    named_balancer<weir::rotation_policy<weir::per_thread_cursor>>{"round_robin_per_thread"},
    named_balancer<weir::random_policy>{"random"},
    named_balancer<weir::random_policy>{"weighted_random"},
    named_balancer<weir::first_policy>{"first"},
    named_balancer<weir::least_load_policy<weir::in_flight>>{"least_connections"},
    named_balancer<weir::least_load_policy<weir::in_flight>>{"weighted_least_connections"},
    named_balancer<weir::nginx_least_conn_policy>{"nginx_least_conn"},
    named_balancer<weir::haproxy_leastconn_policy>{"haproxy_leastconn"},
    named_balancer<weir::least_load_policy<weir::ewma>>{"least_response_time"},
    named_balancer<weir::choices_policy<weir::in_flight, 2>>{"power_of_two"},
    named_balancer<weir::choices_policy<weir::in_flight, 3>>{"three_choices"},
    named_balancer<weir::choices_policy<weir::peak_ewma, 2>>{"p2c_peak_ewma"},
    named_balancer<weir::choices_policy<weir::peak_ewma, 2>>{"peak_ewma"},
    named_balancer<weir::choices_policy<weir::ewma, 2>>{"ewma"},
    named_balancer<weir::choices_policy<weir::reported_utilization, 2>>{"reported_utilization", false, true},
    named_balancer<weir::slow_start<weir::round_robin_policy>>{"slow_start_round_robin"},
    named_balancer<weir::priority<weir::round_robin_policy>>{"priority_round_robin"},
    named_balancer<weir::ring_hash_policy>{"ring_hash"},
    named_balancer<weir::ip_hash_policy>{"ip_hash", true},
    named_balancer<weir::bounded_load<weir::ring_hash_policy>>{"bounded_ring_hash"},
    named_balancer<weir::maglev_policy>{"maglev"},
    named_balancer<weir::bounded_load<weir::maglev_policy>>{"bounded_maglev"},
    named_balancer<weir::rendezvous_policy>{"rendezvous"},
    named_balancer<weir::multi_probe_policy>{"multi_probe"},
    named_balancer<weir::jump_policy>{"jump"},
    named_balancer<weir::anchor_policy>{"anchor"},
    named_balancer<weir::memento_policy>{"memento"},
    named_balancer<weir::nginx_hash_policy>{"nginx_hash"},
    named_balancer<weir::nginx_consistent_hash_policy>{"nginx_consistent_hash"},
    named_balancer<weir::haproxy_hash_policy>{"haproxy_hash"},
    named_balancer<weir::haproxy_map_policy>{"haproxy_map"},
    named_balancer<weir::envoy_ring_hash_policy>{"envoy_ring_hash"},
    named_balancer<weir::grpc_ring_hash_policy>{"grpc_ring_hash"},
    named_balancer<weir::envoy_maglev_policy>{"envoy_maglev"},
    named_balancer<weir::katran_maglev_policy>{"katran_maglev"},
#ifdef EXAMPLES_WITH_MD5
    named_balancer<weir::ketama_policy>{"ketama"},
#endif
};

/// Their names, in the table's order.
inline constexpr auto balancer_names = std::apply([](const auto&... one) { return std::array{one.name...}; },
                                                  balancers);

inline std::string all_balancer_names() {
    std::string all;
    for (const std::string_view name : balancer_names) all.append(all.empty() ? "" : ", ").append(name);
    return all;
}

/// What keys are made of: what the user chose of `header:NAME`, `ip` and `path`; if nothing, what suits the selector.
/// Throws std::invalid_argument, in words, where the selector would take no such key.
inline std::string key_for(std::string_view balance, const std::string& chosen) {
    const bool by_address = std::apply(
        [&](const auto&... one) { return ((one.by_address && one.name == balance) || ...); }, balancers);
    if (by_address && !chosen.empty() && chosen != "ip")
        throw std::invalid_argument("'" + chosen + "': expected ip, the one key that " + std::string(balance) +
                                    " hashes");
    return !chosen.empty() ? chosen : by_address ? "ip" : "path";
}

/// Whether the selector of that name wants to know what backends say of their load.
inline bool follows_reports(std::string_view balance) {
    return std::apply([&](const auto&... one) { return ((one.by_reports && one.name == balance) || ...); }, balancers);
}

/// Binds the selector of that name; throws std::invalid_argument, with all the names, for another.
template <class Backend>
picker<Backend> balancer(std::string_view name, weir::registry_base<Backend>& backends,
                         const weir::selector_options& options = {}, const weir::session_key* sessions = nullptr) {
    picker<Backend> made;
    const auto make = [&]<class Policy>(const named_balancer<Policy>&) {
        made = bind<Backend, Policy>(backends, options, sessions);
        return true;
    };
    if (!std::apply([&](const auto&... one) { return ((one.name == name && make(one)) || ...); }, balancers))
        throw std::invalid_argument("'" + std::string(name) + "': expected one of " + all_balancer_names());
    return made;
}

}  // namespace examples
