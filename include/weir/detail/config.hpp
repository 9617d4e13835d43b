#pragma once

#include "../version.hpp"

#include <cstddef>

// What every header may assume about the compiler. Private.

#if __cplusplus < 202002L && !defined(_MSC_VER)
#error "weir needs C++20: compile with -std=c++20"
#endif
#if defined(__clang__) && __clang_major__ < 16 && !defined(__apple_build_version__)
#error "weir needs clang 16 or later"
#endif
#if defined(__FAST_MATH__)
#error "weir: -ffast-math reorders the arithmetic that load estimates and shares rest on; compile without it"
#endif

#if defined(_MSC_VER)
#define WEIR_ALWAYS_INLINE __forceinline
#define WEIR_NEVER_INLINE __declspec(noinline)
#define WEIR_OUT_OF_LINE __declspec(noinline)
#else
#define WEIR_ALWAYS_INLINE inline __attribute__((always_inline))
#define WEIR_NEVER_INLINE __attribute__((noinline, cold))
#define WEIR_OUT_OF_LINE __attribute__((noinline))  // seldom enough to cost nothing, too often to be cold
#endif

// g++ says so by a macro, clang by a feature.
#if defined(__SANITIZE_THREAD__)
#define WEIR_THREAD_SANITIZER
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEIR_THREAD_SANITIZER
#endif
#endif

namespace weir::inline WEIR_ABI::detail {

/// Our own constant: `hardware_destructive_interference_size` makes a consumer's GCC warn and differs between flags.
inline constexpr std::size_t cache_line = 64;

}  // namespace weir::inline WEIR_ABI::detail
