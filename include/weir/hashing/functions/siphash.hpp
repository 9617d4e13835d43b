#pragma once

#include "../hash_function.hpp"
#include "../siphash.hpp"

namespace weir::inline WEIR_ABI {

/// `siphash` as a value: with a secret seed nobody can make keys that collide. For keys that come from strangers; slower
/// than xxHash64.
struct siphash_2_4 {
    using is_avalanching = void;
    std::uint64_t seed = 0;       ///< the first half of the secret
    std::uint64_t more_seed = 0;  ///< the second

    [[nodiscard]] constexpr std::uint64_t operator()(std::string_view text) const noexcept {
        return siphash(text, {seed, more_seed});
    }
    bool operator==(const siphash_2_4&) const = default;
};

static_assert(hash_function<siphash_2_4>);

}  // namespace weir::inline WEIR_ABI
