#pragma once

// Sockets with a sense of time. A timer per operation costs more than the operation, so none has one: each stream knows
// how long it may wait, and one coarse tick per thread cancels what is overdue.

#include "gate.hpp"

#include <boost/asio.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/intrusive/list.hpp>

#include <sys/socket.h>

namespace tiny_proxy {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using namespace std::chrono_literals;
using executor = asio::io_context::executor_type;  // by name: any_io_executor would cost an indirection per operation
using socket = asio::basic_stream_socket<tcp, executor>;
using timer = asio::basic_waitable_timer<clock, asio::wait_traits<clock>, executor>;
template <class T = void>
using task = asio::awaitable<T, executor>;
inline constexpr asio::as_tuple_t<asio::use_awaitable_t<executor>> as_result{};
inline constexpr unsigned forever = UINT_MAX;  // ms: 49 days

/// The time that one direction may spend waiting. Only waiting counts, and only real progress buys more of it: a peer
/// that trickles is as late as one that is silent.
struct allowance {
    void grant(unsigned ms) {
        left = milliseconds(full = ms);
        started = clock::now();
        progress = 0;
    }
    void begin() {
        waiting = true;
        started = clock::now();
    }
    void end(std::size_t moved) {
        waiting = false;
        left -= clock::now() - started;
        if ((progress += moved) >= 4096) grant(full);  // bytes: less than any modem moves, more than any trickle
    }
    bool overdue(clock::time_point now) { return waiting && now - started >= left && (expired = true); }

    unsigned full = forever;
    clock::duration left = milliseconds(forever);
    clock::time_point started;
    std::size_t progress = 0;
    bool waiting = false, expired = false;
};

using hook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

class stream : public hook {
public:
    using list = boost::intrusive::list<stream, boost::intrusive::constant_time_size<false>>;

    stream(list& streams, socket s) : sock(std::move(s)) { streams.push_back(*this); }

    std::string_view bytes() const { return {static_cast<const char*>(in.data().data()), in.size()}; }
    bool expired() const { return rx.expired || tx.expired; }

    /// Appends what arrives to `in`.
    task<error_code> read() {
        if (aborted) co_return asio::error::operation_aborted;
        rx.begin();
        auto [ec, n] = co_await sock.async_read_some(in.prepare(16 * 1024), as_result);
        rx.end(n);
        in.commit(n);
        received += n;
        co_return ec;
    }

    task<error_code> write(std::string_view out) {
        error_code ec;
        while (!out.empty() && !ec) {
            if (aborted) co_return asio::error::operation_aborted;
            tx.begin();
            std::size_t n = 0;
            std::tie(ec, n) = co_await sock.async_write_some(asio::buffer(out), as_result);
            tx.end(n);
            sent += n;
            out.remove_prefix(n);
        }
        co_return ec;
    }

    task<error_code> connect(const std::vector<tcp::endpoint>& endpoints, unsigned timeout) {
        error_code ec = asio::error::host_not_found, ignored;
        tx.grant(timeout);
        for (auto at = endpoints.begin(); ec && at != endpoints.end() && !tx.expired && !aborted; ++at) {
            sock.close(ignored);
            tx.begin();
            std::tie(ec) = co_await sock.async_connect(*at, as_result);
            tx.end(0);
        }
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
    void check(clock::time_point now) {
        error_code ignored;
        if (rx.overdue(now) | tx.overdue(now)) sock.cancel(ignored);
        if (works_for_us == nullptr || peek(sock) != 0) return;
        left = true;
        works_for_us->abort();
    }

    /// Looks without taking. Positive: there is something to read; 0: the peer closed; negative: open and quiet.
    static ssize_t peek(socket& s) {
        char byte;
        auto n = ::recv(s.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        return n < 0 && errno != EAGAIN ? 0 : n;
    }

    socket sock;
    boost::beast::flat_buffer in;
    allowance rx, tx;
    std::uint64_t received = 0, sent = 0;
    stream* works_for_us = nullptr;  // the backend's stream, which nobody needs once this client is gone
    bool idle = false, left = false, aborted = false;
};

}  // namespace tiny_proxy
