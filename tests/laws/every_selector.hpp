#pragma once

#include "../laws.hpp"

#include <weir/weir.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <tuple>
#include <type_traits>

// Whom the laws are held against. A new selector adds a line to the list.
namespace weir_test::law {

// An entry says how to make a selector, and what kind it is.

/// A selector made from a registry and `selector_options`.
template <kind Kind, template <class...> class Selector>
struct plain {
    static constexpr kind is = Kind;
    template <class Backend>
    static auto make(weir::registry_base<Backend>& r, std::optional<std::uint64_t> seed) {
        return Selector<Backend>{r, {.seed = seed}};
    }
};

/// By reports of everybody who was there at first, each other ones. Idle backends tie all the same.
template <template <class> class Selector>
struct by_reports {
    static constexpr kind is = kind::load_aware;
    template <class Backend>
    static auto make(weir::registry_base<Backend>& r, std::optional<std::uint64_t> seed) {
        const weir::reported_utilization metric;
        Selector<Backend> selector{r, metric, {.seed = seed}};
        const weir::load_reports reports{r, metric, {.set_weights = false}};
        constexpr std::chrono::hours now{1};
        for (const auto& m : r.members())
            reports.report(m.id, {.utilization = 0.2 * (1 + m.id.slot % 3), .qps = 100}, now);
        reports.update(now + weir::reported_utilization_options{}.blackout);
        return selector;
    }
};
template <class Backend>
using two_by_utilization = weir::choices<Backend, weir::reported_utilization, 2>;
template <class Backend>
using least_utilized = weir::least_load<Backend, weir::reported_utilization>;

/// `choices` of D by a metric.
template <class Metric, std::uint32_t D>
struct choices_of {
    static constexpr kind is = kind::load_aware;
    template <class Backend>
    static auto make(weir::registry_base<Backend>& r, std::optional<std::uint64_t> seed) {
        return weir::choices<Backend, Metric, D>{r, Metric{}, {.seed = seed}};
    }
};

/// `consistent_hash` over a table.
template <class Table>
struct hash_by {
    static constexpr kind is = kind::keyed;
    using table = Table;
    static constexpr bool history_free = Table::history_free;
    /// Who leaves the membership moves its own keys alone, and coming back brings them back.
    static constexpr bool exact = !std::is_same_v<Table, weir::maglev_table> &&
                                  !std::is_same_v<Table, weir::jump_table>;
    /// Makes nothing of a weight that may be too much of: points, buckets.
    static constexpr bool any_weight = std::is_same_v<Table, weir::maglev_table> ||
                                       std::is_same_v<Table, weir::rendezvous_table>;

    /// Of counts of that many keys, with weights of `total` in all, as a multiple of the multinomial variance. Points on
    /// a circle have shares of their own: 160 a unit of weight, and 21 probes make of one what 2 x 21 - 1 are.
    static double overdispersion(double keys, double total) {
        if constexpr (std::is_same_v<Table, weir::ring_table>) return ring_overdispersion(keys, 160 * total);
        if constexpr (std::is_same_v<Table, weir::multi_probe_table>) return ring_overdispersion(keys, 41 * total);
        return 1;
    }
    template <class Backend>
    static auto make(weir::registry_base<Backend>& r, std::optional<std::uint64_t> seed) {
        return weir::consistent_hash<Backend, Table>{r, {}, {.seed = seed}};
    }
};

/// `consistent_hash` over the table of a dialect.
template <class Table>
struct dialect_by {
    static constexpr kind is = kind::dialect;
    static constexpr bool history_free = Table::history_free;
    /// The greatest weight beside others that the rule provides for: HAProxy's go up to 256; nginx's hash has 15 bits, and
    /// where weights sum up to more the servers beyond get nothing, which nobody is told.
    static constexpr std::uint32_t most = std::is_same_v<Table, weir::haproxy_hash_table> ? 256
                                          : std::is_same_v<Table, weir::nginx_hash_table> ? 32'768
                                                                                          : weir::weight::max;
    static constexpr bool any_weight = std::is_same_v<Table, weir::katran_maglev_table>;
    static constexpr bool ends_unsaid = std::is_same_v<Table, weir::nginx_hash_table>;

    /// 160 points a unit of weight are nginx's, 16 are HAProxy's, 1,024 in all are the least of Envoy's and gRPC's.
    static double overdispersion(double keys, double total) {
        if constexpr (std::is_same_v<Table, weir::nginx_consistent_hash_table>)
            return ring_overdispersion(keys, 160 * total);
        if constexpr (std::is_same_v<Table, weir::haproxy_hash_table>) return ring_overdispersion(keys, 16 * total);
        if constexpr (std::is_base_of_v<weir::envoy_ring_table, Table>) return ring_overdispersion(keys, 1024);
        return 1;
    }
    template <class Backend>
    static auto make(weir::registry_base<Backend>& r, std::optional<std::uint64_t> seed) {
        typename Table::options o;
        if constexpr (requires { o.table_size; }) o.table_size = 16'411;  // for the sake of many updates
        return weir::consistent_hash<Backend, Table>{r, o, {.seed = seed}};
    }
};

/// `ip_hash`, which is more than its table: it goes on by turns, not by the key.
struct nginx_ip_hash : dialect_by<weir::nginx_ip_hash_table> {
    template <class Backend>
    static auto make(weir::registry_base<Backend>& r, std::optional<std::uint64_t> seed) {
        return weir::ip_hash<Backend>{r, {}, {.seed = seed}};
    }
};

/// A selector that takes options of its own before `selector_options`.
template <kind Kind, template <class> class Selector>
struct with_options {
    static constexpr kind is = Kind;
    template <class Backend>
    static auto make(weir::registry_base<Backend>& r, std::optional<std::uint64_t> seed) {
        return Selector<Backend>{r, {}, {.seed = seed}};
    }
};

/// Least connections whose ties take turns, where the others draw.
struct nginx_least : plain<kind::load_aware, weir::nginx_least_conn> {
    static constexpr bool takes_turns = true;
};

/// `first` that goes on to the next one before a backend is at its limit.
struct filled_first {
    static constexpr kind is = kind::own_rule;
    static constexpr std::uint32_t fill = 12;
    template <class Backend>
    static auto make(weir::registry_base<Backend>& r, std::optional<std::uint64_t> seed) {
        return weir::first<Backend>{r, {.fill = fill}, {.seed = seed}};
    }
};

/// An adaptor over the policy of another entry: it passes the same laws.
template <template <class> class Adaptor, class Entry>
struct adapted : Entry {
    template <class Backend>
    static auto make(weir::registry_base<Backend>& r, std::optional<std::uint64_t> seed) {
        using inner = typename decltype(Entry::make(r, seed))::policy_type;
        return weir::basic_selector<Backend, Adaptor<inner>>{r, Adaptor<inner>{}, {.seed = seed}};
    }
};

/// The same for an adaptor that heeds condition::degraded.
template <template <class> class Adaptor, class Entry>
struct heeding : adapted<Adaptor, Entry> {
    static constexpr bool heeds_degraded = true;
};

template <class Backend>
using per_thread_round_robin = weir::round_robin<Backend, weir::per_thread_cursor>;

template <class Policy, int Milliseconds>
struct start_within : weir::slow_start<Policy> {
    explicit start_within(const Policy& p = Policy{})
        : weir::slow_start<Policy>{p, {.window = std::chrono::milliseconds{Milliseconds}}} {}
};
/// A slow start within the millisecond that counts as no time: everybody is warming, and has all of its share.
template <class Policy>
using brief_start = start_within<Policy, 1>;
/// One that outlasts every law but those that wait for an hour: who comes, or comes back, is warming all the time.
template <class Policy>
using long_start = start_within<Policy, 50 * 60 * 1000>;

/// The one list. A new selector adds a line.
using every_selector = std::tuple<                                           //
    plain<kind::rotation, weir::round_robin>,                                //
    plain<kind::rotation, per_thread_round_robin>,                           //
    plain<kind::draw, weir::random>,                                         //
    plain<kind::load_aware, weir::least_connections>,                        //
    plain<kind::load_aware, weir::power_of_two>,                             //
    choices_of<weir::ewma, 2>,                                               //
    plain<kind::load_aware, weir::p2c_peak_ewma>,                            //
    plain<kind::load_aware, weir::least_response_time>,                      //
    choices_of<weir::in_flight, 3>,                                          //
    by_reports<two_by_utilization>,                                          //
    by_reports<least_utilized>,                                              //
    hash_by<weir::ring_table>,                                               //
    hash_by<weir::maglev_table>,                                             //
    hash_by<weir::rendezvous_table>,                                         //
    hash_by<weir::jump_table>,                                               //
    hash_by<weir::multi_probe_table>,                                        //
    hash_by<weir::anchor_table>,                                             //
    hash_by<weir::memento_table>,                                            //
    nginx_ip_hash,                                                           //
    dialect_by<weir::nginx_hash_table>,                                      //
    dialect_by<weir::nginx_consistent_hash_table>,                           //
    dialect_by<weir::haproxy_hash_table>,                                    //
    dialect_by<weir::haproxy_map_table>,                                     //
    dialect_by<weir::envoy_ring_table>,                                      //
    dialect_by<weir::grpc_ring_table>,                                       //
    dialect_by<weir::envoy_maglev_table>,                                    //
    dialect_by<weir::katran_maglev_table>,                                   //
    adapted<weir::bounded_load, hash_by<weir::ring_table>>,                  //
    adapted<weir::bounded_load, hash_by<weir::anchor_table>>,                //
    adapted<weir::bounded_load, plain<kind::rotation, weir::round_robin>>,   //
    with_options<kind::own_rule, weir::first>,                               //
    filled_first,                                                            //
    nginx_least,                                                             //
    plain<kind::own_rule, weir::haproxy_leastconn>,                          //
    adapted<weir::bounded_load, with_options<kind::own_rule, weir::first>>,  //
    heeding<weir::priority, plain<kind::rotation, weir::round_robin>>,       //
    heeding<weir::priority, hash_by<weir::ring_table>>,                      //
    adapted<weir::sticky, plain<kind::rotation, weir::round_robin>>,         //
    adapted<weir::sticky, hash_by<weir::ring_table>>,                        //
    adapted<weir::slow_start, plain<kind::draw, weir::random>>,              //
    adapted<long_start, plain<kind::load_aware, weir::least_connections>>,   //
    adapted<brief_start, plain<kind::rotation, weir::round_robin>>,          //
    adapted<brief_start, hash_by<weir::ring_table>>>;

}  // namespace weir_test::law
