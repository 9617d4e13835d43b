// Checks over sockets: the probes of weir/asio, on a context that the program has anyway.

#include <weir/asio/async_drain.hpp>
#include <weir/asio/http_probe.hpp>
#include <weir/asio/probe_runner.hpp>
#include <weir/weir.hpp>

#include <boost/asio.hpp>

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

struct server {
    std::string host;
    std::vector<tcp::endpoint> endpoints;
};
std::string identity(const server& s) { return s.host; }

// [own
struct greeting_probe {  // passes if a + comes first
    asio::awaitable<weir::probe_result> operator()(weir::probe_target& target) const {
        tcp::socket socket{co_await asio::this_coro::executor};
        co_await asio::async_connect(socket, target.endpoints, asio::use_awaitable);  // what throws has failed
        char first = 0;
        co_await asio::async_read(socket, asio::buffer(&first, 1), asio::use_awaitable);
        co_return first == '+' ? weir::probe_result::passed : weir::probe_result::failed;
    }
};
// own]
static_assert(weir::endpoint_probe<greeting_probe>);

/// Some server, of which the checks know nothing.
asio::awaitable<void> serve(tcp::acceptor& door) {
    for (std::string in;; in.clear()) {
        auto socket = co_await door.async_accept(asio::use_awaitable);
        co_await asio::async_read_until(socket, asio::dynamic_buffer(in), "\r\n\r\n", asio::use_awaitable);
        const std::string out = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        co_await asio::async_write(socket, asio::buffer(out), asio::use_awaitable);
    }
}

asio::awaitable<void> replace(weir::registry<server>& servers, weir::backend_id id) {
    // [drain
    const weir::drained end = co_await weir::async_drain(servers, id, 30s);  // idle, or out of patience: end.how tells
    servers.remove(end.id);
    // drain]
}

int main() {
    asio::io_context context;
    tcp::acceptor door{context, {asio::ip::address_v4::loopback(), 0}};
    tcp::socket nobody{context, {asio::ip::address_v4::loopback(), 0}};  // a port, where nobody listens
    asio::co_spawn(context, serve(door), asio::detached);

    weir::registry<server> servers;
    const auto up = servers.add({"up", {door.local_endpoint()}});
    const auto down = servers.add({"down", {nobody.local_endpoint()}});

    // [runner
    weir::active_checker checker{servers, {.interval = 2s, .timeout = 500ms, .fast_interval = 200ms}};
    weir::http_probe healthy{{.target = "/health", .host = "shop.example", .statuses = {200, 204}, .body = "ok"}};
    weir::probe_runner checks{context.get_executor(), servers, checker, healthy,
                              [](const server& s) { return s.endpoints; }};
    // runner]

    const auto state = [&](weir::backend_id id) {
        const auto s = checker.status(id);
        return s ? s->state : weir::check_state::unknown;
    };
    while (state(up) == weir::check_state::unknown ||
           !servers.inspect(down)->conditions.has(weir::condition::failed_check))
        context.run_one();
    for (const auto& m : servers.members())
        std::printf("%s: %s\n", m.identity.c_str(), m.eligible ? "in" : to_string(m.conditions).c_str());

    asio::co_spawn(context, replace(servers, up), asio::detached);
    while (servers.size() == 2) context.run_one();
    return state(up) == weir::check_state::up && !servers.inspect(up) ? 0 : 1;
}
