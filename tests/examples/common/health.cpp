#ifndef TINY_PROXY
#include "catch.hpp"
TEST_CASE("the examples are not built, so their health is not tested") { WARN("build the examples for these tests"); }
#else
#include "../../../examples/common/health.hpp"

#include "catch.hpp"
#include "support/loopback.hpp"

#include <array>
#include <cerrno>
#include <map>
#include <string>

namespace {

using boost::system::error_code;
using weir_test::asio::ip::tcp;

/// Its queue is full, so that it neither accepts nor refuses: a connect to it waits.
class silent_door {
public:
    explicit silent_door(weir_test::asio::io_context& context)
        : door_{context}, filling_{tcp::socket{context}, tcp::socket{context}} {
        const tcp::endpoint any{weir_test::asio::ip::address_v4::loopback(), 0};
        door_.open(any.protocol());
        door_.bind(any);
        door_.listen(0);
        for (auto& one : filling_) one.async_connect(endpoint(), [](const error_code&) {});
    }
    tcp::endpoint endpoint() const { return door_.local_endpoint(); }

private:
    tcp::acceptor door_;
    std::array<tcp::socket, 2> filling_;
};

}  // namespace

TEST_CASE("who is unreachable is tried once at a time, and again and again") {
    weir_test::asio::io_context context{1};
    const silent_door silent{context};
    const weir_test::closed_door closed{context};
    weir::registry<std::string> servers;
    for (const std::string name : {"silent", "closed"}) servers.set(servers.add(name), weir::condition::unreachable);
    std::map<std::string, int> tries;
    const auto endpoints_of = [&](const std::string& name) {
        ++tries[name];
        return std::vector<tcp::endpoint>{name == "silent" ? silent.endpoint() : closed.endpoint()};
    };
    examples::health_settings set;
    set.connect_ms = 60'000;
    const examples::health<std::string> checks{context.get_executor(), servers, set, endpoints_of};
    weir_test::run_until(context, [&] { return tries["closed"] == 4; });
    CHECK(tries["silent"] == 1);
    for (const auto& m : servers.members()) CHECK(m.conditions.has(weir::condition::unreachable));
}

TEST_CASE("what this machine lacks is told from what a backend does") {
    const auto local = [](int number) { return examples::is_local({number, boost::system::system_category()}); };
    for (const int number : {EMFILE, ENFILE, EADDRNOTAVAIL, ENOBUFS, ENOMEM}) CHECK(local(number));
    for (const int number : {0, ECONNREFUSED, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ECANCELED})
        CHECK_FALSE(local(number));
}
#endif
