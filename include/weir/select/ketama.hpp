#pragma once

#include "../hashing/dialects/ketama.hpp"
#include "consistent_hash.hpp"

namespace weir::inline WEIR_ABI {

using ketama_policy = consistent_hash_policy<ketama_table>;

/// libmemcached's ketama, whose laws and options stand with its table. Link weir::md5.
template <class Backend>
class ketama : public consistent_hash<Backend, ketama_table> {
public:
    using consistent_hash<Backend, ketama_table>::consistent_hash;
};

template <class Registry>
ketama(Registry&) -> ketama<typename Registry::backend_type>;
template <class Registry>
ketama(Registry&, const ketama_table::options&, const selector_options& = {})
    -> ketama<typename Registry::backend_type>;

}  // namespace weir::inline WEIR_ABI
