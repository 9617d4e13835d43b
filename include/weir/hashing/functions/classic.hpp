#pragma once

#include "../hash_function.hpp"

#include <bit>

// What HAProxy's `hash-type` offers beside CRC-32. None of them avalanches.
namespace weir::inline WEIR_ABI {

/// The hash of the sdbm database library, HAProxy's default.
struct sdbm {
    std::uint32_t seed = 0;

    [[nodiscard]] constexpr std::uint32_t operator()(std::string_view text) const noexcept {
        std::uint32_t h = seed;
        for (const char c : text) h = h * 65599 + static_cast<unsigned char>(c);
        return h;
    }
    bool operator==(const sdbm&) const = default;
};

/// Dan Bernstein's times 33.
struct djb2 {
    std::uint32_t seed = 0;  ///< added to the start, 5381

    [[nodiscard]] constexpr std::uint32_t operator()(std::string_view text) const noexcept {
        std::uint32_t h = 5381 + seed;
        for (const char c : text) h = h * 33 + static_cast<unsigned char>(c);
        return h;
    }
    bool operator==(const djb2&) const = default;
};

/// HAProxy's own: two halves, rotated by amounts that depend on the text.
struct wt6 {
    std::uint32_t seed = 0;  ///< changes the first half of the start

    [[nodiscard]] constexpr std::uint32_t operator()(std::string_view text) const noexcept {
        std::uint32_t left = 0xa53c965a ^ seed, right = 0x5ca6953a;
        int left_turn = 18, right_turn = 6;
        for (const char c : text) {
            const auto byte = static_cast<unsigned char>(c);
            left = ~(left ^ byte);
            right = ~(right + byte);
            const std::uint32_t turned = std::rotl(right, right_turn);
            right = std::rotl(left, left_turn);
            left = turned;
            const std::uint32_t next = ((left >> 16) ^ right) & 0xffff;
            right_turn = static_cast<int>(next & 31);
            left_turn = static_cast<int>(next >> 11);
        }
        return left ^ right;
    }
    bool operator==(const wt6&) const = default;
};

static_assert(hash_function<sdbm> && hash_function<djb2> && hash_function<wt6>);

}  // namespace weir::inline WEIR_ABI
