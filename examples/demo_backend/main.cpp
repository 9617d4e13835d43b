// A backend to balance: it says who it is, counts what it served, and misbehaves on request.
//
//   GET /            a page with its name in its colour
//   GET /stats       counts as JSON                GET /headers   the request's fields as it got them
//   GET /bytes/N     N bytes with a length         GET /chunked/N the same in chunks
//   GET /close/N     the same, ended by closing    GET /status/N  a reply with that status
//   GET /slow/MS     a reply after MS              ANY /die       closes without a reply
//   other methods    JSON with the length and a checksum of the body that arrived

#include <boost/asio.hpp>
#include <boost/beast.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <charconv>
#include <chrono>
#include <iostream>
#include <map>
#include <random>
#include <string>

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

struct settings {
    std::string name = "backend", colour = "steelblue";
    unsigned delay = 0;  // ms
    double error_rate = 0;
};

struct counts {
    std::uint64_t connections = 0, requests = 0, errors = 0;
    std::map<std::string, std::uint64_t> by_method;
};

/// One thread serves everything, so nothing is shared.
struct server {
    settings set;
    counts count;
    std::mt19937 random{std::random_device{}()};
};

/// The number after `prefix`, if the target is just that.
bool numbered(std::string_view target, std::string_view prefix, std::uint64_t& number) {
    if (!target.starts_with(prefix)) return false;
    target.remove_prefix(prefix.size());
    auto [end, ec] = std::from_chars(target.data(), target.data() + target.size(), number);
    return ec == std::errc{} && end == target.data() + target.size();
}

/// Every byte is known from its offset, so that a client can check what it got.
char byte_at(std::uint64_t offset) { return static_cast<char>('a' + offset % 23); }

std::string page(const server& s) {
    return "<!doctype html><title>" + s.set.name + "</title><body style='background:" + s.set.colour +
           ";font:4em sans-serif;color:white;text-align:center;padding-top:20vh'>" + s.set.name +
           "<p style='font-size:.4em'>request " + std::to_string(s.count.requests) + "</p></body>\n";
}

asio::awaitable<void> pause(std::uint64_t milliseconds) {
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(milliseconds));
    co_await timer.async_wait(asio::use_awaitable);
}

/// Sends `size` bytes in pieces, whatever the framing says about their end.
asio::awaitable<void> send_bytes(tcp::socket& socket, http::response<http::buffer_body> reply, std::uint64_t size) {
    reply.body().data = nullptr;
    reply.body().more = size != 0;
    http::response_serializer<http::buffer_body> serializer{reply};
    co_await http::async_write_header(socket, serializer, asio::use_awaitable);
    std::string piece;
    for (std::uint64_t at = 0; at < size; at += piece.size()) {
        piece.resize(static_cast<std::size_t>((std::min<std::uint64_t>)(64 * 1024, size - at)));
        for (std::size_t i = 0; i < piece.size(); ++i) piece[i] = byte_at(at + i);
        reply.body() = {piece.data(), piece.size(), at + piece.size() < size};
        auto [ec, n] = co_await http::async_write(socket, serializer, asio::as_tuple(asio::use_awaitable));
        if (ec && ec != http::error::need_buffer) throw boost::system::system_error(ec);
    }
    if (size == 0) co_await http::async_write(socket, serializer, asio::use_awaitable);
}

/// Reads one request and answers it; false when the connection should end.
asio::awaitable<bool> serve_one(server& s, tcp::socket& socket, boost::beast::flat_buffer& buffer) {
    http::request_parser<http::buffer_body> parser;
    parser.body_limit(boost::none);
    co_await http::async_read_header(socket, buffer, parser, asio::use_awaitable);
    auto& request = parser.get();
    const std::string method(request.method_string()), target(request.target());
    ++s.count.requests;
    ++s.count.by_method[method];

    std::uint64_t received = 0, sum = 0, number = 0;
    std::string piece(64 * 1024, '\0');
    while (!parser.is_done()) {
        request.body() = {piece.data(), piece.size(), true};
        auto [ec, n] = co_await http::async_read(socket, buffer, parser, asio::as_tuple(asio::use_awaitable));
        if (ec && ec != http::error::need_buffer) throw boost::system::system_error(ec);
        const auto got = piece.size() - request.body().size;
        for (std::size_t i = 0; i < got; ++i) sum = sum * 31 + static_cast<unsigned char>(piece[i]);
        received += got;
    }

    if (target == "/die") co_return false;
    if (s.set.delay != 0) co_await pause(s.set.delay);
    if (numbered(target, "/slow/", number)) co_await pause(number);

    const bool failing = std::uniform_real_distribution<>{}(s.random) < s.set.error_rate;
    http::response<http::string_body> reply{failing ? http::status::internal_server_error : http::status::ok, 11};
    reply.set("X-Backend", s.set.name);
    reply.set(http::field::content_type, "text/plain");
    reply.keep_alive(request.keep_alive());
    const bool chunked = numbered(target, "/chunked/", number), closing = numbered(target, "/close/", number);
    if (!failing && (chunked || closing || numbered(target, "/bytes/", number))) {
        http::response<http::buffer_body> head;
        head.base() = reply.base();
        if (chunked)
            head.chunked(true);
        else if (closing)
            head.keep_alive(false);
        else
            head.content_length(number);
        co_await send_bytes(socket, std::move(head), method == "HEAD" ? 0 : number);
        co_return request.keep_alive() && !closing;
    }
    if (failing) {
        ++s.count.errors;
        reply.body() = "failing on purpose\n";
    } else if (target == "/stats") {
        nlohmann::json json{{"name", s.set.name},
                            {"connections", s.count.connections},
                            {"requests", s.count.requests},
                            {"errors", s.count.errors},
                            {"methods", s.count.by_method}};
        reply.set(http::field::content_type, "application/json");
        reply.body() = json.dump() + '\n';
    } else if (target == "/headers") {
        for (const auto& f : request)
            reply.body() += std::string(f.name_string()) + ": " + std::string(f.value()) + '\n';
    } else if (numbered(target, "/status/", number) && number >= 200 && number <= 599) {
        reply.result(static_cast<unsigned>(number));
    } else if (method != "GET" && method != "HEAD") {
        reply.set(http::field::content_type, "application/json");
        reply.body() = nlohmann::json{{"name", s.set.name}, {"received", received}, {"sum", sum}}.dump() + '\n';
    } else if (target == "/") {
        reply.set(http::field::content_type, "text/html");
        reply.body() = page(s);
    } else {
        reply.body() = s.set.name + '\n';
    }
    const bool bodyless = reply.result_int() == 204 || reply.result_int() == 304;
    if (!bodyless) reply.prepare_payload();
    http::response_serializer<http::string_body> serializer{reply};
    if (method == "HEAD" || bodyless)
        co_await http::async_write_header(socket, serializer, asio::use_awaitable);
    else
        co_await http::async_write(socket, serializer, asio::use_awaitable);
    co_return request.keep_alive();
}

asio::awaitable<void> serve(server& s, tcp::socket socket) {
    ++s.count.connections;
    boost::beast::flat_buffer buffer;
    try {
        socket.set_option(tcp::no_delay(true));
        while (co_await serve_one(s, socket, buffer)) {
        }
    } catch (const boost::system::system_error&) {
        // The peer left, or spoke no HTTP: nobody to tell.
    }
}

asio::awaitable<void> accept(server& s, tcp::acceptor& acceptor) {
    for (;;) {
        auto [ec, socket] = co_await acceptor.async_accept(asio::as_tuple(asio::use_awaitable));
        if (ec == asio::error::operation_aborted) co_return;
        if (ec)
            co_await pause(50);  // out of file descriptors, most likely
        else
            co_spawn(acceptor.get_executor(), serve(s, std::move(socket)), asio::detached);
    }
}

}  // namespace

int main(int argc, char** argv) {
    server s;
    std::string address = "127.0.0.1:8081";
    CLI::App app{"A small HTTP backend that says who it is"};
    app.option_defaults()->always_capture_default();
    app.add_option("--listen", address, "ADDRESS:PORT; port 0 takes a free one");
    app.add_option("--name", s.set.name, "what it calls itself");
    app.add_option("--colour", s.set.colour, "a CSS colour for its page")->check([](const std::string& c) {
        return c.find_first_not_of("#0123456789abcdefghijklmnopqrstuvwxyzABCDEF") == c.npos ? ""
                                                                                            : "expected a CSS colour";
    });
    app.add_option("--delay", s.set.delay, "ms to wait before each reply")->check(CLI::Range(0, 3600000));
    app.add_option("--error-rate", s.set.error_rate, "share of requests answered 500")->check(CLI::Range(0.0, 1.0));
    try {
        app.parse(argc, argv);
        const auto colon = address.rfind(':');
        unsigned port = 0;
        const char* end = address.data() + address.size();
        if (colon == address.npos || std::from_chars(address.data() + colon + 1, end, port).ptr != end || port > 65535)
            throw std::invalid_argument("--listen '" + address + "': expected ADDRESS:PORT");
        asio::io_context context{1};
        tcp::acceptor acceptor(context,
                               {asio::ip::make_address(address.substr(0, colon)), static_cast<std::uint16_t>(port)});
        asio::signal_set signals(context, SIGTERM, SIGINT);
        signals.async_wait([&](auto, int) { context.stop(); });
        co_spawn(context, accept(s, acceptor), asio::detached);
        std::cout << s.set.name << " on http://" << acceptor.local_endpoint() << std::endl;
        context.run();
        return 0;
    } catch (const CLI::CallForHelp&) {
        std::cout << app.help();
        return 0;
    } catch (const std::exception& wrong) {
        std::cerr << "demo_backend: " << wrong.what() << '\n';
        return 2;
    }
}
