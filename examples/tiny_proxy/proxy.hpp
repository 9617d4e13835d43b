#pragma once

// What connections share: sockets with a sense of time, the backends that weir balances, and a worker for each thread.

#include "../common/balancers.hpp"
#include "../common/health.hpp"
#include "../common/load_reports.hpp"
#include "../common/net.hpp"
#include "gate.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/intrusive/list.hpp>

#include <atomic>

namespace tiny_proxy {

using namespace examples;  // ../common
using ms = std::chrono::milliseconds;
using clock = std::chrono::steady_clock;
using when = clock::time_point;
inline when after(unsigned milliseconds) { return clock::now() + ms(milliseconds); }

/// A socket that waits only so long. A timer per operation costs more than the operation, so none has one: each stream
/// knows until when it may wait, and one coarse tick per thread cancels what is overdue.
struct stream : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    using list = boost::intrusive::list<stream, boost::intrusive::constant_time_size<false>>;

    stream(list& streams, tcp_socket s, unsigned most, int if_late, int if_gone)
        : sock(std::move(s)), patience(most), late(if_late), gone(if_gone) {
        streams.push_back(*this);
    }
    std::string_view bytes() const { return {static_cast<const char*>(in.data().data()), in.size()}; }
    [[noreturn]] void fail() { throw clock::now() < until ? refusal{gone, "hung up"} : refusal{late, "too slow"}; }

    /// Appends what arrives to `in`. Gives its error, where others throw: the end of a connection may be no failure.
    task<error_code> read(when limit) {
        until = limit;
        auto [ec, n] = co_await sock.async_read_some(in.prepare(16 * 1024), as_result);
        in.commit(n);
        received += n;
        co_return ec;
    }

    /// Takes a whole head out of `in`.
    task<> read_head(std::string& out, when limit) {
        std::size_t seen = 0, end = 0;
        while ((end = find_head(bytes(), seen)) == 0)
            if (co_await read(limit)) fail();
        out.assign(bytes().substr(0, end));
        in.consume(end);
    }

    task<> write(std::string_view out) {
        until = after(patience);
        auto [ec, n] = co_await asio::async_write(sock, asio::buffer(out), as_result);
        sent += n;
        if (ec) fail();
    }

    task<> connect(const std::vector<tcp::endpoint>& endpoints, unsigned milliseconds) {
        until = after(milliseconds);
        auto [ec, endpoint] = co_await asio::async_connect(sock, endpoints, as_result);
        refuse_if(is_local(ec), 500, "no descriptor, port or memory left");
        if (ec) fail();
        sock.set_option(tcp::no_delay(true), ec);
    }

    tcp_socket sock;
    boost::beast::flat_buffer in;
    unsigned patience;  // ms that a write may take, and that a body may stand still
    int late, gone;     // the statuses of whoever is at the other end
    std::uint64_t received = 0, sent = 0;
    when until = when::max();
    std::function<bool()> pointless;  // asked at every tick: has what it waits for become so?
};

/// What weir balances. Its registry owns it, and destroys it when its last lease is gone.
struct backend {
    /// The connection used last that is still quiet. One that became readable was closed, or speaks without being asked.
    tcp_socket take(std::size_t thread, asio::io_context& context) {
        for (auto& list = idle[thread]; !list.empty();) {
            auto s = std::move(list.back().first);
            list.pop_back();
            if (peek(s) < 0) return s;
        }
        return tcp_socket(context);
    }

    std::string address;
    std::vector<tcp::endpoint> endpoints;
    std::vector<std::vector<std::pair<tcp_socket, when>>> idle;  // since when; by thread, so that nobody locks
};

inline const std::string& identity(const backend& b) { return b.address; }  // weir finds it by its name

struct options {
    std::string listen = "127.0.0.1:8080", admin, balance = "round_robin", key, sticky;
    std::vector<std::string> backends;
    unsigned retries = 2;
    examples::health_settings health;
    std::size_t threads = 1;
    std::uint64_t max_body = std::uint64_t{4} << 30;
    unsigned request_ms = 10'000, response_ms = 30'000, idle_ms = 60'000, grace_ms = 30'000;
};

/// What all threads share.
struct proxy {
    const options& set;
    weir::registry<backend> backends{};
    weir::session_key sessions = weir::session_key::random();
    picker<backend> pick = balancer(set.balance, backends, {}, set.sticky.empty() ? nullptr : &sessions);
    examples::load_reports<backend> reports{backends, set.balance};
    weir::retry_rules retries{{.attempts = set.retries + 1}};
    std::optional<examples::health<backend>> health{};
    std::atomic<std::uint64_t> requests = 0, retried = 0;
    std::atomic<bool> stopping = false;
    std::atomic<when> cut_off = when::max();

    std::string stats() const {
        nlohmann::json all{{"retried", retried.load()}, {"retries_refused", retries.budget.refused()}};
        all.update({{"requests", requests.load()}, {"panic", backends.in_panic()}, {"backends", health->describe()}});
        all["load_reports"] = reports.taken();
        return all.dump(1);
    }
};

/// One thread and its share of the connections, which no other thread touches.
struct worker {
    proxy& shared;
    std::size_t index;
    asio::io_context context{1};
    stream::list streams{};
};

/// All timeouts of one thread. Ends, with the thread, when the proxy stops and its last stream is gone.
inline task<> tick(worker& w) {
    error_code ignored;
    for (bool last = false; !last || !w.streams.empty();) {
        last = w.shared.stopping;  // before the pause: connections that were on their way are there after it
        co_await pause(ms(100));
        w.shared.reports.update();
        const auto now = clock::now();
        for (stream& s : w.streams) {
            if (now >= s.until || (s.pointless && s.pointless())) s.sock.cancel(ignored);
            if (now >= w.shared.cut_off.load()) s.sock.close(ignored);
        }
        const auto old = [&](const auto& c) { return now - c.second > ms(w.shared.set.idle_ms); };
        for (const auto& m : w.shared.backends.members())
            w.shared.backends.visit(m.id, [&](backend& b) { std::erase_if(b.idle[w.index], old); });
    }
    w.context.stop();
}

}  // namespace tiny_proxy
