#pragma once

#include "config.hpp"

#include <cstdint>

namespace weir::inline WEIR_ABI::detail {

/// `a` if `first`, else `b`, for what nobody can predict, such as a draw. Of `first ? a : b`, compilers make a jump in one
/// program and none in the next, and a jump that is predicted wrongly every other time costs more than the whole pick.
[[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t branchless(bool first, std::uint32_t a, std::uint32_t b) noexcept {
    std::uint32_t mask = std::uint32_t{0} - static_cast<std::uint32_t>(first);
#if defined(__GNUC__)
    asm("" : "+r"(mask));  // or clang sees through it, and jumps
#endif
    return b ^ ((a ^ b) & mask);
}

}  // namespace weir::inline WEIR_ABI::detail
