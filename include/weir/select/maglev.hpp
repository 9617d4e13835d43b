#pragma once

#include "../hashing/maglev_table.hpp"
#include "consistent_hash.hpp"

namespace weir::inline WEIR_ABI {

using maglev_policy = consistent_hash_policy<maglev_table>;

/// Consistent hashing by maglev_table: a pick is one load, and shares are as even as the table is large. Adding or
/// removing a backend moves a few keys of others, too; health does not.
/// The rule for keys, fallbacks and missing identities is consistent_hash_policy's.
template <class Backend>
class maglev : public consistent_hash<Backend, maglev_table> {
public:
    using consistent_hash<Backend, maglev_table>::consistent_hash;
};

template <class Registry>
maglev(Registry&) -> maglev<typename Registry::backend_type>;
template <class Registry>
maglev(Registry&, const maglev_table::options&, const selector_options& = {})
    -> maglev<typename Registry::backend_type>;

}  // namespace weir::inline WEIR_ABI
