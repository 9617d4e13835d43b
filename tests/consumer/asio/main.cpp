#include <boost/asio/io_context.hpp>
#include <boost/version.hpp>
#include <weir/asio/async_drain.hpp>
#include <weir/asio/http_probe.hpp>
#include <weir/asio/probe_runner.hpp>
#include <weir/asio/tcp_probe.hpp>

#include <string>
#include <vector>

static_assert(BOOST_VERSION >= 108100, "weir::asio promises Boost 1.81");

int main() {
    boost::asio::io_context context;
    weir::registry<std::string> nobody;
    weir::active_checker checker{nobody};
    weir::probe_runner runner{context.get_executor(), nobody, checker, weir::http_probe{},
                              [](const std::string&) { return std::vector<boost::asio::ip::tcp::endpoint>{}; }};
    runner.stop();
    return static_cast<int>(runner.probing());
}
