#pragma once

#include "../hashing/anchor_table.hpp"
#include "consistent_hash.hpp"

namespace weir::inline WEIR_ABI {

using anchor_policy = consistent_hash_policy<anchor_table>;

/// Consistent hashing by anchor_table: fast picks, even shares, and no key moves needlessly while the pool stays below
/// the capacity. Processes agree if they saw the same changes, or by `table()->state()`.
/// The rule for keys, fallbacks and missing identities is consistent_hash_policy's.
template <class Backend>
class anchor : public consistent_hash<Backend, anchor_table> {
public:
    using consistent_hash<Backend, anchor_table>::consistent_hash;
};

template <class Registry>
anchor(Registry&) -> anchor<typename Registry::backend_type>;
template <class Registry>
anchor(Registry&, const anchor_table::options&, const selector_options& = {})
    -> anchor<typename Registry::backend_type>;

}  // namespace weir::inline WEIR_ABI
