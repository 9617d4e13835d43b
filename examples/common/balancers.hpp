#pragma once

// Selectors by name, for programs whose users choose one. A new selector is one more line of the table.

#include <weir/weir.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace examples {

/// `pick` of a selector that is known at run time only.
template <class Backend>
using picker = std::function<weir::lease<Backend>(const weir::pick_options&)>;

template <class Backend, class Policy>
picker<Backend> bind(weir::registry_base<Backend>& backends, const weir::selector_options& options) {
    return [selector = weir::basic_selector<Backend, Policy>(backends, Policy{}, options)](
               const weir::pick_options& how) { return selector.pick(how); };
}

template <class Backend>
struct named_balancer {
    std::string_view name;
    picker<Backend> (*make)(weir::registry_base<Backend>&, const weir::selector_options&);
};

template <class Backend>
inline constexpr named_balancer<Backend> balancers[] = {
    {"round_robin", bind<Backend, weir::round_robin_policy>},
    {"random", bind<Backend, weir::random_policy>},
    {"least_connections", bind<Backend, weir::least_load_policy<weir::in_flight>>},
    {"power_of_two", bind<Backend, weir::choices_policy<weir::in_flight, 2>>},
    {"peak_ewma", bind<Backend, weir::choices_policy<weir::peak_ewma, 2>>},
    {"ewma", bind<Backend, weir::choices_policy<weir::ewma, 2>>},
    {"least_response_time", bind<Backend, weir::least_load_policy<weir::ewma>>},
    {"ring_hash", bind<Backend, weir::ring_hash_policy>},
    {"bounded_ring_hash", bind<Backend, weir::bounded_load<weir::ring_hash_policy>>},
    {"slow_start_round_robin", bind<Backend, weir::slow_start<weir::round_robin_policy>>},
};

/// All names, for messages.
inline std::string balancer_names() {
    std::string all;
    for (const auto& one : balancers<int>) all.append(all.empty() ? "" : ", ").append(one.name);
    return all;
}

/// Binds the selector of that name; throws std::invalid_argument, with all the names, for another.
template <class Backend>
picker<Backend> balancer(std::string_view name, weir::registry_base<Backend>& backends,
                         const weir::selector_options& options = {}) {
    for (const auto& one : balancers<Backend>)
        if (one.name == name) return one.make(backends, options);
    throw std::invalid_argument("'" + std::string(name) + "': expected one of " + balancer_names());
}

}  // namespace examples
