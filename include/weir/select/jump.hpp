#pragma once

#include "../hashing/jump_table.hpp"
#include "consistent_hash.hpp"

namespace weir::inline WEIR_ABI {

using jump_policy = consistent_hash_policy<jump_table>;

/// Consistent hashing by jump_table: even shares in next to no memory, for pools that grow and shrink at the end; where
/// any backend may go, see memento. Processes agree if they saw the same changes, or by `table()->state()`.
/// The rule for keys, fallbacks and missing identities is consistent_hash_policy's.
template <class Backend>
class jump : public consistent_hash<Backend, jump_table> {
public:
    using consistent_hash<Backend, jump_table>::consistent_hash;
};

template <class Registry>
jump(Registry&) -> jump<typename Registry::backend_type>;
template <class Registry>
jump(Registry&, const jump_table::options&, const selector_options& = {}) -> jump<typename Registry::backend_type>;

}  // namespace weir::inline WEIR_ABI
