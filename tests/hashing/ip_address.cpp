#include <weir/hashing/ip_address.hpp>

#include "catch.hpp"
#include "support/length.hpp"

#include <weir/random.hpp>

#include <string>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#define WEIR_TEST_HAS_INET_PTON
#include <arpa/inet.h>
#endif

using weir::ip_address;

namespace {

std::string hex(std::string_view text) {
    const auto address = ip_address::parse(text);
    if (!address) return "none";
    std::string all;
    for (const std::uint8_t byte : address->bytes())
        for (const int digit : {byte >> 4, byte & 15}) all += "0123456789abcdef"[digit];
    return all;
}

/// Texts near addresses: pieces of them in any order, then a few bytes changed at random.
std::string hostile(weir::generator& random) {
    static const std::vector<std::string> pieces{"0",     "1",     "9",    "10",         "99", "255",     "256",
                                                 "00",    "01",    "007",  "4294967296", "f",  "ffff",    "FFFF",
                                                 "10000", "abc",   "dead", "beef",       "g",  ":",       ":",
                                                 ":",     ":",     "::",   "::",         ".",  ".",       ".",
                                                 "%",     "/64",   "[",    "]",          " ",  "\t",      "-",
                                                 "+",     "0x",    "1e3",  "\xff",       "",   "1.2.3.4", "::1",
                                                 "ffff:", "ffff:", "0:0:"};
    std::string text;
    for (std::uint64_t n = random.below(12); n > 0; --n) text += pieces[random.below(pieces.size())];
    while (!text.empty() && random.below(4) == 0)
        text[random.below(text.size())] = static_cast<char>(random.below(256));
    return text;
}

/// A random address written in one of the ways that are allowed.
std::string well_formed(weir::generator& random) {
    static const char* const digits[] = {"0123456789abcdef", "0123456789ABCDEF"};
    std::string text;
    const auto v4 = [&] {
        for (int i = 0; i < 4; ++i) text += (i > 0 ? "." : "") + std::to_string(random.below(256) >> random.below(9));
    };
    if (random.below(4) == 0) {
        v4();
        return text;
    }
    const bool tail = random.below(4) == 0;
    const std::uint64_t groups = tail ? 6 : 8;
    std::uint64_t gap = random.below(2) == 0 ? random.below(groups) : groups, gap_size = 1 + random.below(groups);
    if (gap < groups) gap_size = std::min(gap_size, groups - gap);
    for (std::uint64_t g = 0; g < groups; ++g) {
        if (g == gap) {
            text += g == 0 ? "::" : ":";
            g += gap_size - 1;
            continue;
        }
        for (std::uint64_t n = 1 + random.below(4); n > 0; --n) text += digits[random.below(2)][random.below(16)];
        if (g + 1 < groups || tail) text += ":";
    }
    if (tail) v4();
    return text;
}

}  // namespace

TEST_CASE("what is an address is read") {
    CHECK(hex("0.0.0.0") == "00000000");
    CHECK(hex("192.0.2.7") == "c0000207");
    CHECK(hex("255.255.255.255") == "ffffffff");
    CHECK(hex("::") == "00000000000000000000000000000000");
    CHECK(hex("::1") == "00000000000000000000000000000001");
    CHECK(hex("2001:db8::") == "20010db8000000000000000000000000");
    CHECK(hex("2001:DB8::00a:B") == "20010db80000000000000000000a000b");
    CHECK(hex("1:2:3:4:5:6:7:8") == "00010002000300040005000600070008");
    CHECK(hex("::2:3:4:5:6:7:8") == "00000002000300040005000600070008");
    CHECK(hex("1:2:3:4:5:6:7::") == "00010002000300040005000600070000");
    CHECK(hex("1::8") == "00010000000000000000000000000008");
    CHECK(hex("::ffff:192.0.2.7") == "00000000000000000000ffffc0000207");
    CHECK(hex("1:2:3:4:5:6:192.0.2.7") == "000100020003000400050006c0000207");
    CHECK(hex("1234:5678:9abc:def0:1234:5678:255.255.255.255") == "123456789abcdef012345678ffffffff");
}

TEST_CASE("what is none is refused") {
    for (const char* const text : {"",
                                   " ",
                                   "1",
                                   "1.2",
                                   "1.2.3",
                                   "1.2.3.",
                                   ".1.2.3",
                                   "1.2.3.4.",
                                   "1.2.3.4.5",
                                   "1..3.4",
                                   "1.2.3.256",
                                   "1.2.3.04",
                                   "01.2.3.4",
                                   "1.2.3.00",
                                   "1.2.3.-4",
                                   "1.2.3.+4",
                                   "1.2.3.4 ",
                                   " 1.2.3.4",
                                   "1.2.3.4\n",
                                   "0x1.2.3.4",
                                   "1.2.3.1e0",
                                   "1.2.3.4:80",
                                   "1.2.3.4/24",
                                   "999999999999.1.1.1",
                                   "4294967297.1.1.1",
                                   "3232235777",
                                   "1.2.3.4294967300",
                                   ":",
                                   ":::",
                                   "1",
                                   "1:",
                                   ":1",
                                   "1:2",
                                   "1:2:3:4:5:6:7",
                                   "1:2:3:4:5:6:7:",
                                   ":1:2:3:4:5:6:7",
                                   "1:2:3:4:5:6:7:8:",
                                   "1:2:3:4:5:6:7:8:9",
                                   "1:2:3:4:5:6:7:8::",
                                   "::1:2:3:4:5:6:7:8",
                                   "1::2::3",
                                   "1:::2",
                                   "::1::",
                                   "12345::",
                                   "::g",
                                   "1:2:3:4:5:6:7:1.2.3.4",
                                   "::1.2.3",
                                   "::1.2.3.4:5",
                                   "::1.2.3.4.5",
                                   "::01.2.3.4",
                                   "::a.2.3.4",
                                   "1.2.3.4::",
                                   "::1%eth0",
                                   "[::1]",
                                   "::1/128",
                                   "::1 ",
                                   "fe80::1%1",
                                   "::ffff:1.2.3.256",
                                   "localhost",
                                   "unix:",
                                   "0000:0000:0000:0000:0000:0000:0000:0000:0000"}) {
        INFO(text);
        CHECK_FALSE(ip_address::parse(text));
    }
    CHECK_FALSE(ip_address::parse(std::string_view{"1.2.3.4\0", 8}));
    CHECK_FALSE(ip_address::parse(std::string_view{"1.2.\0.4", 7}));
    CHECK_FALSE(ip_address::parse(std::string(1'000'000, '1')));
    CHECK_FALSE(ip_address::parse(std::string(1'000'000, ':')));
    CHECK_FALSE(ip_address::parse(std::string(46, ':')));
    static_assert(ip_address::parse("1.2.3.4"));
    static_assert(!ip_address::parse("1.2.3"));
    static_assert(noexcept(ip_address::parse(std::string_view{})));
}

#ifdef WEIR_TEST_HAS_INET_PTON
TEST_CASE("hostile bytes: read exactly where inet_pton reads, and alike") {
    weir::generator random{1};
    int read = 0, refused = 0, different = 0;
    for (std::uint64_t i = weir_test::repetitions(400'000); i > 0; --i) {
        // On the heap and of the exact size, so that a sanitizer sees a read beyond the end.
        const std::string text = i % 2 == 0 ? hostile(random) : well_formed(random);
        const std::vector<char> exact(text.begin(), text.end());
        const auto ours = ip_address::parse({exact.data(), exact.size()});
        unsigned char theirs[16];
        int size = 0;
        if (text.find('\0') == std::string::npos)  // which would end the text there
            size = inet_pton(AF_INET, text.c_str(), theirs) == 1    ? 4
                   : inet_pton(AF_INET6, text.c_str(), theirs) == 1 ? 16
                                                                    : 0;
        const bool same = ours ? std::equal(ours->bytes().begin(), ours->bytes().end(), theirs, theirs + size)
                               : size == 0;
        if (!same) UNSCOPED_INFO("\"" << text << "\"");
        different += same ? 0 : 1;
        (ours ? read : refused) += 1;
    }
    CHECK(different == 0);
    CHECK(read > refused / 4);
    CHECK(refused > read / 4);
}
#endif

TEST_CASE("a network keeps its first bits, whatever their number") {
    const auto v4 = *ip_address::parse("255.255.255.255"),
               v6 = *ip_address::parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    for (const auto& address : {v4, v6})
        for (unsigned bits = 0; bits <= 140; ++bits) {
            const auto network = address.network(bits);
            unsigned ones = 0;
            bool ended = false;
            for (const std::uint8_t byte : network.bytes())
                for (int bit = 7; bit >= 0; --bit) {
                    const bool one = (byte >> bit & 1) != 0;
                    CHECK_FALSE((one && ended));
                    ended = ended || !one;
                    ones += one ? 1 : 0;
                }
            CHECK(ones == std::min<unsigned>(bits, address.is_v4() ? 32 : 128));
        }
    CHECK(ip_address::parse("10.1.255.3")->network(12) == *ip_address::parse("10.0.0.0"));
    CHECK(ip_address::parse("2001:db8:1234:56ff::9")->network(56) == *ip_address::parse("2001:db8:1234:5600::"));
}

TEST_CASE("only IPv4-mapped addresses are unmapped") {
    CHECK(ip_address::parse("::ffff:192.0.2.7")->unmapped() == *ip_address::parse("192.0.2.7"));
    for (const char* const text :
         {"192.0.2.7", "::192.0.2.7", "::fffe:192.0.2.7", "1::ffff:192.0.2.7", "64:ff9b::192.0.2.7"})
        CHECK(ip_address::parse(text)->unmapped() == *ip_address::parse(text));
    CHECK(ip_address{std::array<std::uint8_t, 4>{1, 2, 3, 4}} == *ip_address::parse("1.2.3.4"));
    CHECK_FALSE(*ip_address::parse("0.0.0.0") == *ip_address::parse("::"));
}
