#pragma once

#include "../hash_function.hpp"

#include <array>

namespace weir::inline WEIR_ABI {

namespace detail {

/// The cyclic redundancy check of the bit-reversed polynomial `Polynomial`, a byte at a time.
template <std::uint32_t Polynomial>
struct crc32_of {
    /// The CRC of what came before: 0 for a start, as in zlib. Shifts all results of one length alike, so that it is no
    /// defence: texts of one length that collide do so under every seed.
    std::uint32_t seed = 0;

    [[nodiscard]] constexpr std::uint32_t operator()(std::string_view text) const noexcept {
        std::uint32_t crc = ~seed;
        for (const char byte : text) crc = (crc >> 8) ^ table[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
        return ~crc;
    }
    bool operator==(const crc32_of&) const = default;

    /// The product of two polynomials modulo this one, with the coefficient of 1 in the top bit.
    [[nodiscard]] static constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) noexcept {
        std::uint32_t product = 0;
        for (; a != 0; a <<= 1) {
            if ((a >> 31) != 0) product ^= b;
            b = times_x(b);
        }
        return product;
    }
    /// x^(8 bytes): `multiply(crc(a), shift(size of b)) ^ crc(b)` is the CRC of a and b in one.
    [[nodiscard]] static constexpr std::uint32_t shift(std::uint64_t bytes) noexcept {
        std::uint32_t result = one, square = one >> 8;
        for (; bytes != 0; bytes >>= 1) {
            if ((bytes & 1) != 0) result = multiply(result, square);
            square = multiply(square, square);
        }
        return result;
    }

private:
    static constexpr std::uint32_t one = std::uint32_t{1} << 31;
    static constexpr std::uint32_t times_x(std::uint32_t p) noexcept {
        return (p >> 1) ^ ((p & 1) != 0 ? Polynomial : 0);
    }
    static constexpr std::array<std::uint32_t, 256> table = [] {
        std::array<std::uint32_t, 256> all{};
        for (std::uint32_t byte = 0; byte < 256; ++byte) {
            std::uint32_t crc = byte;
            for (int bit = 0; bit < 8; ++bit) crc = times_x(crc);
            all[byte] = crc;
        }
        return all;
    }();
};

}  // namespace detail

/// CRC-32 as in zlib, Ethernet and nginx (IEEE 802.3). Finds errors; it does not avalanche.
struct crc32 : detail::crc32_of<0xedb88320> {
    constexpr explicit crc32(std::uint32_t before = 0) noexcept : crc32_of{before} {}
};
/// CRC-32C, Castagnoli's polynomial. Finds errors; it does not avalanche.
struct crc32c : detail::crc32_of<0x82f63b78> {
    constexpr explicit crc32c(std::uint32_t before = 0) noexcept : crc32_of{before} {}
};

static_assert(hash_function<crc32> && hash_function<crc32c>);

}  // namespace weir::inline WEIR_ABI
