#pragma once

#include "../hashing/rendezvous_table.hpp"
#include "consistent_hash.hpp"

namespace weir::inline WEIR_ABI {

using rendezvous_policy = consistent_hash_policy<rendezvous_table>;

/// Consistent hashing by rendezvous_table: shares are exactly the weights', and no key moves needlessly. A pick looks
/// at every backend: for small pools.
/// The rule for keys, fallbacks and missing identities is consistent_hash_policy's.
template <class Backend>
class rendezvous : public consistent_hash<Backend, rendezvous_table> {
public:
    using consistent_hash<Backend, rendezvous_table>::consistent_hash;
};

template <class Registry>
rendezvous(Registry&) -> rendezvous<typename Registry::backend_type>;
template <class Registry>
rendezvous(Registry&, const rendezvous_table::options&, const selector_options& = {})
    -> rendezvous<typename Registry::backend_type>;

}  // namespace weir::inline WEIR_ABI
