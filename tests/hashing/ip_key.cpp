#include <weir/hashing/ip_key.hpp>

#include "catch.hpp"

#include <stdexcept>

using weir::ip_key;
using namespace std::string_view_literals;

TEST_CASE("a key is the hash of the network's bytes, which anybody may compute") {
    CHECK(ip_key("192.0.2.7") == weir::hash("\xc0\x00\x02\x07"sv));
    CHECK(ip_key("192.0.2.7", 24) == weir::hash("\xc0\x00\x02\x00"sv));
    CHECK(ip_key("2001:db8::1") == weir::hash("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"sv));
    CHECK(ip_key("2001:db8:0:12ff::1", {24, 56}) == weir::hash("\x20\x01\x0d\xb8\0\0\x12\0\0\0\0\0\0\0\0\0"sv));
    CHECK(ip_key(*weir::ip_address::parse("192.0.2.7")) == ip_key("192.0.2.7"));
}

TEST_CASE("clients of one network have one key, those of others have others") {
    CHECK(ip_key("10.1.2.3", {24, 56}) == ip_key("10.1.2.250", {24, 56}));
    CHECK(ip_key("10.1.2.3", {24, 56}) != ip_key("10.1.3.3", {24, 56}));
    CHECK(ip_key("2001:db8:1:200::1", {24, 56}) == ip_key("2001:db8:1:2ff:1:2:3:4", {24, 56}));
    CHECK(ip_key("2001:db8:1:200::1", {24, 56}) != ip_key("2001:db8:1:300::1", {24, 56}));
    CHECK(ip_key("2001:db8:1:200::1") != ip_key("2001:db8:1:200::2"));
    CHECK(ip_key("::ffff:10.1.2.3", {24, 56}) == ip_key("10.1.2.99", {24, 56}));
    CHECK(ip_key("::10.1.2.3") != ip_key("10.1.2.3"));
}

TEST_CASE("what is no address has no key") {
    CHECK_FALSE(ip_key(""));
    CHECK_FALSE(ip_key("unix:"));
    CHECK_FALSE(ip_key("10.1.2.3:80"));
}

TEST_CASE("prefixes out of range are refused with the bound") {
    CHECK_THROWS_WITH(weir::ip_prefix(0), "weir: ip_prefix: 0 bits of IPv4 are not 1 to 32");
    CHECK_THROWS_WITH(weir::ip_prefix(33), "weir: ip_prefix: 33 bits of IPv4 are not 1 to 32");
    CHECK_THROWS_WITH(weir::ip_prefix(-8), "weir: ip_prefix: -8 bits of IPv4 are not 1 to 32");
    CHECK_THROWS_WITH(weir::ip_prefix(24, 0), "weir: ip_prefix: 0 bits of IPv6 are not 1 to 128");
    CHECK_THROWS_AS(weir::ip_prefix(24, 129), std::invalid_argument);
    CHECK_NOTHROW(weir::ip_prefix(1, 1));
    CHECK_NOTHROW(weir::ip_prefix(32, 128));
}
