#pragma once

#include "../detail/lease_words.hpp"
#include "../hash.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weir::inline WEIR_ABI::detail {

struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return static_cast<std::size_t>(hash(text)); }
};

/// What the writer keeps between updates, beside the current view.
struct membership {
    std::unordered_map<std::string, std::uint32_t, text_hash, std::equal_to<>> by_identity;
    std::vector<std::uint32_t> free_slots;
    lease_words words;
    std::uint64_t rosters = 0;      // numbers them
    std::uint64_t mappings = 0;     // and those among them that differ in identities or weights
    std::uint32_t generations = 0;  // one for each backend; of refused updates too: their ids name nobody, ever
};

}  // namespace weir::inline WEIR_ABI::detail
