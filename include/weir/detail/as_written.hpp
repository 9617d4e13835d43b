#pragma once

#include "config.hpp"

namespace weir::inline WEIR_ABI::detail {

/// A floating-point result, rounded where it stands: else a compiler may fuse a product with the addition that takes it,
/// round once instead of twice, and map keys in another way than the next machine.
template <class Float>
[[nodiscard]] inline Float as_written(Float value) noexcept {
    const volatile Float rounded = value;
    return rounded;
}

}  // namespace weir::inline WEIR_ABI::detail
