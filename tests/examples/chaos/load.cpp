#ifndef TINY_PROXY
#include "catch.hpp"
TEST_CASE("the examples are not built, so their load is not tested") { WARN("build the examples for these tests"); }
#else
#include "../../../examples/chaos/scenario.hpp"

#include "catch.hpp"

using namespace std::chrono_literals;

namespace {

/// Connections are made by the system, and nobody answers.
struct silence {
    boost::asio::io_context context;
    boost::asio::ip::tcp::acceptor door{context, {boost::asio::ip::address_v4::loopback(), 0}};
    std::uint16_t port() const { return door.local_endpoint().port(); }
};

}  // namespace

TEST_CASE("a load that nobody waits for ends without sending the rest") {
    const silence nobody;
    const chaos::load given_up({.port = nobody.port(), .requests = 1'000'000});
    CHECK(given_up.done() == 0);
}

TEST_CASE("a load that gets no answer stands still, however often it hangs up") {
    const silence nobody;
    chaos::load l({.port = nobody.port(), .requests = 1'000'000, .patience = 1ms, .stillness = 200ms});
    CHECK_THROWS_WITH(l.finish(), "the load stands still");
    CHECK(l.done() > 0);
}

TEST_CASE("where there was no request, no figure is held") {
    const chaos::account none(std::vector<chaos::request>{});
    chaos::figures table(true);
    table.time("the 99th percentile of nothing", 1000ms, none.p99 / 1000);
    CHECK_FALSE(table.held());
}

TEST_CASE("a figure is held at what was asked, and not beyond") {
    const auto held = [](auto judge) {
        chaos::figures table(true);
        judge(table);
        return table.held();
    };
    CHECK(held([](auto& t) { t.exactly("left", 4, 4), t.at_least("left", 4, 4), t.count("left", 4, 4); }));
    CHECK_FALSE(held([](auto& t) { t.exactly("left", 4, 0); }));
    CHECK_FALSE(held([](auto& t) { t.at_least("left", 4, 3); }));
    CHECK_FALSE(held([](auto& t) { t.count("left", 4, 5); }));
}
#endif
