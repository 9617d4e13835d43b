#include <weir/hashing/functions/md5.hpp>

#include "catch.hpp"
#include "support/vectors.hpp"

#include <iomanip>
#include <sstream>

TEST_CASE("md5: every row of other implementations' answers") {
    int rows = 0;
    for (const auto& row : weir_test::vector_rows("hash_functions.csv")) {
        if (row[0] != "md5") continue;
        INFO("input " << row[2]);
        std::ostringstream digest;
        for (const unsigned char byte : weir::md5{}.of(weir_test::bytes_of_hex(row[2])))
            digest << std::hex << std::setfill('0') << std::setw(2) << int{byte};
        CHECK(digest.str() == row[3]);
        ++rows;
    }
    CHECK(rows == 45);
}

TEST_CASE("md5 as a function gives the first bytes of its digest, little-endian") {
    // d41d8cd98f00b204 e9800998ecf8427e
    CHECK(weir::md5{}("") == 0x04b2008fd98c1dd4);
    CHECK(weir::md5{}.word<std::uint32_t>("") == 0xd98c1dd4);
}

TEST_CASE("a seed goes before the text, as 8 bytes") {
    CHECK(weir::md5{0x6867666564636261}("text") == weir::md5{}("abcdefghtext"));
    CHECK(weir::md5{1} != weir::md5{2});
}
