#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

namespace weir_test {

/// Texts of 64 bytes that all have one xxHash64 under the seed 0, and differ from each other: each of the four lanes of
/// the hash takes one word of each half, and for any first word there is a second that brings the lane to where it is
/// wanted. What an adversary sends who knows that nobody seeded the hash.
inline std::vector<std::string> colliding_texts(std::size_t count) {
    constexpr std::uint64_t p1 = 0x9e3779b185ebca87, p2 = 0xc2b2ae3d27d4eb4f;
    const auto inverse = [](std::uint64_t odd) {
        std::uint64_t x = odd;  // right in the lowest 3 bits; each step doubles them
        for (int i = 0; i < 5; ++i) x *= 2 - odd * x;
        return x;
    };
    const auto round = [](std::uint64_t lane, std::uint64_t word) { return std::rotl(lane + word * p2, 31) * p1; };
    const std::array<std::uint64_t, 4> start{p1 + p2, p2, 0, 0 - p1};
    const std::uint64_t wanted = 0x1234567890abcdef, reached = std::rotr(wanted * inverse(p1), 31);
    std::vector<std::string> texts;
    texts.reserve(count);
    for (std::uint64_t n = 0; n < count; ++n) {
        std::array<std::uint64_t, 8> words{};
        for (std::size_t lane = 0; lane < 4; ++lane) {
            words[lane] = n * 4 + lane;
            words[4 + lane] = (reached - round(start[lane], words[lane])) * inverse(p2);
        }
        std::string text;
        for (const std::uint64_t word : words)
            for (int i = 0; i < 64; i += 8) text.push_back(static_cast<char>(word >> i));
        texts.push_back(std::move(text));
    }
    return texts;
}

}  // namespace weir_test
