#include "../../../examples/tiny_proxy/gate.hpp"

#include "catch.hpp"
#include "hostile.hpp"

#include <string>
#include <vector>

#if __has_include(<boost/beast/http/status.hpp>)
#include "../../../examples/tiny_proxy/rewrite.hpp"
#endif

using namespace tiny_proxy;
using namespace std::literals;
using namespace hostile_table;

namespace {

constexpr int unfinished = -1;

/// The status of the refusal that `f` ends in; 0 if it does not.
template <class F>
int refused(F f) {
    try {
        f();
        return 0;
    } catch (const refusal& why) {
        CHECK(why);
        CHECK(!why.reason.empty());
        return why.status;
    }
}

/// What the gate says of these bytes: 0 if a whole request passes, `unfinished` if it waits for more.
int judge(std::string_view bytes) {
    head h;
    std::size_t seen = 0, end = 0;
    std::string payload;
    bool done = false;
    const int status = refused([&] {
        end = find_head(bytes, seen);
        if (end == 0) return;
        check_request(bytes.substr(0, end), h);
        body_reader body(h);
        body.feed(bytes.substr(end), payload);
        done = body.done();
    });
    return status == 0 && !done ? unfinished : status;
}

/// The same with the bytes arriving one at a time.
int judge_trickle(std::string_view bytes) {
    head h;
    std::size_t seen = 0, end = 0, at = 0;
    bool done = false;
    const int status = refused([&] {
        while (end == 0 && at < bytes.size()) end = find_head(bytes.substr(0, ++at), seen);
        if (end == 0) return;
        check_request(bytes.substr(0, end), h);
        body_reader body(h);
        std::string waiting, payload;
        for (; at < bytes.size() && !body.done(); ++at) {
            waiting += bytes[at];
            waiting.erase(0, body.feed(waiting, payload));
        }
        done = body.done();
    });
    return status == 0 && !done ? unfinished : status;
}

const std::vector<std::string> valid_requests = {
    get("/"),
    get("/a/b?c=d&e=%20|^{}[]`'()"),
    get("/", "Host: a:8080\r\n"),
    get("/", "Host: A.Example-1_x~:1\r\n"),
    get("/", "Host: [2001:db8::1]:80\r\n"),
    get("/", "host:a\r\n"),
    get("/", "Host: \t a \t\r\n"),
    get("http://a/x"),
    get("HTTP://A/x"),
    get("http://a:80/x"),
    get("http://a"),
    get("//x"),
    get("/", "Host: a\r\nX:\r\n"),
    get("/", "Host: a\r\nX: \xc3\xa4\r\n"),
    get("/", "Host: a\r\nX: a\tb\r\n"),
    get("/", "Host: a\r\n!#$%&'*+-.^_`|~0aZ: y\r\n"),
    get("/", "Host: a\r\nX: y\r\nX: y\r\n"),
    "GET / HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n",
    post("Content-Length: 0\r\n"),
    post("Content-Length: 5\r\n", "hello"),
    post("Content-Length: 005\r\n", "hello"),
    post("CONTENT-LENGTH:5\r\n", "hello"),
    post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    post("Transfer-Encoding: CHUNKED \t\r\n", "0\r\n\r\n"),
    post("Content-Length: 2\r\nExpect: 100-Continue\r\n", "{}"),
    chunks("5\r\nhello\r\n0\r\n\r\n"),
    chunks("05\r\nhello\r\nA\r\n0123456789\r\n00\r\n\r\n"),
    chunks("5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n"),
    chunks("1\r\n\n\r\n2\r\n\r\n\r\n0\r\nX: y\r\nZ: \r\n\r\n"),
};

}  // namespace

TEST_CASE("every hostile request is refused, however it arrives") {
    const auto all = hostile_requests();
    std::size_t refused = 0;
    for (const auto& [bytes, statuses] : all) {
        CAPTURE(bytes);
        CHECK(statuses.count(judge(bytes)) == 1);
        CHECK(statuses.count(judge_trickle(bytes)) == 1);
        refused += statuses.count(judge(bytes));
    }
    WARN(refused << " of " << all.size() << " hostile requests refused");
    CHECK(all.size() >= 210);
}

TEST_CASE("valid requests pass, however they arrive") {
    for (const auto& bytes : valid_requests) {
        CAPTURE(bytes);
        CHECK(judge(bytes) == 0);
        CHECK(judge_trickle(bytes) == 0);
    }
}

TEST_CASE("no proper prefix of a valid request passes") {
    for (const auto& bytes : valid_requests)
        for (std::size_t n = 0; n < bytes.size(); ++n) {
            CAPTURE(bytes, n);
            CHECK(judge(std::string_view(bytes).substr(0, n)) == unfinished);
        }
}

TEST_CASE("a body reader takes its body and nothing of what follows") {
    for (std::size_t size = 0; size < 70; ++size)
        for (std::size_t piece = 1; piece < 9; ++piece) {
            const std::string body(size, 'x');
            std::string chunked;
            for (std::size_t at = 0; at < size; at += piece) {
                const auto part = body.substr(at, piece);
                chunked += std::to_string(part.size()) + "\r\n" + part + "\r\n";
            }
            for (const auto& [fields, sent] : {std::pair{"Content-Length: "s + std::to_string(size) + "\r\n", body},
                                               std::pair{"Transfer-Encoding: chunked\r\n"s, chunked + "0\r\n\r\n"}}) {
                head h;
                const auto request = post(fields);
                check_request(request, h);
                body_reader reader(h);
                std::string payload;
                CHECK(reader.feed(sent + "GET /next", payload) == sent.size());
                CHECK(reader.done());
                CHECK(payload == body);
            }
        }
}

TEST_CASE("a body over its limit is 413, by its length and by its chunks") {
    std::string payload;
    head h;
    check_request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", h);
    CHECK(refused([&] { body_reader(h, 10); }) == 413);
    CHECK(refused([&] { body_reader(h, 11); }) == 0);
    check_request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", h);
    body_reader reader(h, 10);
    CHECK(refused([&] { reader.feed("6\r\nabcdef\r\n5\r\n", payload); }) == 413);
    CHECK(payload == "abcdef");
}

TEST_CASE("responses that could be read in two ways are refused") {
    head h;
    for (const auto* bytes :
         {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
          "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
          "HTTP/1.1 200 OK\r\nX : a\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
          "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 600 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n",
          "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n", "200 OK\r\n\r\n", "\r\n",
          "HTTP/1.1 200 OK\r\nX: \x01\r\n\r\n", "HTTP/1.1 +20 OK\r\n\r\n"}) {
        CAPTURE(bytes);
        CHECK(refused([&] { check_response(bytes, "GET", h); }) >= 400);
    }
}

TEST_CASE("a response's body follows from its status, its request and its framing") {
    head h;
    const auto framing_of = [&](const std::string& bytes, std::string_view method) {
        CAPTURE(bytes);
        check_response(bytes, method, h);
        return h.body;
    };
    CHECK(framing_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "GET") == framing::length);
    CHECK(framing_of("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n", "GET") == framing::chunked);
    CHECK(framing_of("HTTP/1.1 200 OK\r\n\r\n", "GET") == framing::until_close);
    CHECK(!h.keep_alive);
    CHECK(framing_of("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", "GET") == framing::length);
    CHECK(!h.keep_alive);
    CHECK(framing_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD") == framing::none);
    CHECK(h.length == 5u);
    CHECK(framing_of("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET") == framing::none);
    CHECK(h.length == 5u);
    CHECK(framing_of("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "GET") == framing::none);
    CHECK_FALSE(h.length);
    CHECK(framing_of("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "GET") == framing::none);
}

#if __has_include(<boost/beast/http/status.hpp>)
TEST_CASE("what passes is written anew: hop-by-hop fields go first, ours come last") {
    head h;
    const auto bytes = get("http://a/x?y", "Host: a\r\nConnection: keep-alive, X-Forwarded-For, x-secret, Via, Host\r\n"
                                           "X-Secret: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: websocket\r\n"
                                           "Proxy-Connection: close\r\nProxy-Authorization: x\r\nTrailer: z\r\n"
                                           "X-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\n"
                                           "x-forwarded-host: evil\r\nX-Forwarded-Proto: https\r\nForwarded: for=6\r\n"
                                           "Accept: */*\r\nContent_Length: 7\r\nTransfer_Encoding: chunked\r\n");
    check_request(bytes, h);
    CHECK(to_backend(h, "1.2.3.4", "b:1") == "GET /x?y HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nVia: 1.1 weir\r\n"
                                             "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: http\r\n"
                                             "X-Forwarded-Host: a\r\n\r\n");
}

TEST_CASE("a request keeps its framing, an HTTP/1.0 one gets a Host") {
    head h;
    const auto bytes = post("Content-Length: 005\r\nExpect: 100-continue\r\n");
    check_request(bytes, h);
    CHECK(to_backend(h, "c", "b:1") ==
          "POST / HTTP/1.1\r\nHost: a\r\nVia: 1.1 weir\r\nContent-Length: 5\r\nX-Forwarded-For: c\r\n"
          "X-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n\r\n");
    check_request("GET / HTTP/1.0\r\n\r\n", h);
    CHECK(to_backend(h, "c", "b:1") == "GET / HTTP/1.1\r\nHost: b:1\r\nVia: 1.0 weir\r\nX-Forwarded-For: c\r\n"
                                       "X-Forwarded-Proto: http\r\n\r\n");
}

TEST_CASE("HTTP/1.0 clients get no chunks, and a response's own hop-by-hop fields stay behind") {
    head request, response;
    check_request("GET / HTTP/1.0\r\n\r\n", request);
    check_response("HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\nConnection: x-a\r\nX-A: 1\r\nX-B: 2\r\n\r\n",
                   "GET", response);
    CHECK(to_client(request, response, false) ==
          "HTTP/1.1 200 OK\r\nX-B: 2\r\nVia: 1.1 weir\r\nConnection: close\r\n\r\n");
    request.minor = 1;
    CHECK(to_client(request, response, true) ==
          "HTTP/1.1 200 OK\r\nX-B: 2\r\nVia: 1.1 weir\r\nTransfer-Encoding: chunked\r\n\r\n");
}
#endif
