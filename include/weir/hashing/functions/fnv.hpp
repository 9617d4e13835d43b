#pragma once

#include "../hash_function.hpp"

namespace weir::inline WEIR_ABI {

namespace detail {

/// Fowler, Noll, Vo: a multiplication and an exclusive or for each byte; `XorFirst` makes it FNV-1a.
template <class Word, Word Basis, Word Prime, bool XorFirst>
struct fnv {
    Word seed = 0;  ///< changes the state before the first byte

    [[nodiscard]] constexpr Word operator()(std::string_view text) const noexcept {
        Word state = Basis ^ seed;
        for (const char c : text) {
            const auto byte = static_cast<unsigned char>(c);
            state = XorFirst ? static_cast<Word>((state ^ byte) * Prime) : static_cast<Word>(state * Prime) ^ byte;
        }
        return state;
    }
    bool operator==(const fnv&) const = default;
};

}  // namespace detail

// No avalanche: the last byte of a text reaches few of the upper bits. Raw FNV as the score of a rendezvous draw sends
// nearly everything to one member.
using fnv1_32 = detail::fnv<std::uint32_t, 0x811c9dc5, 0x01000193, false>;
using fnv1_64 = detail::fnv<std::uint64_t, 0xcbf29ce484222325, 0x00000100000001b3, false>;
using fnv1a_32 = detail::fnv<std::uint32_t, 0x811c9dc5, 0x01000193, true>;
using fnv1a_64 = detail::fnv<std::uint64_t, 0xcbf29ce484222325, 0x00000100000001b3, true>;

static_assert(hash_function<fnv1_32> && hash_function<fnv1_64> && hash_function<fnv1a_32> && hash_function<fnv1a_64>);

}  // namespace weir::inline WEIR_ABI
