#pragma once

// What programs with sockets have in common: coroutines on one-threaded contexts, and addresses from a command line.

#include <boost/asio.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

namespace examples {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using executor = asio::io_context::executor_type;  // by name: any_io_executor would cost an indirection per operation
using tcp_socket = asio::basic_stream_socket<tcp, executor>;
using tcp_acceptor = asio::basic_socket_acceptor<tcp, executor>;
using signal_set = asio::basic_signal_set<executor>;

template <class T = void>
using task = asio::awaitable<T, executor>;
inline constexpr asio::use_awaitable_t<executor> or_throw{};
inline constexpr asio::as_tuple_t<asio::use_awaitable_t<executor>> as_result{};  // the error first, then the rest

inline task<> pause(std::chrono::nanoseconds time) {
    using clock = std::chrono::steady_clock;
    const auto here = co_await asio::this_coro::executor;
    asio::basic_waitable_timer<clock, asio::wait_traits<clock>, executor> timer(here, time);
    co_await timer.async_wait(as_result);
}

/// Looks without taking. Positive: there is something to read; 0: the peer closed; negative: open and quiet.
inline ssize_t peek(tcp_socket& s) {
    char byte;
    const auto n = ::recv(s.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && errno != EAGAIN ? 0 : n;
}

/// Whether a connect failed for want of something on this machine, which says nothing about who should have answered.
inline bool is_local(error_code ec) {
    namespace errc = boost::system::errc;
    return ec == errc::too_many_files_open || ec == errc::too_many_files_open_in_system ||
           ec == errc::address_not_available || ec == errc::no_buffer_space || ec == errc::not_enough_memory;
}

/// The endpoints of HOST:PORT, where an IPv6 address has brackets; throws std::invalid_argument, in words.
inline std::vector<tcp::endpoint> resolve(const std::string& text) {
    const auto colon = text.rfind(':');
    auto host = text.substr(0, colon), port = colon == text.npos ? "" : text.substr(colon + 1);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    std::uint16_t number = 0;
    const auto [end, wrong] = std::from_chars(port.data(), port.data() + port.size(), number);
    const bool sound = !host.empty() && wrong == std::errc{} && end == port.data() + port.size();
    asio::io_context context;
    error_code ec;
    tcp::resolver::results_type found;
    if (sound) found = tcp::resolver(context).resolve(host, port, ec);
    if (!found.empty()) return {found.begin(), found.end()};
    throw std::invalid_argument("'" + text + "': expected HOST:PORT, with a host that resolves and a port up to 65535");
}

/// Listens on HOST:PORT, where port 0 takes a free one; throws std::invalid_argument, in words.
inline tcp_acceptor listen(asio::io_context& context, const std::string& text) {
    const auto at = resolve(text).front();
    try {
        return {context, at};
    } catch (const boost::system::system_error& wrong) {
        throw std::invalid_argument("'" + text + "': " + wrong.code().message() +
                                    "; expected a free address of this machine");
    }
}

/// Accepts until the acceptor is closed: `next()` gives whoever has the `context` to serve the next connection on, and
/// `serve(that one, socket)` is the task that does.
template <class Next, class Serve>
task<> accept(tcp_acceptor& door, Next next, Serve serve) {
    while (door.is_open()) {
        auto& server = next();
        auto [ec, socket] = co_await door.async_accept(server.context, as_result);
        if (!ec) co_spawn(server.context, serve(server, std::move(socket)), asio::detached);
        if (ec) co_await pause(std::chrono::milliseconds(50));  // out of file descriptors, most likely: let some end
    }
}

}  // namespace examples
