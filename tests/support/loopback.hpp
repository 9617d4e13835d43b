#pragma once

// Servers and probes on the loopback, all on one context that one thread runs: no test waits for time.

#include <weir/asio/endpoint_probe.hpp>

#include <boost/asio.hpp>

#include "catch.hpp"

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir_test {

namespace asio = boost::asio;
using asio::ip::tcp;

/// Runs handlers until it is so; far more time than it ever takes counts as a failure.
template <class Condition>
void run_until(asio::io_context& context, Condition done) {
    context.restart();
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (!done()) REQUIRE(context.run_one_until(limit) == 1);
}

/// Takes connections, writes down what heads it reads, and answers each as the test says.
class loopback_server {
public:
    /// Gives the bytes to send; "" closes instead; none says nothing, for ever.
    using function = std::function<std::optional<std::string>(std::size_t number)>;

    loopback_server(asio::io_context& context, function answer)
        : all_{std::make_shared<shared>(context, std::move(answer))} {
        asio::co_spawn(context, accept(all_), asio::detached);
    }
    ~loopback_server() { all_->door.close(); }

    [[nodiscard]] tcp::endpoint endpoint() const { return all_->door.local_endpoint(); }
    [[nodiscard]] const std::vector<std::string>& heads() const { return all_->heads; }
    [[nodiscard]] std::size_t accepted() const { return all_->accepted; }
    [[nodiscard]] std::size_t ended() const { return all_->ended; }  // connections

private:
    struct shared {
        shared(asio::io_context& c, function f)
            : context{c}, door{c, {asio::ip::address_v4::loopback(), 0}}, answer{std::move(f)} {}
        asio::io_context& context;
        tcp::acceptor door;
        function answer;
        std::vector<std::string> heads = {};
        std::size_t accepted = 0, ended = 0;
    };
    static constexpr auto error_first = asio::as_tuple(asio::use_awaitable);

    static asio::awaitable<void> accept(std::shared_ptr<shared> all) {
        for (;;) {
            auto [ec, socket] = co_await all->door.async_accept(error_first);
            if (ec) co_return;
            ++all->accepted;
            asio::co_spawn(all->context, serve(all, std::move(socket)), asio::detached);
        }
    }
    static asio::awaitable<void> serve(std::shared_ptr<shared> all, tcp::socket socket) {
        std::string in;
        for (;;) {
            const auto [ec, n] = co_await asio::async_read_until(socket, asio::dynamic_buffer(in), "\r\n\r\n",
                                                                 error_first);
            if (ec) break;
            all->heads.push_back(in.substr(0, n));
            in.erase(0, n);
            const auto out = all->answer(all->heads.size());
            if (!out) continue;
            if (out->empty()) break;
            const auto [failed, sent] = co_await asio::async_write(socket, asio::buffer(*out), error_first);
            if (failed || out->find("Connection: close") != out->npos) break;
        }
        socket.close();
        ++all->ended;
    }

    std::shared_ptr<shared> all_;
};

inline std::string page(const std::string& body = "fine", const std::string& status = "200 OK") {
    return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// An endpoint of the loopback where nobody listens; nobody else is given it meanwhile.
class closed_door {
public:
    explicit closed_door(asio::io_context& context)
        : taken_{context, tcp::endpoint{asio::ip::address_v4::loopback(), 0}} {}
    [[nodiscard]] tcp::endpoint endpoint() const { return taken_.local_endpoint(); }

private:
    tcp::socket taken_;  // bound, and not listening
};

/// Runs one probe to its end.
template <weir::endpoint_probe Probe>
weir::probe_result run(asio::io_context& context, const Probe& p, weir::probe_target& target) {
    std::optional<weir::probe_result> result;
    asio::co_spawn(context, p(target), [&](std::exception_ptr e, weir::probe_result r) {
        CHECK_FALSE(e);
        result = r;
    });
    run_until(context, [&] { return result.has_value(); });
    return *result;
}

/// Begins one probe that nobody answers, and cancels it when `reached` is so. Its result; an exception is a failure.
template <weir::endpoint_probe Probe, class Reached>
weir::probe_result run_cancelled(asio::io_context& context, const Probe& p, weir::probe_target& target,
                                 Reached reached) {
    std::optional<weir::probe_result> result;
    asio::cancellation_signal cancel;
    asio::co_spawn(context, p(target),
                   asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr e, weir::probe_result r) {
                       result = e ? weir::probe_result::failed : r;
                   }));
    run_until(context, reached);
    REQUIRE_FALSE(result);
    cancel.emit(asio::cancellation_type::terminal);
    run_until(context, [&] { return result.has_value(); });
    return *result;
}

}  // namespace weir_test
