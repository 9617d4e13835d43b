#pragma once

// A proxy in front of backends named b0, b1, ..., and what is done to them.

#include "../common/child.hpp"
#include "load.hpp"

#include <boost/beast/core/tcp_stream.hpp>
#include <nlohmann/json.hpp>

#include <functional>

namespace chaos {

using strings = std::vector<std::string>;

struct programs {
    std::string proxy = TINY_PROXY, backend = DEMO_BACKEND;
};

struct stage_options {
    int backends = 4;
    strings backend = {}, proxy = {};  // arguments
    std::string host = "127.0.0.1";    // of the last backend; the others are on loopback
};

class stage {
public:
    explicit stage(const programs& run, stage_options set) : run_(run), set_(std::move(set)) {
        strings arguments{run_.proxy, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"};
        for (int i = 0; i < set_.backends; ++i) {
            hosts_.push_back(i + 1 == set_.backends ? set_.host : "127.0.0.1");
            ports_.push_back(0);
            backends_.emplace_back();
            start(i);
            arguments.insert(arguments.end(), {"--backend", address(i)});
        }
        arguments.insert(arguments.end(), set_.proxy.begin(), set_.proxy.end());
        proxy_ = child(arguments);
        admin_ = proxy_.port_after("admin on");
        port = proxy_.port_after("listening on");
    }

    /// Starts a backend, on the port that it had before.
    void start(int i) {
        const auto at = static_cast<std::size_t>(i);
        strings arguments{run_.backend, "--name", "b" + std::to_string(i), "--listen", address(i)};
        arguments.insert(arguments.end(), set_.backend.begin(), set_.backend.end());
        backends_[at] = child(arguments);
        ports_[at] = backends_[at].port_after("on http");
    }
    void kill(int i) { backends_[static_cast<std::size_t>(i)].end(SIGKILL); }

    std::string address(int i) const {
        return hosts_[static_cast<std::size_t>(i)] + ':' + std::to_string(ports_[static_cast<std::size_t>(i)]);
    }

    /// Makes a backend well, sick, failing or hanging.
    void become(int i, const std::string& mode) const { ask("POST", address(i), "/become/" + mode); }

    /// Tells the proxy to drain, undrain or remove a backend.
    void tell(const std::string& verb, int i) const {
        ask("POST", admin_address(), '/' + verb + "?backend=" + address(i));
    }

    nlohmann::json stats() const { return nlohmann::json::parse(ask("GET", admin_address(), "/stats")); }
    std::uint64_t retried() const { return stats()["retried"]; }

    /// What the proxy says of a backend; null if it knows none.
    nlohmann::json member(int i) const {
        const auto all = stats();
        for (const auto& one : all["backends"])
            if (one["backend"] == address(i)) return one;
        return nullptr;
    }
    /// Empty while it is in rotation.
    std::string conditions(int i) const {
        const auto found = member(i);
        return found.is_null() ? "removed" : found["conditions"];
    }

    /// When `f` was first seen to hold; throws if it does not within half a minute.
    template <class F>
    static clock::time_point when(const char* what, F f) {
        const auto limit = clock::now() + std::chrono::seconds(30);
        while (!f()) {
            if (clock::now() > limit) throw std::runtime_error(std::string("still not ") + what);
            std::this_thread::sleep_for(ms(1));
        }
        return clock::now();
    }
    clock::time_point when_out(int i) const {
        return when("out of rotation", [&] { return !conditions(i).empty(); });
    }
    clock::time_point when_in(int i) const {
        return when("back in rotation", [&] { return conditions(i).empty(); });
    }

    std::uint16_t port = 0;

private:
    std::string admin_address() const { return "127.0.0.1:" + std::to_string(admin_); }

    /// One request with a connection of its own; throws unless it is answered 200.
    static std::string ask(const char* method, const std::string& where, const std::string& target) {
        asio::io_context context;
        boost::beast::basic_stream<tcp, executor> stream(context);
        http::request<http::empty_body> question{http::string_to_verb(method), target, 11};
        question.set(http::field::host, where);
        question.set(http::field::connection, "close");
        question.prepare_payload();
        http::response<http::string_body> answer;
        boost::beast::flat_buffer in;
        stream.expires_after(std::chrono::seconds(10));
        const auto talk = [&]() -> task<> {
            co_await stream.async_connect(resolve(where).front(), or_throw);
            co_await http::async_write(stream, question, or_throw);
            co_await http::async_read(stream, in, answer, or_throw);
        };
        co_spawn(context, talk(), [](std::exception_ptr failure) {
            if (failure) std::rethrow_exception(failure);
        });
        context.run();
        if (answer.result_int() != 200) throw std::runtime_error(where + target + ": " + answer.body());
        return std::move(answer).body();
    }

    const programs& run_;
    stage_options set_;
    strings hosts_;
    std::vector<std::uint16_t> ports_;
    std::vector<child> backends_;
    child proxy_;
    std::uint16_t admin_ = 0;
};

}  // namespace chaos
