#pragma once

#include "config.hpp"

#include <bit>
#include <cstdint>
#include <cstring>

namespace weir::inline WEIR_ABI::detail {

/// The word at `from`, little-endian, whatever the machine is.
template <class Word>
[[nodiscard]] inline Word read_little_endian(const char* from) noexcept {
    Word word = 0;
    if constexpr (std::endian::native == std::endian::little) {
        std::memcpy(&word, from, sizeof word);
    } else {
        for (std::size_t i = sizeof word; i-- > 0;)
            word = static_cast<Word>((word << 8) | static_cast<unsigned char>(from[i]));
    }
    return word;
}

/// The last `count` bytes of a text, fewer than a word has, as the low bytes of one.
template <class Word>
[[nodiscard]] inline Word read_tail(const char* from, std::size_t count) noexcept {
    Word word = 0;
    while (count-- > 0) word = static_cast<Word>((word << 8) | static_cast<unsigned char>(from[count]));
    return word;
}

}  // namespace weir::inline WEIR_ABI::detail
