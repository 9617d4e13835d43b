#pragma once

#include "../detail/config.hpp"

#include <cstdint>
#include <string_view>

namespace weir::inline WEIR_ABI {

/// One member as a hash table takes it.
struct hash_member {
    std::string_view identity;  ///< where its place in the mapping comes from
    std::uint32_t weight;       ///< its share relative to the others'; 0: none
    std::uint32_t index;        ///< what look-ups return
};

}  // namespace weir::inline WEIR_ABI
