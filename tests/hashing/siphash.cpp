#include <weir/hashing/siphash.hpp>

#include "catch.hpp"
#include "support/vectors.hpp"

#include <string>

using weir::siphash;
using weir::siphash_key;

namespace {

siphash_key key_of(const std::string& hex) {
    siphash_key key;
    for (std::size_t i = 0; i < 16; ++i) {
        const std::uint64_t byte = std::stoul(hex.substr(2 * i, 2), nullptr, 16);
        (i < 8 ? key.low : key.high) |= byte << (8 * (i % 8));
    }
    return key;
}

}  // namespace

TEST_CASE("siphash is SipHash-2-4: the answers of another implementation, for every length up to 63 and beyond") {
    int rows = 0;
    for (const auto& row : weir_test::vector_rows("siphash24.csv")) {
        std::string text;
        for (std::size_t i = 0; i < std::stoul(row[1]); ++i) text += static_cast<char>(i);
        INFO("key " << row[0] << ", " << row[1] << " bytes");
        CHECK(siphash(text, key_of(row[0])) == std::stoull(row[2], nullptr, 16));
        ++rows;
    }
    CHECK(rows == 94);
}

static_assert(siphash("", {0x0706050403020100, 0x0f0e0d0c0b0a0908}) == 0x726fdb47dd0e0e31);
