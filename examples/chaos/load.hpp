#pragma once

// Load on kept-alive connections, each of which sends its next request when it has the answer to the last, and an exact
// account of every request.

#include "../common/net.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <random>
#include <thread>

namespace chaos {

using namespace examples;  // ../common
namespace http = boost::beast::http;
using clock = std::chrono::steady_clock;
using ms = std::chrono::milliseconds;

inline double seconds_between(clock::time_point from, clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
}

enum class ending : std::uint8_t {
    answered,  // 2xx
    refused,   // 502, 503 or 504 with a body that gives the reason
    failed,    // another status
    cut,       // no whole answer: the connection ended, or there was none, or the answer was not HTTP
};
inline constexpr std::size_t endings = 4;

struct request {
    std::uint64_t id;
    clock::time_point began, ended;
    std::uint16_t status;  // 0: none
    std::int16_t backend;  // the number in its name, from X-Backend; -1: it was the proxy who answered, or nobody
    ending how;
};

struct load_options {
    std::uint16_t port;
    int connections = 32;
    std::uint64_t requests = 0;                                                  // at least; then until `finish`
    std::string start = "GET /item/", end = " HTTP/1.1\r\nHost: chaos\r\n\r\n";  // the request's id goes between them
    ms think{0};           // between an answer and the next request, on average: up to twice that
    ms patience{20'000};   // until the client hangs up
    ms stillness{60'000};  // without an answer, until the load counts as failed
};

/// Begins when it is made. What it has counted can be read once it is finished.
class load {
public:
    explicit load(load_options set) : set_(std::move(set)), thread_([this] { run(); }) {}
    ~load() {  // unfinished only where a scenario failed: then nobody wants the rest
        failed_ = true;
        join();
    }

    std::uint64_t done() const { return done_; }

    /// Waits until so many requests have ended; throws std::runtime_error after a minute without an answer of any kind.
    void wait_for(std::uint64_t requests) const {
        auto last = clock::now();
        for (std::uint64_t before = 0; done() < requests; std::this_thread::sleep_for(ms(1))) {
            if (const auto now = heard_.load(); std::exchange(before, now) != now) last = clock::now();
            if (failed_) throw std::runtime_error("the load failed");
            if (clock::now() - last > set_.stillness) throw std::runtime_error("the load stands still");
        }
    }

    /// Lets what is under way end, and all of `requests`.
    void finish() {
        wait_for(set_.requests);
        join();
        if (failed_ || all.empty()) throw std::runtime_error("the load failed");
    }

    std::vector<request> all{};  // in the order of their ends
    clock::time_point began = clock::now();

private:
    struct connection {
        tcp_socket socket;
        clock::time_point waits_since = clock::time_point::max();
    };

    void join() {
        stopping_ = true;
        if (thread_.joinable()) thread_.join();
    }

    void run() {
        all.reserve(set_.requests + 1000);
        for (int i = 0; i < set_.connections; ++i)
            co_spawn(context_, client(connections_.emplace_back(tcp_socket(context_))),
                     [this](const std::exception_ptr& failure) {
                         --running_;
                         if (failure) failed_ = true;
                     });
        co_spawn(context_, watch(), asio::detached);
        context_.run();
    }

    task<> client(connection& c) {
        boost::beast::flat_buffer in;
        while (!failed_ && (!stopping_ || started_ < set_.requests)) {
            request r{started_++, clock::now(), {}, 0, -1, ending::cut};
            c.waits_since = r.began;
            co_await exchange(c.socket, in, r);
            r.ended = clock::now();
            c.waits_since = clock::time_point::max();
            all.push_back(r);
            ++done_;
            heard_ += r.how != ending::cut;
            if (set_.think == ms(0)) continue;
            // Not always the same, or all connections would come to pause together.
            const double twice = std::uniform_real_distribution<>{0, 2}(random_);
            co_await pause(std::chrono::duration_cast<std::chrono::nanoseconds>(set_.think * twice));
        }
    }

    task<> exchange(tcp_socket& socket, boost::beast::flat_buffer& in, request& r) {
        error_code ec;
        if (!socket.is_open()) {
            in.clear();
            std::tie(ec) = co_await socket.async_connect({asio::ip::address_v4::loopback(), set_.port}, as_result);
            if (!ec) socket.set_option(tcp::no_delay(true), ec);
        }
        const auto out = set_.start + std::to_string(r.id) + set_.end;
        std::size_t n = 0;
        if (!ec) std::tie(ec, n) = co_await asio::async_write(socket, asio::buffer(out), as_result);
        http::response_parser<http::string_body> parser;
        if (!ec) std::tie(ec, n) = co_await http::async_read(socket, in, parser, as_result);
        if (!ec) judge(parser.get(), r);
        if (ec || !parser.keep_alive()) socket.close(ec);
    }

    static void judge(const http::response<http::string_body>& reply, request& r) {
        r.status = static_cast<std::uint16_t>(reply.result_int());
        const auto name = reply["X-Backend"];
        std::from_chars(name.data() + !name.empty(), name.data() + name.size(), r.backend);
        const bool reasoned = r.status >= 502 && r.status <= 504 && !reply.body().empty();
        r.how = r.status / 100 == 2 ? ending::answered : reasoned ? ending::refused : ending::failed;
    }

    /// Hangs up on what takes too long. A timer for each request would cost more than the request.
    task<> watch() {
        while (running_ > 0) {
            co_await pause(ms(20));
            error_code ignored;
            for (auto& c : connections_)
                if (failed_ || c.waits_since < clock::now() - set_.patience) c.socket.cancel(ignored);
        }
    }

    load_options set_;
    asio::io_context context_{1};
    std::deque<connection> connections_;
    std::uint64_t started_ = 0;
    std::minstd_rand random_;
    int running_ = set_.connections;
    std::atomic<std::uint64_t> done_ = 0, heard_ = 0;  // of any kind; but cut ones
    std::atomic<bool> stopping_ = false, failed_ = false;
    std::thread thread_;
};

}  // namespace chaos
