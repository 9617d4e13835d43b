#include <weir/hashing/session_key.hpp>

#include "catch.hpp"

#include <set>
#include <string>

using weir::session_key;

namespace {

const std::string secret = "a secret of 16 or more bytes";

}  // namespace

TEST_CASE("a token is 16 hexadecimal digits that read back as the hash") {
    const session_key key{secret};
    std::set<std::string> tokens;
    for (int i = 0; i < 1000; ++i) {
        const std::string name = "10.0.0." + std::to_string(i) + ":80";
        const std::string token = key.token(name);
        CHECK(token.size() == session_key::digits);
        CHECK(token.find_first_not_of("0123456789abcdef") == std::string::npos);
        CHECK(session_key::parse(token) == key.hash(name));
        tokens.insert(token);
    }
    CHECK(tokens.size() == 1000);
}

TEST_CASE("processes with the same secret understand each other, in every version; others do not") {
    const session_key key{secret}, same{secret}, other{secret + "."}, own = session_key::random();
    CHECK(key == same);
    CHECK(key.token("a") == same.token("a"));
    CHECK(key.token("a") == "64388a738ee5a1ba");  // a golden value: tokens outlive processes
    CHECK_FALSE(key == other);
    CHECK(key.token("a") != other.token("a"));
    CHECK(key.token("a") != own.token("a"));
    CHECK_FALSE(own == session_key::random());
    // A long secret counts to its end.
    CHECK_FALSE(session_key{std::string(1000, 'x') + 'a'} == session_key{std::string(1000, 'x') + 'b'});
}

TEST_CASE("what is no token is not read as one") {
    for (const char* text : {"", "0", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "0123456789abcdeg",
                             " 123456789abcdef", "0123456789abcde ", "+123456789abcdef", "-123456789abcdef",
                             "0x23456789abcdef", "0123456789abcd\xc3\xa9", "0123456789abcde\n"})
        CHECK_FALSE(session_key::parse(text));
    CHECK_FALSE(session_key::parse(std::string_view{"0123456789abcde\0", 16}));
    CHECK(session_key::parse("0123456789abcdef") == 0x0123456789abcdef);
    CHECK(session_key::parse("ffffffffffffffff") == ~std::uint64_t{0});
    CHECK(session_key::parse("0000000000000000") == 0u);
}

TEST_CASE("a secret that is too short is refused in words") {
    CHECK_THROWS_WITH(session_key{"short"}, "weir: session_key: a secret of 5 bytes is shorter than 16");
    CHECK_THROWS_AS(session_key{""}, std::invalid_argument);
    CHECK_NOTHROW(session_key{"0123456789abcdef"});
}
