#pragma once

#include "../hash.hpp"

#include <concepts>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace weir::inline WEIR_ABI {

/// A hash of text as a value: its seed is what it holds. The exemplar, complete:
///
///     struct my_hash {
///         using is_avalanching = void;  // only if each bit of the text reaches every bit of the result
///         std::uint64_t seed = 0;
///         std::uint64_t operator()(std::string_view text) const noexcept;
///         bool operator==(const my_hash&) const = default;
///     };
///
/// Models: xxh64, murmur2_64a, murmur3_32, murmur3_128, siphash_2_4, and, without avalanche, crc32, crc32c, the FNV
/// family, one_at_a_time, sdbm, djb2, wt6. In hashing/functions/md5.hpp, which needs a library: md5.
template <class H>
concept hash_function = std::copyable<H> && std::default_initializable<H> && std::equality_comparable<H> &&
                        requires(const H& h, std::string_view text) {
                            { h(text) } noexcept -> std::unsigned_integral;
                            requires std::unsigned_integral<decltype(H::seed)>;
                        };

namespace detail {

/// The function with another seed, of which a narrow one takes the low bits.
template <hash_function H>
[[nodiscard]] H seeded(std::uint64_t seed) noexcept {
    H h{};
    h.seed = static_cast<decltype(h.seed)>(seed);
    return h;
}

}  // namespace detail

/// Each bit of the text reaches every bit of the result with a chance of about one half.
template <hash_function H>
inline constexpr bool is_avalanching = requires { typename H::is_avalanching; };

/// The hash of text by a function of one's choice, as a key: mixed here where the function does not avalanche, or has
/// fewer than 64 bits.
template <hash_function H>
[[nodiscard]] std::uint64_t hash(std::string_view text, const H& h) noexcept {
    if constexpr (is_avalanching<H> && sizeof(h(text)) == sizeof(std::uint64_t))
        return h(text);
    else
        return mix(h(text));
}

}  // namespace weir::inline WEIR_ABI
