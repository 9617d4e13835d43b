#pragma once

#include "config.hpp"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace weir::inline WEIR_ABI::detail {

/// The one door through which a configuration mistake leaves: the text names the value and the bound.
/// Throws std::invalid_argument. Where exceptions are off it prints the text to stderr and calls std::abort.
[[noreturn]] WEIR_NEVER_INLINE inline void reject(const std::string& what) {
    const std::string text = "weir: " + what;
#if defined(__cpp_exceptions)
    throw std::invalid_argument(text);
#else
    std::fprintf(stderr, "%s\n", text.c_str());
    std::abort();
#endif
}

/// The door for calls that the library cannot carry out where they stand (an update inside an update, say).
/// Throws std::logic_error, and is otherwise like `reject`.
[[noreturn]] WEIR_NEVER_INLINE inline void misuse(const std::string& what) {
    const std::string text = "weir: " + what;
#if defined(__cpp_exceptions)
    throw std::logic_error(text);
#else
    std::fprintf(stderr, "%s\n", text.c_str());
    std::abort();
#endif
}
/// Puts the two together out of the caller's line.
[[noreturn]] WEIR_NEVER_INLINE inline void misuse(const char* who, const char* what) {
    misuse(std::string{who} + what);
}

}  // namespace weir::inline WEIR_ABI::detail
