// A backend to balance: it says who it is, counts what it served, tells how busy that keeps it, and misbehaves on request.
//
//   GET /            a page with its name in its colour
//   GET /stats       counts as JSON                GET /headers   the request's fields as it got them
//   GET /bytes/N     N bytes with a length         GET /chunked/N the same in chunks
//   GET /close/N     the same, ended by closing    GET /status/N  a reply with that status
//   GET /slow/MS     a reply after MS              ANY /die       closes without a reply
//   GET /health      200, or 503 if it is sick
//   POST /become/M   makes it well, sick, failing (500s, but for /health) or hanging (it takes requests, and answers none)
//   other methods    JSON with the length and a checksum of the body that arrived

#include "../common/net.hpp"
#include "../common/program.hpp"

#include <boost/beast.hpp>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <map>
#include <random>
#include <string>

namespace {

using namespace examples;  // ../common
namespace http = boost::beast::http;
using std::chrono::milliseconds;

struct settings {
    std::string name = "backend", colour = "steelblue", log;
    unsigned delay = 0, error_delay = 0;  // ms
    double error_rate = 0, capacity = 0;
};

struct counts {
    std::uint64_t connections = 0, requests = 0, errors = 0;
    std::map<std::string, std::uint64_t> by_method;
};

/// What was counted when a second began, and what the second before it came to.
struct load {
    std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
    std::uint64_t requests = 0, errors = 0;
    double rps = 0, eps = 0;
};

/// One thread serves everything, so nothing is shared.
struct server {
    asio::io_context context{1};
    settings set;
    counts count;
    struct load load;
    std::string mode = "well";
    int log = -1;
    std::mt19937 random{std::random_device{}()};
};

constexpr std::array modes{"well", "sick", "failing", "hanging"};

/// The number after `prefix`, if the target is just that.
bool numbered(std::string_view target, std::string_view prefix, std::uint64_t& number) {
    if (!target.starts_with(prefix)) return false;
    target.remove_prefix(prefix.size());
    auto [end, ec] = std::from_chars(target.data(), target.data() + target.size(), number);
    return ec == std::errc{} && end == target.data() + target.size();
}

/// What a reply says of the load, as ORCA writes it; empty while nothing is known.
std::string load_report(server& s) {
    const auto now = std::chrono::steady_clock::now();
    if (const std::chrono::duration<double> past = now - s.load.since; past.count() >= 1) {
        const auto a_second = [&](std::uint64_t since) { return static_cast<double>(since) / past.count(); };
        s.load = {now, s.count.requests, s.count.errors, a_second(s.count.requests - s.load.requests),
                  a_second(s.count.errors - s.load.errors)};
    }
    if (s.load.rps == 0) return {};
    std::array<char, 128> text{};
    std::snprintf(text.data(), text.size(), "TEXT cpu_utilization=%.6g, rps_fractional=%.6g, eps=%.6g",
                  s.load.rps / s.set.capacity, s.load.rps, s.load.eps);
    return text.data();
}

/// Notes that a request is being executed: in one write, so that what a crash leaves is whole lines.
void note(const server& s, std::string line) {
    line += '\n';
    if (s.log >= 0 && ::write(s.log, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        throw std::runtime_error("the log could not be written");
}

/// Every byte is known from its offset, so that a client can check what it got.
char byte_at(std::uint64_t offset) { return static_cast<char>('a' + offset % 23); }

std::string page(const server& s) {
    return "<!doctype html><title>" + s.set.name + "</title><body style='background:" + s.set.colour +
           ";font:4em sans-serif;color:white;text-align:center;padding-top:20vh'>" + s.set.name +
           "<p style='font-size:.4em'>request " + std::to_string(s.count.requests) + "</p></body>\n";
}

/// Sends `size` bytes in pieces, whatever the framing says about their end.
task<> send_bytes(tcp_socket& socket, http::response<http::buffer_body> reply, std::uint64_t size) {
    reply.body().data = nullptr;
    reply.body().more = size != 0;
    http::response_serializer<http::buffer_body> serializer{reply};
    co_await http::async_write_header(socket, serializer, or_throw);
    std::string piece;
    for (std::uint64_t at = 0; at < size; at += piece.size()) {
        piece.resize(static_cast<std::size_t>((std::min<std::uint64_t>)(64 * 1024, size - at)));
        for (std::size_t i = 0; i < piece.size(); ++i) piece[i] = byte_at(at + i);
        reply.body() = {piece.data(), piece.size(), at + piece.size() < size};
        auto [ec, n] = co_await http::async_write(socket, serializer, as_result);
        if (ec && ec != http::error::need_buffer) throw boost::system::system_error(ec);
    }
    if (size == 0) co_await http::async_write(socket, serializer, or_throw);
}

/// Reads one request and answers it; false when the connection should end.
task<bool> serve_one(server& s, tcp_socket& socket, boost::beast::flat_buffer& buffer) {
    http::request_parser<http::buffer_body> parser;
    parser.body_limit(boost::none);
    co_await http::async_read_header(socket, buffer, parser, or_throw);
    auto& request = parser.get();
    const std::string method(request.method_string()), target(request.target());
    ++s.count.requests;
    ++s.count.by_method[method];

    std::uint64_t received = 0, sum = 0, number = 0;
    std::string piece(parser.is_done() ? 0 : 64 * 1024, '\0');
    while (!parser.is_done()) {
        request.body() = {piece.data(), piece.size(), true};
        auto [ec, n] = co_await http::async_read(socket, buffer, parser, as_result);
        if (ec && ec != http::error::need_buffer) throw boost::system::system_error(ec);
        const auto got = piece.size() - request.body().size;
        for (std::size_t i = 0; i < got; ++i) sum = sum * 31 + static_cast<unsigned char>(piece[i]);
        received += got;
    }

    if (target == "/die") co_return false;
    const bool control = method == "POST" && target.starts_with("/become/"), health = target == "/health";
    if (control && std::ranges::count(modes, target.substr(8)) != 0) s.mode = target.substr(8);
    if (method == "POST" && !control) note(s, target);
    while (s.mode == "hanging" && !control) co_await pause(milliseconds(20));
    const bool failing = !control && !health &&
                         (s.mode == "failing" || std::uniform_real_distribution<>{}(s.random) < s.set.error_rate);
    const auto delay = control || health ? 0 : failing ? s.set.error_delay : s.set.delay;
    if (delay != 0) co_await pause(milliseconds(delay));
    if (numbered(target, "/slow/", number)) co_await pause(milliseconds(number));

    http::response<http::string_body> reply{failing ? http::status::internal_server_error : http::status::ok, 11};
    reply.set("X-Backend", s.set.name);
    reply.set(http::field::content_type, "text/plain");
    const auto told = s.set.capacity > 0 ? load_report(s) : "";
    if (!told.empty()) reply.set("endpoint-load-metrics", told);
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
    } else if (health) {
        if (s.mode == "sick") reply.result(http::status::service_unavailable);
        reply.body() = s.mode + '\n';
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
        co_await http::async_write_header(socket, serializer, or_throw);
    else
        co_await http::async_write(socket, serializer, or_throw);
    co_return request.keep_alive();
}

task<> serve(server& s, tcp_socket socket) {
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

}  // namespace

int main(int argc, char** argv) {
    server s;
    std::string address = "127.0.0.1:8081";
    program app{"demo_backend", "A small HTTP backend that says who it is"};
    app.add_option("--listen", address, "HOST:PORT; port 0 takes a free one");
    app.add_option("--name", s.set.name, "what it calls itself");
    const auto is_colour = [](const std::string& c) {
        return c.find_first_not_of("#0123456789abcdefghijklmnopqrstuvwxyzABCDEF") == c.npos;
    };
    app.add_option("--colour", s.set.colour, "a CSS colour for its page")->check(accepts(is_colour, "a CSS colour"));
    app.add_option("--delay", s.set.delay, "ms to wait before each reply")->check(CLI::Range(0, 3600000));
    app.add_option("--error-rate", s.set.error_rate, "share of requests answered 500")->check(CLI::Range(0.0, 1.0));
    app.add_option("--error-delay", s.set.error_delay, "ms to wait before a 500")->check(CLI::Range(0, 3600000));
    app.add_option("--capacity", s.set.capacity, "requests a second that keep it busy: replies tell how busy it is")
        ->check(CLI::Range(1.0, 1e6));
    app.add_option("--log", s.set.log, "a file that gets the target of each POST, before the answer");
    return app.run(argc, argv, [&] {
        if (!s.set.log.empty()) s.log = ::open(s.set.log.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (!s.set.log.empty() && s.log < 0)
            throw std::invalid_argument("'" + s.set.log + "': expected a file to append to");
        auto door = listen(s.context, address);
        signal_set signals(s.context, SIGTERM, SIGINT);
        signals.async_wait([&](auto, int) { s.context.stop(); });
        const auto next = [&]() -> server& { return s; };
        co_spawn(s.context, accept(door, next, serve), asio::detached);
        std::cout << s.set.name << " on http://" << door.local_endpoint() << std::endl;
        s.context.run();
    });
}
