#pragma once

// Sockets with a sense of time. A timer per operation costs more than the operation, so none has one: each stream knows
// until when it may wait, and one coarse tick per thread cancels what is overdue.

#include <boost/asio.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/intrusive/list.hpp>

#include <sys/socket.h>

namespace tiny_proxy {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;
using ms = std::chrono::milliseconds;
using clock = std::chrono::steady_clock;
using when = clock::time_point;
inline when after(unsigned milliseconds) { return clock::now() + ms(milliseconds); }
using executor = asio::io_context::executor_type;  // by name: any_io_executor would cost an indirection per operation
using socket = asio::basic_stream_socket<tcp, executor>;
using timer = asio::basic_waitable_timer<clock, asio::wait_traits<clock>, executor>;
template <class T = void>
using task = asio::awaitable<T, executor>;
inline constexpr asio::as_tuple_t<asio::use_awaitable_t<executor>> as_result{};
using hook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// One operation at a time.
struct stream : hook {
    using list = boost::intrusive::list<stream, boost::intrusive::constant_time_size<false>>;

    stream(list& streams, socket s) : sock(std::move(s)) { streams.push_back(*this); }
    std::string_view bytes() const { return {static_cast<const char*>(in.data().data()), in.size()}; }

    /// Appends what arrives to `in`.
    task<error_code> read(when limit) {
        if (aborted) co_return asio::error::operation_aborted;
        until = limit;
        auto [ec, n] = co_await sock.async_read_some(in.prepare(16 * 1024), as_result);
        until = when::max();
        in.commit(n);
        received += n;
        co_return ec;
    }

    task<error_code> write(std::string_view out, when limit) {
        if (aborted) co_return asio::error::operation_aborted;
        until = limit;
        auto [ec, n] = co_await asio::async_write(sock, asio::buffer(out), as_result);
        until = when::max();
        sent += n;
        co_return ec;
    }

    task<error_code> connect(const std::vector<tcp::endpoint>& endpoints, when limit) {
        error_code ec = asio::error::host_not_found, ignored;
        until = limit;
        for (auto at = endpoints.begin(); ec && at != endpoints.end() && !expired && !aborted; ++at) {
            sock.close(ignored);
            std::tie(ec) = co_await sock.async_connect(*at, as_result);
        }
        until = when::max();
        if (!ec) sock.set_option(tcp::no_delay(true), ignored);
        co_return ec;
    }

    /// Ends what waits, and what would wait later.
    void abort() {
        error_code ignored;
        aborted = true;
        sock.cancel(ignored);
    }

    /// What the tick asks of every stream.
    void check(when now) {
        error_code ignored;
        if (now >= until) expired = true;
        bool stop = now >= until;
        if (works_for_us != nullptr && peek(sock) == 0) {
            left = true;
            works_for_us->abort();
        } else if (works_for_us != nullptr && works_for_us->uploading && peek(works_for_us->sock) >= 0) {
            works_for_us->sock.cancel(ignored);  // answered already: nobody needs the rest of the request
            stop = true;
        }
        if (stop) sock.cancel(ignored);
    }

    /// Looks without taking. Positive: there is something to read; 0: the peer closed; negative: open and quiet.
    static ssize_t peek(socket& s) {
        char byte;
        const auto n = ::recv(s.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        return n < 0 && errno != EAGAIN ? 0 : n;
    }

    socket sock;
    boost::beast::flat_buffer in;
    when until = when::max();
    std::uint64_t received = 0, sent = 0;
    stream* works_for_us = nullptr;  // the backend's stream, which nobody needs once this client is gone
    bool idle = false, uploading = false, expired = false, left = false, aborted = false;
};

}  // namespace tiny_proxy
