#pragma once

#include "../hashing/memento_table.hpp"
#include "consistent_hash.hpp"

namespace weir::inline WEIR_ABI {

using memento_policy = consistent_hash_policy<memento_table>;

/// Consistent hashing by memento_table: even shares and no key moves needlessly, without a capacity to choose; slower
/// than anchor. Processes agree if they saw the same changes, or by `table()->state()`.
/// The rule for keys, fallbacks and missing identities is consistent_hash_policy's.
template <class Backend>
class memento : public consistent_hash<Backend, memento_table> {
public:
    using consistent_hash<Backend, memento_table>::consistent_hash;
};

template <class Registry>
memento(Registry&) -> memento<typename Registry::backend_type>;
template <class Registry>
memento(Registry&, const memento_table::options&, const selector_options& = {})
    -> memento<typename Registry::backend_type>;

}  // namespace weir::inline WEIR_ABI
