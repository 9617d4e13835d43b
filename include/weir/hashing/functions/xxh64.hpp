#pragma once

#include "../hash_function.hpp"

namespace weir::inline WEIR_ABI {

/// xxHash64: what `weir::hash` is, as a value. Fast and even. A secret seed spreads keys that were found to collide without
/// it; texts can also be built to collide, and these mostly do so under every seed: see siphash_2_4.
/// Source: Yann Collet's specification.
struct xxh64 {
    using is_avalanching = void;
    std::uint64_t seed = 0;

    [[nodiscard]] std::uint64_t operator()(std::string_view text) const noexcept { return hash(text, seed); }
    bool operator==(const xxh64&) const = default;
};

static_assert(hash_function<xxh64>);

}  // namespace weir::inline WEIR_ABI
