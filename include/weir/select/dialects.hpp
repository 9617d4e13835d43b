#pragma once

#include "../hashing/dialects/envoy_maglev.hpp"
#include "../hashing/dialects/envoy_ring.hpp"
#include "../hashing/dialects/haproxy_hash.hpp"
#include "../hashing/dialects/haproxy_map.hpp"
#include "../hashing/dialects/katran_maglev.hpp"
#include "../hashing/dialects/nginx_consistent_hash.hpp"
#include "../hashing/dialects/nginx_hash.hpp"
#include "consistent_hash.hpp"

// Selectors that agree with software which users already run: `consistent_hash` over a dialect's table, where each
// dialect's laws and options stand. ketama, which needs a library for MD5, is in select/ketama.hpp.
namespace weir::inline WEIR_ABI {

using nginx_hash_policy = consistent_hash_policy<nginx_hash_table>;

/// nginx's plain `hash KEY`.
template <class Backend>
class nginx_hash : public consistent_hash<Backend, nginx_hash_table> {
public:
    using consistent_hash<Backend, nginx_hash_table>::consistent_hash;
};

template <class Registry>
nginx_hash(Registry&) -> nginx_hash<typename Registry::backend_type>;
template <class Registry>
nginx_hash(Registry&, const nginx_hash_table::options&, const selector_options& = {})
    -> nginx_hash<typename Registry::backend_type>;

using nginx_consistent_hash_policy = consistent_hash_policy<nginx_consistent_hash_table>;

/// nginx's `hash KEY consistent`.
template <class Backend>
class nginx_consistent_hash : public consistent_hash<Backend, nginx_consistent_hash_table> {
public:
    using consistent_hash<Backend, nginx_consistent_hash_table>::consistent_hash;
};

template <class Registry>
nginx_consistent_hash(Registry&) -> nginx_consistent_hash<typename Registry::backend_type>;
template <class Registry>
nginx_consistent_hash(Registry&, const nginx_consistent_hash_table::options&, const selector_options& = {})
    -> nginx_consistent_hash<typename Registry::backend_type>;

using haproxy_hash_policy = consistent_hash_policy<haproxy_hash_table>;

/// HAProxy's `hash-type consistent`.
template <class Backend>
class haproxy_hash : public consistent_hash<Backend, haproxy_hash_table> {
public:
    using consistent_hash<Backend, haproxy_hash_table>::consistent_hash;
};

template <class Registry>
haproxy_hash(Registry&) -> haproxy_hash<typename Registry::backend_type>;
template <class Registry>
haproxy_hash(Registry&, const haproxy_hash_table::options&, const selector_options& = {})
    -> haproxy_hash<typename Registry::backend_type>;

using haproxy_map_policy = consistent_hash_policy<haproxy_map_table>;

/// HAProxy's `hash-type map-based`.
template <class Backend>
class haproxy_map : public consistent_hash<Backend, haproxy_map_table> {
public:
    using consistent_hash<Backend, haproxy_map_table>::consistent_hash;
};

template <class Registry>
haproxy_map(Registry&) -> haproxy_map<typename Registry::backend_type>;
template <class Registry>
haproxy_map(Registry&, const haproxy_map_table::options&, const selector_options& = {})
    -> haproxy_map<typename Registry::backend_type>;

using envoy_ring_hash_policy = consistent_hash_policy<envoy_ring_table>;

/// Envoy's ring hash.
template <class Backend>
class envoy_ring_hash : public consistent_hash<Backend, envoy_ring_table> {
public:
    using consistent_hash<Backend, envoy_ring_table>::consistent_hash;
};

template <class Registry>
envoy_ring_hash(Registry&) -> envoy_ring_hash<typename Registry::backend_type>;
template <class Registry>
envoy_ring_hash(Registry&, const envoy_ring_table::options&, const selector_options& = {})
    -> envoy_ring_hash<typename Registry::backend_type>;

using grpc_ring_hash_policy = consistent_hash_policy<grpc_ring_table>;

/// gRPC's ring hash.
template <class Backend>
class grpc_ring_hash : public consistent_hash<Backend, grpc_ring_table> {
public:
    using consistent_hash<Backend, grpc_ring_table>::consistent_hash;
};

template <class Registry>
grpc_ring_hash(Registry&) -> grpc_ring_hash<typename Registry::backend_type>;
template <class Registry>
grpc_ring_hash(Registry&, const grpc_ring_table::options&, const selector_options& = {})
    -> grpc_ring_hash<typename Registry::backend_type>;

using envoy_maglev_policy = consistent_hash_policy<envoy_maglev_table>;

/// Envoy's Maglev.
template <class Backend>
class envoy_maglev : public consistent_hash<Backend, envoy_maglev_table> {
public:
    using consistent_hash<Backend, envoy_maglev_table>::consistent_hash;
};

template <class Registry>
envoy_maglev(Registry&) -> envoy_maglev<typename Registry::backend_type>;
template <class Registry>
envoy_maglev(Registry&, const envoy_maglev_table::options&, const selector_options& = {})
    -> envoy_maglev<typename Registry::backend_type>;

using katran_maglev_policy = consistent_hash_policy<katran_maglev_table>;

/// Katran's Maglev, second version.
template <class Backend>
class katran_maglev : public consistent_hash<Backend, katran_maglev_table> {
public:
    using consistent_hash<Backend, katran_maglev_table>::consistent_hash;
};

template <class Registry>
katran_maglev(Registry&) -> katran_maglev<typename Registry::backend_type>;
template <class Registry>
katran_maglev(Registry&, const katran_maglev_table::options&, const selector_options& = {})
    -> katran_maglev<typename Registry::backend_type>;

}  // namespace weir::inline WEIR_ABI
