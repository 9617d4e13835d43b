// The proxy as a process, between raw sockets: what a client sends and what a backend sees are bytes that the tests write
// and read themselves. Nothing here sleeps: every wait is for a condition, and every wait is bounded.

#include "../../../examples/common/balancers.hpp"
#include "../../../examples/common/child.hpp"

#include "catch.hpp"
#include "hostile.hpp"

#ifdef TINY_PROXY
#include "support/loopback.hpp"
#endif

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

using namespace hostile_table;

#ifndef TINY_PROXY
TEST_CASE("the proxy is not built, so nothing is tested live", "[threads]") {
    WARN("build the examples for these tests");
}
#else

namespace {

constexpr int patience = 20'000;  // ms until a wait counts as failed; far more than any of them takes

struct descriptor {
    explicit descriptor(int number = -1) : fd(number) {}
    descriptor(descriptor&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(fd, other.fd);
        return *this;
    }
    ~descriptor() {
        if (fd >= 0) ::close(fd);
    }
    bool readable(int ms = patience) const {
        pollfd p{fd, POLLIN, 0};
        return ::poll(&p, 1, ms) > 0;
    }
    int fd;
};

sockaddr_in loopback(int port) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(static_cast<std::uint16_t>(port));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

/// Listens on a free port, if none is given.
std::pair<descriptor, int> listener(int port = 0) {
    descriptor d(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(d.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    auto a = loopback(port);
    REQUIRE(::bind(d.fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0);
    REQUIRE(::listen(d.fd, 128) == 0);
    socklen_t size = sizeof a;
    ::getsockname(d.fd, reinterpret_cast<sockaddr*>(&a), &size);
    return {std::move(d), ntohs(a.sin_port)};
}

struct reply {
    int status = 0;
    std::string head, body;
    bool whole = false;
};

struct client {
    explicit client(int port) : d(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const auto a = loopback(port);
        connected = ::connect(d.fd, reinterpret_cast<const sockaddr*>(&a), sizeof a) == 0;
    }
    bool send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const auto n = ::send(d.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return true;
    }
    bool more() {
        char buffer[65536];
        if (!d.readable()) return false;
        const auto n = ::recv(d.fd, buffer, sizeof buffer, 0);
        if (n <= 0) return false;
        in.append(buffer, static_cast<std::size_t>(n));
        return true;
    }
    std::string rest() {
        while (more()) {
        }
        return in;
    }
    bool ended() {
        while (more()) {
        }
        char byte;
        return ::recv(d.fd, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET;
    }
    bool line(std::string& out) {
        while (in.find("\r\n") == in.npos)
            if (!more()) return false;
        out = in.substr(0, in.find("\r\n"));
        in.erase(0, out.size() + 2);
        return true;
    }
    bool take(std::size_t n, std::string& out) {
        while (in.size() < n)
            if (!more()) return false;
        out += in.substr(0, n);
        in.erase(0, n);
        return true;
    }
    /// One response, by a reader of its own: not the code under test.
    reply read(bool to_head = false) {
        reply r;
        std::string text;
        do {
            if (!line(text)) return r;
            r.head += text + "\r\n";
        } while (!text.empty());
        r.status = std::stoi(r.head.substr(9));
        auto lowered = r.head;
        std::transform(lowered.begin(), lowered.end(), lowered.begin(),
                       [](unsigned char c) { return std::tolower(c); });
        const auto length = lowered.find("\r\ncontent-length: ");
        if (to_head || r.status < 200 || r.status == 204 || r.status == 304) {
            r.whole = true;
        } else if (lowered.find("\r\ntransfer-encoding: chunked\r\n") != lowered.npos) {
            for (std::size_t size = 1; size != 0;) {
                if (!line(text)) return r;
                size = std::stoul(text, nullptr, 16);
                if (!take(size, r.body) || !line(text) || !text.empty()) return r;
            }
            r.whole = true;
        } else if (length != lowered.npos) {
            r.whole = take(std::stoul(lowered.substr(length + 18)), r.body);
        } else {
            r.body = rest();
            r.whole = true;
        }
        return r;
    }
    reply ask(std::string_view bytes, bool to_head = false) {
        if (!send(bytes)) return {};
        return read(to_head);
    }

    descriptor d;
    std::string in;
    bool connected;
};

/// Where connects are refused.
struct nobody {
    int port() const { return door.endpoint().port(); }
    std::string address() const { return "127.0.0.1:"s + std::to_string(port()); }

    weir_test::asio::io_context context{};
    weir_test::closed_door door{context};
};

reply ask(int port, const std::string& bytes) { return client(port).ask(bytes); }

/// A backend that writes down every byte, and answers whole requests as the test says; "" closes instead.
struct recorder {
    using answer = std::function<std::string(const std::string& head, const std::string& body)>;

    explicit recorder(answer a, int at = 0) : answering(std::move(a)) {
        std::tie(door, port) = listener(at);
        thread = std::jthread([this](const std::stop_token& stop) {
            std::vector<std::jthread> connections;
            while (!stop.stop_requested()) {
                if (!door.readable(20)) continue;
                auto fd = std::make_shared<descriptor>(::accept4(door.fd, nullptr, nullptr, SOCK_CLOEXEC));
                ++accepted;
                connections.emplace_back([this, fd = std::move(fd)](const std::stop_token& s) mutable {
                    serve(*fd, s);
                    fd.reset();
                    ++ended;
                });
            }
        });
    }
    std::string address() const { return "127.0.0.1:"s + std::to_string(port); }
    std::size_t bytes() const { return received; }
    std::vector<std::pair<std::string, std::string>> requests() {
        const std::lock_guard lock(mutex);
        return seen;
    }

    void serve(const descriptor& fd, const std::stop_token& stop) {
        std::string in;
        const auto more = [&] {
            char buffer[65536];
            while (!stop.stop_requested())
                if (fd.readable(20)) {
                    const auto n = ::recv(fd.fd, buffer, sizeof buffer, 0);
                    if (n <= 0) return false;
                    received += static_cast<std::size_t>(n);
                    in.append(buffer, static_cast<std::size_t>(n));
                    return true;
                }
            return false;
        };
        const auto need = [&](std::size_t n) {
            while (in.size() < n)
                if (!more()) return false;
            return true;
        };
        for (;;) {
            while (in.find("\r\n\r\n") == in.npos)
                if (!more()) return;
            const auto head = in.substr(0, in.find("\r\n\r\n") + 4);
            in.erase(0, head.size());
            std::string body;
            if (const auto at = head.find("\r\nContent-Length: "); at != head.npos) {
                const auto n = std::stoul(head.substr(at + 18));
                if (!need(n)) return;
                body = in.substr(0, n);
                in.erase(0, n);
            } else if (head.find("\r\nTransfer-Encoding: chunked\r\n") != head.npos) {
                for (std::size_t size = 1; size != 0;) {
                    while (in.find("\r\n") == in.npos)
                        if (!more()) return;
                    size = std::stoul(in, nullptr, 16);
                    in.erase(0, in.find("\r\n") + 2);
                    if (!need(size + 2) || in.substr(size, 2) != "\r\n") return;
                    body += in.substr(0, size);
                    in.erase(0, size + 2);
                }
            }
            {
                const std::lock_guard lock(mutex);
                seen.emplace_back(head, body);
            }
            const auto out = answering(head, body);
            if (out.empty()) return;
            ::send(fd.fd, out.data(), out.size(), MSG_NOSIGNAL);
            if (out.find("\r\nConnection: close\r\n") != out.npos) return;
        }
    }

    answer answering;
    descriptor door;
    int port = 0;
    std::atomic<std::size_t> received = 0, accepted = 0, ended = 0;
    std::mutex mutex;
    std::vector<std::pair<std::string, std::string>> seen;
    std::jthread thread;
};

std::string ok(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: "s + std::to_string(body.size()) + "\r\n\r\n" + body;
}

struct proxy {
    explicit proxy(const std::vector<std::string>& backends, std::vector<std::string> more = {})
        : program([&] {
              std::vector<std::string> arguments{TINY_PROXY, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"};
              for (const auto& b : backends) arguments.insert(arguments.end(), {"--backend", b});
              arguments.insert(arguments.end(), more.begin(), more.end());
              return arguments;
          }()) {
        admin = program.port_after("admin on http://");
        port = program.port_after("listening on http://");
    }
    std::string stats() const { return ask(admin, get("/stats")).body; }
    /// Asks for the statistics until they contain the text.
    bool comes_to(const std::string& text) const {
        for (int i = 0; i < 20'000; ++i)
            if (stats().find(text) != std::string::npos) return true;
        return false;
    }
    examples::child program;
    int port = 0, admin = 0;
};

struct demo_backend {
    explicit demo_backend(const std::string& name, int at = 0, std::vector<std::string> more = {})
        : program([&] {
              std::vector<std::string> all{DEMO_BACKEND, "--name", name, "--listen",
                                           "127.0.0.1:"s + std::to_string(at)};
              all.insert(all.end(), more.begin(), more.end());
              return all;
          }()) {
        port = program.port_after(" on http://");
    }
    std::string address() const { return "127.0.0.1:"s + std::to_string(port); }
    examples::child program;
    int port = 0;
};

long peak_kib(pid_t pid) {
    std::ifstream status("/proc/"s + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
    return -1;
}

}  // namespace

TEST_CASE("no byte of a hostile request reaches a backend", "[threads]") {
    recorder backend([](auto&, auto&) { return ok("yes"); });
    const proxy p({backend.address()});
    const auto all = hostile_requests();
    for (const auto& [bytes, statuses] : all) {
        CAPTURE(bytes);
        client c(p.port);
        const auto r = c.ask(bytes);
        CHECK(statuses.count(r.status) == 1);
        CHECK(c.ended());
        REQUIRE(backend.bytes() == 0);
    }
    CHECK(backend.bytes() == 0);
    CHECK(backend.accepted == 0);
    WARN(all.size() << " hostile requests sent, " << backend.bytes() << " bytes reached a backend");
    CHECK(ask(p.port, get("/")).body == "yes");
}

TEST_CASE("two requests on one connection stay aligned, for every body length and framing", "[threads]") {
    recorder backend([](auto&, const std::string& body) { return ok(std::to_string(body.size()) + ':' + body); });
    const proxy p({backend.address()});
    client c(p.port);
    for (std::size_t size = 0; size < 300; ++size) {
        std::string body(size, '\0');
        for (std::size_t i = 0; i < size; ++i) body[i] = "0\r\n GET/ HTTP1."[i % 14];
        std::string chunked;
        for (std::size_t at = 0, n = 0; at < size; at += n) {
            n = (std::min)(size - at, 1 + at % 7);
            chunked += std::to_string(n) + "\r\n" + body.substr(at, n) + "\r\n";
        }
        const auto expected = std::to_string(size) + ':' + body;
        CAPTURE(size);
        REQUIRE(c.ask(post("Content-Length: "s + std::to_string(size) + "\r\n", body)).body == expected);
        REQUIRE(c.ask(chunks(chunked + "0\r\n\r\n")).body == expected);
    }
    for (const std::size_t size : {16'383u, 16'384u, 16'385u, 65'536u, 1'000'000u}) {
        const std::string body(size, 'x');
        REQUIRE(c.ask(post("Content-Length: "s + std::to_string(size) + "\r\n", body)).body.size() ==
                size + std::to_string(size).size() + 1);
    }
    CHECK(backend.accepted == 1);
    CHECK(backend.requests().size() == 605);
}

TEST_CASE("pipelined requests are answered in their order", "[threads]") {
    recorder backend([](const std::string& head, auto&) { return ok(head.substr(0, head.find(" HTTP"))); });
    const proxy p({backend.address()});
    client c(p.port);
    c.send(get("/1") + post("Content-Length: 2\r\n", "xx") + chunks("1\r\nx\r\n0\r\n\r\n") + get("/2"));
    CHECK(c.read().body == "GET /1");
    CHECK(c.read().body == "POST /");
    CHECK(c.read().body == "POST /");
    CHECK(c.read().body == "GET /2");
}

TEST_CASE("responses keep their meaning in the framing that the client understands", "[threads]") {
    const std::map<std::string, std::string> replies{
        {"/length", ok("hello")},
        {"/chunked",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: x\r\n\r\n"},
        {"/close", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"},
        {"/old", "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nhello"},
        {"/204", "HTTP/1.1 204 No Content\r\n\r\n"},
        {"/304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"},
        {"/103", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok("hello")},
        {"/head", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
        {"/cut", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhello"},
        {"/cutchunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n9\r\nhello"},
        {"/badchunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"},
    };
    recorder backend([&](const std::string& head, auto&) {
        return replies.at(head.substr(head.find(' ') + 1, head.find(" HTTP") - head.find(' ') - 1));
    });
    const proxy p({backend.address()});
    client c(p.port);
    for (const std::string target : {"/length", "/chunked", "/close", "/old"}) {
        CAPTURE(target);
        const auto r = c.ask(get(target));  // one connection: the client's goes on whatever the backend's does
        CHECK(r.body == "hello");
        CHECK(r.whole);
        CHECK(ask(p.port, "GET " + target + " HTTP/1.0\r\n\r\n").body == "hello");
        CHECK(ask(p.port, "GET " + target + " HTTP/1.0\r\n\r\n").head.find("chunked") == std::string::npos);
    }
    CHECK(c.ask(get("/204")).status == 204);
    CHECK(c.ask(get("/304")).status == 304);
    CHECK(c.ask(get("/103")).status == 103);
    CHECK(c.read().body == "hello");
    CHECK(c.ask("HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n", true).head.find("Content-Length: 5") != std::string::npos);
    CHECK(c.ask(get("/length")).body == "hello");
    for (const std::string target : {"/cut", "/cutchunk"}) CHECK(!ask(p.port, get(target)).whole);
    const auto bad = ask(p.port, get("/badchunk"));  // the client has had nothing yet, so it may be told
    CHECK(bad.status == 502);
    CHECK(bad.whole);
    CHECK(ask(p.port, "GET /cutchunk HTTP/1.0\r\n\r\n").status != 0);
}

TEST_CASE("a backend cannot split a response", "[threads]") {
    std::atomic<std::size_t> which = 0;
    const std::vector<std::string> replies{
        "HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: evil\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: evil\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n Set-Cookie: evil\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nevil",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\nevil",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: evil\r\n\r\nevil",
        "HTTP/1.1 200 OK\nContent-Length: 4\n\nevil",
        "evil\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : evil\r\nContent-Length: 0\r\n\r\n",
    };
    recorder backend([&](auto&, auto&) { return replies[which]; });
    const proxy p({backend.address()});
    for (which = 0; which < replies.size(); ++which) {
        CAPTURE(replies[which]);
        const auto r = ask(p.port, get("/", "Host: a\r\nUpgrade: evil\r\nConnection: upgrade\r\n"));
        CHECK(r.status == 502);
        CHECK((r.head + r.body).find("evil") == std::string::npos);
    }
    for (const auto& [head, body] : backend.requests()) CHECK(head.find("evil") == std::string::npos);
}

TEST_CASE("what follows a response unasked is nobody's response", "[threads]") {
    recorder backend([](auto&, auto&) { return ok("one") + ok("two"); });
    const proxy p({backend.address()});
    client c(p.port);
    for (int i = 0; i < 20; ++i) CHECK(c.ask(get("/")).body == "one");
}

TEST_CASE("GETs move on from a backend that dies before a reply; a POST is sent once", "[threads]") {
    recorder dying([](auto&, auto&) { return ""; });
    recorder good([](auto&, auto&) { return ok("good"); });
    const proxy p({dying.address(), good.address()});
    for (int i = 0; i < 50; ++i) CHECK(ask(p.port, get("/")).body == "good");
    CHECK(dying.requests().size() > 0);
    const auto before = dying.requests().size() + good.requests().size();
    int refused = 0;
    for (int i = 0; i < 50; ++i) refused += ask(p.port, post("Content-Length: 4\r\n", "once")).status == 502;
    CHECK(refused > 0);
    CHECK(dying.requests().size() + good.requests().size() - before == 50);
}

TEST_CASE("a POST is not sent again on a kept-alive connection that dies, and a GET is", "[threads]") {
    recorder backend([n = std::make_shared<std::atomic<int>>(0)](const std::string&, auto&) {
        return ++*n % 2 == 1 ? ok("one") : "";  // every second request on a connection kills it
    });
    const proxy p({backend.address()});
    CHECK(ask(p.port, get("/")).body == "one");
    CHECK(ask(p.port, post("Content-Length: 4\r\n", "once")).status == 502);
    CHECK(backend.requests().size() == 2);
    CHECK(ask(p.port, get("/")).body == "one");
    CHECK(ask(p.port, get("/")).body == "one");
    CHECK(backend.requests().size() == 5);
}

TEST_CASE("a killed backend costs no GET, is marked, and comes back") {
    auto first = std::make_unique<demo_backend>("first");
    const demo_backend second("second");
    const int port = first->port;
    const proxy p({first->address(), second.address()});
    client c(p.port);
    for (int i = 0; i < 20; ++i) CHECK(c.ask(get("/x")).status == 200);
    first->program.signal(SIGKILL);
    first->program.wait();
    for (int i = 0; i < 50; ++i) CHECK(c.ask(get("/x")).body == "second\n");
    CHECK(p.stats().find("\"conditions\": \"unreachable\"") != std::string::npos);
    first = std::make_unique<demo_backend>("first", port);
    for (int i = 0; i < 20'000 && p.stats().find("unreachable") != std::string::npos; ++i) {
    }
    bool back = false;
    for (int i = 0; i < 50; ++i) back = c.ask(get("/x")).body == "first\n" || back;
    CHECK(back);
}

TEST_CASE("a GET is sent three times at most, each time to another backend", "[threads]") {
    std::vector<std::unique_ptr<recorder>> dying;
    std::vector<std::string> addresses;
    for (int i = 0; i < 4; ++i) {
        dying.push_back(std::make_unique<recorder>([](auto&, auto&) { return ""; }));
        addresses.push_back(dying.back()->address());
    }
    const proxy p(addresses);
    for (int i = 1; i <= 10; ++i) {
        CHECK(ask(p.port, get("/")).body == "502 hung up\n");
        std::size_t sent = 0;
        for (const auto& d : dying) {
            CHECK(d->requests().size() <= static_cast<std::size_t>(i));
            sent += d->requests().size();
        }
        CHECK(sent == static_cast<std::size_t>(3 * i));
    }
    CHECK(p.comes_to("\"retried\": 20"));
}

TEST_CASE("a request that moves on from a refused connect is counted with the retried", "[threads]") {
    const nobody gone;
    recorder good([](auto&, auto&) { return "HTTP/1.1 204 No\r\n\r\n"s; });
    const proxy p({gone.address(), good.address()});
    for (int i = 0; i < 5; ++i) CHECK(ask(p.port, get("/")).status == 204);
    CHECK(p.comes_to("\"retried\": 1,"));
}

TEST_CASE("when all have failed, the reply says that none is left", "[threads]") {
    recorder first([](auto&, auto&) { return ""; }), second([](auto&, auto&) { return ""; });
    const proxy p({first.address(), second.address()});
    CHECK(ask(p.port, get("/")).body == "502 all_excluded\n");
}

TEST_CASE("when nobody is there, the reply says why") {
    const nobody gone;
    const proxy p({gone.address()}, {"--panic", "0"});
    CHECK(ask(p.port, get("/")).body == "502 none_eligible\n");  // tried in vain; then nobody to try
    const auto r = ask(p.port, get("/"));
    CHECK(r.status == 503);
    CHECK(r.body == "503 none_eligible\n");
    const auto expecting = ask(p.port, post("Content-Length: 3\r\nExpect: 100-continue\r\n"));
    CHECK(expecting.status == 503);
}

TEST_CASE("a refused connection is passed over, for any method and without retries", "[threads]") {
    const nobody gone;
    recorder good([](auto&, auto&) { return ok("good"); });
    for (const auto& request : {get("/"), post("Content-Length: 4\r\n", "once")}) {
        const proxy p({gone.address(), good.address()}, {"--retries", "0"});
        for (int i = 0; i < 10; ++i) CHECK(ask(p.port, request).body == "good");
        CHECK(p.comes_to("\"unreachable\""));
    }
    CHECK(good.requests().size() == 20);
}

TEST_CASE("a request passes over refused connections twice at most, or as often as there are retries") {
    const nobody gone[6];
    std::vector<std::string> addresses;
    for (const auto& one : gone) addresses.push_back(one.address());
    for (const auto& [retries, connects] : std::map<std::string, int>{{"0", 3}, {"1", 3}, {"2", 3}, {"4", 5}}) {
        CAPTURE(retries);
        const proxy p(addresses, {"--retries", retries, "--panic", "0"});
        CHECK(ask(p.port, get("/")).body == "502 hung up\n");
        const auto all = p.stats();
        int tried = 0;
        for (std::size_t at = 0; (at = all.find("\"unreachable\"", at)) != all.npos; ++at) ++tried;
        CHECK(tried == connects);
    }
}

TEST_CASE("100-continue is answered when a backend has been reached", "[threads]") {
    recorder backend([](auto&, const std::string& body) { return ok(body); });
    const proxy p({backend.address()});
    client c(p.port);
    CHECK(c.ask(post("Content-Length: 3\r\nExpect: 100-continue\r\n")).status == 100);
    CHECK(c.ask("abc").body == "abc");
    CHECK(backend.requests()[0].first.find("Expect") == std::string::npos);
    CHECK(c.ask(get("/")).status == 200);
}

TEST_CASE("limits have statuses of their own", "[threads]") {
    recorder backend([](auto&, auto&) { return ok("yes"); });
    const proxy p({backend.address()}, {"--max-body", "10"});
    CHECK(ask(p.port, post("Content-Length: 11\r\n", "hello world")).status == 413);
    CHECK(ask(p.port, chunks("b\r\nhello world\r\n0\r\n\r\n")).status == 413);
    CHECK(ask(p.port, post("Content-Length: 10\r\n", "hello worl")).status == 200);
    CHECK(backend.requests().size() == 1);
}

TEST_CASE("a backend may answer before it has the body", "[threads]") {
    // Not a recorder, which reads bodies first.
    auto [door, port] = listener();
    std::jthread backend([&listening = door] {
        descriptor fd(::accept(listening.fd, nullptr, nullptr));
        char buffer[1024];
        REQUIRE(::recv(fd.fd, buffer, sizeof buffer, 0) > 0);
        const std::string out = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
        ::send(fd.fd, out.data(), out.size(), MSG_NOSIGNAL);
        fd.readable();
    });
    const proxy p({"127.0.0.1:"s + std::to_string(port)});
    const auto r = ask(p.port, post("Content-Length: 1000000\r\n", "the beginning"));
    CHECK(r.status == 403);
    CHECK(r.body == "no");
}

TEST_CASE("three hundred clients that trickle are shed, and others do not notice", "[threads]") {
    recorder backend([](auto&, auto&) { return ok("yes"); });
    const proxy p({backend.address()}, {"--request-timeout", "500"});
    std::vector<client> slow;
    for (int i = 0; i < 300; ++i) slow.emplace_back(p.port);
    for (int i = 0; i < 300; ++i) {
        CHECK(slow[static_cast<std::size_t>(i)].send(
            i % 3 == 0   ? "GET / HT"
            : i % 3 == 1 ? "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"
                         : "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
        CHECK(ask(p.port, get("/")).body == "yes");
    }
    for (auto& c : slow) {
        CHECK(c.read().status == 408);
        CHECK(c.ended());
    }
    CHECK(ask(p.port, get("/")).body == "yes");
}

TEST_CASE("idle connections end on both sides when they are old", "[threads]") {
    recorder backend([](auto&, auto&) { return ok("yes"); });
    const proxy p({backend.address()}, {"--idle-timeout", "100"});
    client c(p.port);
    CHECK(c.ask(get("/")).body == "yes");
    CHECK(c.ended());
    for (int i = 0; i < patience && backend.ended == 0; ++i) backend.door.readable(1);
    CHECK(backend.ended == 1);
}

TEST_CASE("a body that trickles is as late as one that is missing", "[threads]") {
    recorder backend([](auto&, auto&) { return ok("yes"); });
    const proxy p({backend.address()}, {"--request-timeout", "500"});
    client c(p.port);
    REQUIRE(c.send(post("Content-Length: 100000\r\n")));
    int sent = 0;
    while (sent < 1000 && !c.d.readable(10) && c.send("x")) ++sent;
    CHECK(sent < 1000);
    CHECK(c.read().status == 408);
    CHECK(backend.requests().empty());
    CHECK(p.comes_to("\"cancelled\": 1"));
}

TEST_CASE("what a client says of its origin does not reach a backend", "[threads]") {
    recorder backend([](auto&, auto&) { return ok("yes"); });
    const proxy p({backend.address()});
    const std::string said =
        "Host: a\r\nX-Forwarded-For: 6.6.6.6\r\nx_forwarded_for: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n"
        "X-Real-IP: 6.6.6.6\r\nX-Forwarded-Host: 6.6.6.6\r\nX-Forwarded-Proto: 6.6.6.6\r\n";
    CHECK(ask(p.port, get("/", said)).head.find("\r\nVia: 1.1 weir\r\n") != std::string::npos);
    CHECK(ask(p.port, get("/", said + "Connection: x-forwarded-for, x-forwarded-host\r\n")).status == 200);
    REQUIRE(backend.requests().size() == 2);
    for (const auto& [head, body] : backend.requests()) {
        CHECK(head.find("6.6.6.6") == std::string::npos);
        CHECK(head.find("\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n") !=
              std::string::npos);
    }
}

TEST_CASE("a silent backend is 504, a client that leaves is cancelled", "[threads]") {
    std::mutex hold;
    auto held = std::make_unique<std::lock_guard<std::mutex>>(hold);
    recorder backend([&](auto&, auto&) {
        const std::lock_guard lock(hold);
        return ok("late");
    });
    {
        const proxy p({backend.address()}, {"--response-timeout", "200"});
        const auto r = ask(p.port, get("/"));
        CHECK(r.body == "504 too slow\n");
        CHECK(p.comes_to("\"timeout\": 1"));
    }
    {
        const proxy p({backend.address()});
        const auto before = backend.requests().size();
        {
            client c(p.port);
            c.send(get("/"));
            for (int i = 0; i < patience && backend.requests().size() == before; ++i) backend.door.readable(1);
        }
        CHECK(p.comes_to("\"cancelled\": 1"));
        CHECK(p.stats().find("\"in_flight\": 0") != std::string::npos);
    }
    held.reset();
}

TEST_CASE("SIGTERM lets running requests finish, and then the proxy exits with 0", "[threads]") {
    std::mutex hold;
    auto held = std::make_unique<std::lock_guard<std::mutex>>(hold);
    recorder backend([&](auto&, auto&) {
        const std::lock_guard lock(hold);
        return ok("finished");
    });
    proxy p({backend.address()}, {"--threads", "2"});
    std::vector<client> clients;
    for (int i = 0; i < 10; ++i) clients.emplace_back(p.port).send(get("/"));
    client idle(p.port);
    for (int i = 0; i < patience && backend.requests().size() < 10; ++i) backend.door.readable(1);
    REQUIRE(backend.requests().size() == 10);
    p.program.signal(SIGTERM);
    CHECK(idle.ended());
    CHECK(!client(p.port).connected);
    held.reset();
    for (auto& c : clients) {
        const auto r = c.read();
        CHECK(r.body == "finished");
        CHECK(c.ended());
    }
    CHECK(p.program.wait() == 0);
}

TEST_CASE("a second SIGTERM waits for nobody", "[threads]") {
    std::mutex hold;
    auto held = std::make_unique<std::lock_guard<std::mutex>>(hold);
    recorder backend([&](auto&, auto&) {
        const std::lock_guard lock(hold);
        return ok("late");
    });
    proxy p({backend.address()});
    client running(p.port), idle(p.port);
    running.send(get("/"));
    for (int i = 0; i < patience && backend.requests().empty(); ++i) backend.door.readable(1);
    REQUIRE(backend.requests().size() == 1);
    p.program.signal(SIGTERM);
    CHECK(idle.ended());
    p.program.signal(SIGTERM);
    CHECK(p.program.wait() == 1000 + SIGTERM);
    held.reset();
}

TEST_CASE("draining needs POST, and keeps traffic away") {
    const demo_backend first("first"), second("second");
    const proxy p({first.address(), second.address()});
    CHECK(ask(p.admin, get("/drain?backend=" + first.address())).status == 405);
    CHECK(ask(p.admin, "POST /drain?backend=x HTTP/1.1\r\nHost: a\r\n\r\n").status == 404);
    const auto order = [&](const std::string& verb, const std::string& more = "") {
        return ask(p.admin, "POST " + verb + "?backend=" + first.address() + " HTTP/1.1\r\nHost: a\r\n" + more + "\r\n")
            .status;
    };
    CHECK(order("/drain", "Origin: http://evil\r\n") == 405);
    CHECK(order("/drain") == 200);
    for (int i = 0; i < 50; ++i) CHECK(ask(p.port, get("/x")).body == "second\n");
    CHECK(order("/undrain") == 200);
    bool back = false;
    for (int i = 0; i < 50; ++i) back = ask(p.port, get("/x")).body == "first\n" || back;
    CHECK(back);
    CHECK(order("/remove") == 200);
    CHECK(order("/remove") == 404);
    for (int i = 0; i < 50; ++i) CHECK(ask(p.port, get("/x")).body == "second\n");
}

TEST_CASE("every selector that has a name serves") {
    const demo_backend a("a"), b("b");
    for (const std::string_view name : examples::balancer_names) {
        CAPTURE(name);
        const proxy p({a.address(), b.address()}, {"--balance", std::string(name)});
        for (int i = 0; i < 20; ++i) REQUIRE(ask(p.port, get("/" + std::to_string(i))).status == 200);
    }
}

TEST_CASE("selectors spread requests, and hashing ones keep their keys") {
    const demo_backend a("a"), b("b"), c("c");
    for (const std::string name : {"round_robin", "random", "least_connections", "power_of_two", "peak_ewma",
                                   "ring_hash", "bounded_ring_hash"}) {
        CAPTURE(name);
        const proxy p({a.address(), b.address(), c.address() + ",weight=2"},
                      {"--balance", name, "--key", "header:X-Key"});
        std::map<std::string, std::string> homes;
        std::map<std::string, int> served;
        for (int i = 0; i < 60; ++i) {
            const auto key = std::to_string(i % 20);
            const auto r = ask(p.port, get("/x", "Host: a\r\nx-key: " + key + "\r\n"));
            REQUIRE(r.status == 200);
            ++served[r.body];
            const auto home = homes.emplace(key, r.body).first->second;
            if (name.find("ring") != name.npos) CHECK(home == r.body);
        }
        CHECK(served.size() >= (name == "peak_ewma" ? 2 : 3));  // one after the other, the slowest never wins a draw
    }
}

TEST_CASE("a selector that hashes addresses keeps a client where it is, whatever it asks for") {
    const demo_backend a("a"), b("b"), c("c"), d("d");
    const proxy p({a.address(), b.address(), c.address(), d.address()}, {"--balance", "ip_hash"});
    const auto home = ask(p.port, get("/x")).body;
    for (int i = 0; i < 40; ++i) CHECK(ask(p.port, get("/x?" + std::to_string(i))).body == home);
    CHECK(p.stats().find("\"success\": 41") != std::string::npos);
}

TEST_CASE("load reports are taken from replies by the selector that follows them, and by no other", "[threads]") {
    recorder backend([](const std::string& head, auto&) {
        auto r = ok("yes");
        const std::string report = head.starts_with("GET /told") ? "TEXT cpu_utilization=0.5, rps_fractional=100"
                                                                 : "TEXT ?";
        return r.insert(r.find("\r\n") + 2, "Endpoint-Load-Metrics: " + report + "\r\n");
    });
    for (const std::string name : {"reported_utilization", "power_of_two"}) {
        const proxy p({backend.address()}, {"--balance", name});
        for (const std::string path : {"/told", "/garbage", "/told"}) CHECK(ask(p.port, get(path)).body == "yes");
        CHECK(p.comes_to("\"success\": 3"));
        CHECK(p.comes_to(name == "power_of_two" ? "\"load_reports\": 0" : "\"load_reports\": 2"));
    }
}

TEST_CASE("a demo backend with a capacity tells how busy it is, once it has counted for a second") {
    const demo_backend busy("busy", 0, {"--capacity", "1000"}), silent("silent");
    const proxy p({busy.address()}, {"--balance", "reported_utilization"});
    std::string head;
    for (int i = 0; i < 200'000 && head.find("\r\nendpoint-load-metrics: TEXT cpu_utilization=") == head.npos; ++i)
        head = ask(p.port, get("/")).head;
    CHECK(head.find(", rps_fractional=") != head.npos);
    CHECK(p.comes_to("\"load_reports\": 1"));
    CHECK(ask(silent.port, get("/")).head.find("endpoint-load-metrics") == std::string::npos);
}

TEST_CASE("a proxy that cannot start its threads says so and ends") {
    examples::child p({"/bin/sh", "-c",
                       "ulimit -v 400000; exec " TINY_PROXY
                       " --listen 127.0.0.1:0 --backend 127.0.0.1:1 --threads 200"});
    CHECK(p.wait() == 2);
    CHECK(p.said().find("200 threads") != std::string::npos);
}

TEST_CASE("checks take out who fails them, and let them back", "[threads]") {
    std::atomic<bool> well = false;
    recorder sick([&](const std::string& head, auto&) {
        return well || head.find("GET /health ") != 0 ? ok("sick") : "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"s;
    });
    recorder good([](auto&, auto&) { return ok("good"); });
    const proxy p({sick.address(), good.address()},
                  {"--check", "http:/health,interval=500,fast=20,rise=2,fall=2,host=shop.example,keep=1"});
    CHECK(p.comes_to("\"conditions\": \"failed_check\""));
    for (int i = 0; i < 20; ++i) CHECK(ask(p.port, get("/x")).body == "good");
    CHECK(sick.requests()[0].first.find("\r\nHost: shop.example\r\n") != std::string::npos);
    CHECK(p.stats().find("\"state\": \"down\"") != std::string::npos);
    well = true;
    std::string all;
    for (int i = 0; i < 20'000 && (all = p.stats()).find("failed_check") != all.npos; ++i) {
    }
    CHECK(all.find("failed_check") == all.npos);
    bool back = false;
    for (int i = 0; i < 20; ++i) back = ask(p.port, get("/x")).body == "sick" || back;
    CHECK(back);
}

TEST_CASE("a check by connect finds who refuses without a request, and statuses and bodies are the user's to expect",
          "[threads]") {
    const nobody gone;
    recorder good([](auto&, auto&) { return "HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nwell"s; });
    for (const std::string check : {"tcp,interval=500", "http:/x,interval=500,status=200-299+404,body=well"}) {
        CAPTURE(check);
        const proxy p({gone.address(), good.address()}, {"--check", check});
        CHECK(p.comes_to("\"conditions\": \"failed_check\""));
        CHECK(p.comes_to("\"state\": \"up\""));
        CHECK(p.stats().find("\"retried\": 0") != std::string::npos);
    }
    const proxy p({good.address()}, {"--check", "http:/x,interval=500,status=404,body=ill", "--panic", "0"});
    CHECK(p.comes_to("\"conditions\": \"failed_check\""));
    CHECK(ask(p.port, get("/")).body == "503 none_eligible\n");
}

TEST_CASE("an outlier is ejected, and comes back by way of a trial", "[threads]") {
    std::atomic<bool> well = false;
    recorder sick([&](auto&, auto&) { return well ? ok("sick") : "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"s; });
    recorder good([](auto&, auto&) { return ok("good"); });
    const proxy p({sick.address(), good.address()}, {"--outlier", "consecutive=3,base=300,max=300,interval=100"});
    for (int i = 0; i < 6; ++i) CHECK(ask(p.port, get("/")).status != 0);
    CHECK(p.comes_to("\"cause\": \"consecutive_failures\""));
    CHECK(p.comes_to("\"conditions\": \"half_open\""));
    well = true;
    std::string all;
    for (int i = 0; i < 20'000 && (all = p.stats()).find("in_service", all.find("in_service") + 1) == all.npos; ++i)
        CHECK(ask(p.port, get("/")).status != 0);
    CHECK(all.find("half_open") == all.npos);
    CHECK(all.find("ejected\"") == all.npos);
}

TEST_CASE("outliers stay out for their time, and without the flag nobody is ejected", "[threads]") {
    recorder sick([](auto&, auto&) { return "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"s; });
    recorder good([](auto&, auto&) { return ok("good"); });
    for (const bool eject : {false, true}) {
        const proxy p({sick.address(), good.address()},
                      eject ? std::vector<std::string>{"--outlier"} : std::vector<std::string>{});
        for (int i = 0; i < 10; ++i) ask(p.port, get("/"));  // five to each
        if (eject) CHECK(p.comes_to("\"conditions\": \"ejected\""));
        CHECK(p.comes_to("\"gateway_failure\": 5"));
        int failed = 0;
        for (int i = 0; i < 20; ++i) failed += ask(p.port, get("/")).status == 503;
        CHECK(failed == (eject ? 0 : 10));
    }
}

TEST_CASE("there are as many retries as are asked for", "[threads]") {
    std::vector<std::unique_ptr<recorder>> dying;
    std::vector<std::string> addresses;
    for (int i = 0; i < 5; ++i) {
        dying.push_back(std::make_unique<recorder>([](auto&, auto&) { return ""; }));
        addresses.push_back(dying.back()->address());
    }
    const auto sent = [&] {
        std::size_t all = 0;
        for (const auto& d : dying) all += d->requests().size();
        return all;
    };
    for (const std::size_t retries : {0u, 1u, 4u}) {
        const proxy p(addresses, {"--retries", std::to_string(retries)});
        const auto before = sent();
        for (int i = 0; i < 5; ++i) CHECK(ask(p.port, get("/")).body == "502 hung up\n");
        CHECK(sent() - before == 5 * (1 + retries));
        CHECK(p.comes_to("\"retried\": " + std::to_string(5 * retries)));
    }
}

TEST_CASE("retries end with their budget, and requests go on", "[threads]") {
    recorder first([](auto&, auto&) { return ""; }), second([](auto&, auto&) { return ""; });
    const proxy p({first.address(), second.address()});
    for (int round = 0; round < 30; ++round) {
        std::vector<client> clients;
        for (int i = 0; i < 8; ++i) clients.emplace_back(p.port).send(get("/"));
        for (auto& c : clients) CHECK(c.read().status == 502);
    }
    CHECK(p.stats().find("\"retries_refused\": 0") == std::string::npos);
    CHECK(p.stats().find("\"requests\": 240") != std::string::npos);
}

TEST_CASE("a cookie keeps a session on its backend, also while that drains") {
    auto first = std::make_unique<demo_backend>("first");
    const demo_backend second("second");
    for (const std::string balance : {"round_robin", "random", "maglev", "bounded_ring_hash"}) {
        CAPTURE(balance);
        const proxy p({first->address(), second.address()}, {"--sticky", "weir", "--balance", balance});
        const auto issued = [](const reply& r) {
            const auto at = r.head.find("\r\nSet-Cookie: weir=");
            if (at == r.head.npos) return ""s;
            CHECK(r.head.substr(at + 35).find("; HttpOnly; Path=/; SameSite=Lax\r\n") == 0);
            return r.head.substr(at + 19, 16);
        };
        std::map<std::string, std::string> tokens;  // by backend
        for (int i = 0; i < 1000 && tokens.size() < 2; ++i) {
            const auto r = ask(p.port, get("/" + std::to_string(i)));
            tokens[r.body] = issued(r);
        }
        REQUIRE(tokens.size() == 2);
        CHECK(tokens["first\n"] != tokens["second\n"]);
        const auto with = [&](const std::string& cookie) {
            return ask(p.port, get("/x", "Host: a\r\nCookie: " + cookie + "\r\n"));
        };
        for (const auto& [body, token] : tokens)
            for (const auto& cookie : {"weir=" + token, "a=b; weir=" + token + ";c=d", "a=b;weir=" + token}) {
                const auto r = with(cookie);
                CHECK(r.body == body);
                CHECK(issued(r).empty());
            }
        for (const auto& forged :
             std::vector<std::string>{"weir=0123456789abcdef", "weir=", "weir", "weir=x", "xweir=" + tokens["first\n"],
                                      "weir=127.0.0.1:80", "weir=" + tokens["first\n"] + "0"}) {
            CAPTURE(forged);
            const auto r = with(forged);
            CHECK(r.status == 200);
            CHECK(issued(r) == tokens[r.body]);
        }
        const auto order = "POST /drain?backend=" + first->address() + " HTTP/1.1\r\nHost: a\r\n\r\n";
        CHECK(ask(p.admin, order).status == 200);
        for (int i = 0; i < 10; ++i) CHECK(ask(p.port, get("/" + std::to_string(i))).body == "second\n");
        CHECK(with("weir=" + tokens["first\n"]).body == "first\n");
    }
    const proxy p({first->address(), second.address()}, {"--sticky", "weir"});
    std::string cookie;
    for (reply r; r.body != "first\n"; cookie = r.head.substr(r.head.find("weir="), 21)) r = ask(p.port, get("/x"));
    first.reset();  // killed
    const auto moved = ask(p.port, get("/x", "Host: a\r\nCookie: " + cookie + "\r\n"));
    CHECK(moved.body == "second\n");
    CHECK(moved.head.find("\r\nSet-Cookie: weir=") != std::string::npos);
    CHECK(moved.head.find(cookie) == std::string::npos);
}

TEST_CASE("without the flag no cookie is set, and a client's own reach the backend", "[threads]") {
    recorder backend([](auto&, auto&) { return ok("yes"); });
    const proxy p({backend.address()});
    CHECK(ask(p.port, get("/", "Host: a\r\nCookie: a=b; weir=0123456789abcdef\r\n")).head.find("Set-Cookie") ==
          std::string::npos);
    CHECK(backend.requests()[0].first.find("\r\nCookie: a=b; weir=0123456789abcdef\r\n") != std::string::npos);
}

TEST_CASE("in panic those who are out are tried all the same", "[threads]") {
    std::optional<nobody> gone(std::in_place);
    const int port = gone->port();
    const proxy p({gone->address()});
    CHECK(ask(p.port, get("/")).status == 502);
    CHECK(p.comes_to("\"panic\": true"));
    CHECK(ask(p.port, get("/")).body == "502 all_excluded\n");
    gone.reset();
    recorder back([](auto&, auto&) { return ok("back"); }, port);
    CHECK(ask(p.port, get("/")).body == "back");
}

TEST_CASE("a wrong command line is one line that names the value and what is accepted, and exit code 2") {
    auto [held, port] = listener();
    const auto taken = "127.0.0.1:"s + std::to_string(port);
    struct wrong {
        std::vector<std::string> arguments;
        std::vector<std::string> named;
    };
    const std::string b = "127.0.0.1:1";
    for (const auto& [arguments, named] : std::vector<wrong>{
             {{}, {"--backend", "HOST:PORT"}},
             {{"--backend", b, "--balance", "best"}, {"best", "round_robin", "bounded_ring_hash"}},
             {{"--backend", "nonsense"}, {"nonsense", "HOST:PORT"}},
             {{"--backend", "a:b"}, {"a:b", "HOST:PORT"}},
             {{"--backend", "a:99999"}, {"a:99999", "65535"}},
             {{"--backend", b + ",weight=x"}, {"weight=x", "weight=N"}},
             {{"--backend", b + ",wait=1"}, {"wait=1", "weight=N"}},
             {{"--backend", b + ",weight="}, {"weight=", "weight=N"}},
             {{"--backend", b + ",weight=-1"}, {"-1", "4294967295"}},
             {{"--backend", b + ",weight= 3"}, {"weight= 3", "weight=N"}},
             {{"--backend", b + ",weight=0x10"}, {"weight=0x10", "weight=N"}},
             {{"--backend", b + ",weight=nan"}, {"nan", "4294967295"}},
             {{"--backend", b + ",weight=inf"}, {"inf", "4294967295"}},
             {{"--backend", b + ",weight=1.5"}, {"1.5", "4294967295"}},
             {{"--backend", b + ",weight=4294967296"}, {"4294967296", "4294967295"}},
             {{"--backend", b, "--backend", b}, {b}},
             {{"--backend", b, "--listen", taken}, {taken, "in use"}},
             {{"--backend", b, "--listen", "127.0.0.1:0", "--admin", "0.0.0.0:0"}, {"0.0.0.0:0", "loopback"}},
             {{"--backend", b, "--key", "cookie"}, {"cookie", "header:NAME"}},
             {{"--backend", b, "--key", "header:"}, {"header:", "header:NAME"}},
             {{"--backend", b, "--key", "header:a b"}, {"header:a b", "header:NAME"}},
             {{"--backend", b, "--balance", "ip_hash", "--key", "path"}, {"path", "expected ip", "ip_hash"}},
             {{"--backend", b, "--threads", "0"}, {"0", "1"}},
             {{"--backend", b, "--threads", "many"}, {"many"}},
             {{"--backend", b, "--connect-timeout", "-1"}, {"-1"}},
             {{"--backend", b, "--idle-timeout", "nan"}, {"nan"}},
             {{"--backend", b, "--max-body=-1"}, {"-1", "9223372036854775807"}},
             {{"--backend", b, "--check", "udp"}, {"udp", "tcp or http:/PATH"}},
             {{"--backend", b, "--check", "http:health"}, {"http:health", "http:/PATH"}},
             {{"--backend", b, "--check", "tcp,rise"}, {"rise", "rise=N"}},
             {{"--backend", b, "--check", "tcp,rise=x"}, {"rise=x", "rise=N"}},
             {{"--backend", b, "--check", "tcp,rise=0"}, {"rise 0", "at least 1"}},
             {{"--backend", b, "--check", "tcp,fall=-1"}, {"fall -1", "at least 1"}},
             {{"--backend", b, "--check", "tcp,body=x"}, {"body=x", "for http"}},
             {{"--backend", b, "--check", "tcp,interval=100,timeout=200"}, {"0.2 s", "0.1 s"}},
             {{"--backend", b, "--check", "tcp,interval=-5"}, {"-0.005 s"}},
             {{"--backend", b, "--check", "tcp,interval=99999999999"}, {"interval=99999999999", "interval=MS"}},
             {{"--backend", b, "--check", "tcp,jitter=2"}, {"jitter 2", "0 to 1"}},
             {{"--backend", b, "--check", "http:/,status=20x"}, {"status=20x", "status=200-299"}},
             {{"--backend", b, "--check", "http:/,status=99"}, {"99", "200 to 599"}},
             {{"--backend", b, "--check", "http:/ x"}, {"/ x", "visible"}},
             {{"--backend", b, "--outlier", "often=1"}, {"often=1", "consecutive=N"}},
             {{"--backend", b, "--outlier", "consecutive=0"}, {"consecutive_failures of 0", "at least 1"}},
             {{"--backend", b, "--outlier", "share=1.5"}, {"1.5", "0 to 1"}},
             {{"--backend", b, "--outlier", "base=10,max=5"}, {"max_ejection_time", "base_ejection_time"}},
             {{"--backend", b, "--retries", "-1"}, {"-1", "not in range", "7"}},
             {{"--backend", b, "--retries", "8"}, {"8", "not in range", "7"}},
             {{"--backend", b, "--sticky", "a b"}, {"a b", "a cookie's name"}},
             {{"--backend", b, "--panic", "101"}, {"101", "not in range", "100"}},
             {{"--backend", b, "--frobnicate"}, {"--frobnicate", "--help"}},
         }) {
        auto all = arguments;
        all.insert(all.begin(), TINY_PROXY);
        examples::child p(all);
        CHECK(p.wait() == 2);
        CAPTURE(arguments, p.said());
        CHECK(std::count(p.said().begin(), p.said().end(), '\n') == 1);
        for (const auto& word : named) CHECK(p.said().find(word) != p.said().npos);
    }
}

TEST_CASE("1 GiB goes up and comes down in constant memory") {
    const demo_backend backend("backend");
    const proxy p({backend.address()});
    constexpr std::uint64_t size = std::uint64_t{1} << 30;
    const std::string piece(1 << 20, 'x');
    client c(p.port);
    REQUIRE(c.send(post("Content-Length: "s + std::to_string(size) + "\r\n")));
    for (std::uint64_t sent = 0; sent < size; sent += piece.size()) REQUIRE(c.send(piece));
    CHECK(c.read().body.find("\"received\":1073741824") != std::string::npos);

    REQUIRE(c.send(get("/bytes/"s + std::to_string(size))));
    std::string line;
    do REQUIRE(c.line(line));
    while (!line.empty());
    std::uint64_t got = 0;
    for (bool right = true; got < size; c.in.clear()) {
        if (c.in.empty()) REQUIRE(c.more());
        for (std::size_t i = 0; i < c.in.size(); i += 509)
            right = right && c.in[i] == static_cast<char>('a' + (got + i) % 23);
        got += c.in.size();
        REQUIRE(right);
    }
    CHECK(got == size);
    const auto peak = peak_kib(p.program.id());
    WARN("the proxy's peak was " << peak << " KiB");
    CHECK(peak < 64 * 1024);
}
#endif
