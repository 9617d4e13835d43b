#pragma once

#include "../hashing/multi_probe_table.hpp"
#include "consistent_hash.hpp"

namespace weir::inline WEIR_ABI {

using multi_probe_policy = consistent_hash_policy<multi_probe_table>;

/// Consistent hashing by multi_probe_table: a ring with one point a backend instead of 160, and 21 probes a pick
/// instead of one.
/// The rule for keys, fallbacks and missing identities is consistent_hash_policy's.
template <class Backend>
class multi_probe : public consistent_hash<Backend, multi_probe_table> {
public:
    using consistent_hash<Backend, multi_probe_table>::consistent_hash;
};

template <class Registry>
multi_probe(Registry&) -> multi_probe<typename Registry::backend_type>;
template <class Registry>
multi_probe(Registry&, const multi_probe_table::options&, const selector_options& = {})
    -> multi_probe<typename Registry::backend_type>;

}  // namespace weir::inline WEIR_ABI
