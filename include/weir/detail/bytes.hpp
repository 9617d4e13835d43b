#pragma once

#include "config.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace weir::inline WEIR_ABI::detail {

/// The last `count` bytes of a text, no more than a word has, as the low bytes of one, little-endian.
template <class Word>
[[nodiscard]] constexpr Word read_tail(const char* from, std::size_t count) noexcept {
    Word word = 0;
    while (count-- > 0) word = static_cast<Word>((word << 8) | static_cast<unsigned char>(from[count]));
    return word;
}

/// The word at `from`, little-endian, whatever the machine is.
template <class Word>
[[nodiscard]] constexpr Word read_little_endian(const char* from) noexcept {
    if (std::endian::native != std::endian::little || std::is_constant_evaluated())
        return read_tail<Word>(from, sizeof(Word));
    Word word = 0;
    std::memcpy(&word, from, sizeof word);
    return word;
}

}  // namespace weir::inline WEIR_ABI::detail
