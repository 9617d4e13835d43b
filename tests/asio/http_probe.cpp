#include "weir/asio/http_probe.hpp"

#include "support/loopback.hpp"

#include <string>
#include <utility>
#include <vector>

using namespace weir;
using namespace weir_test;
using namespace std::literals;
using Catch::Matchers::ContainsSubstring;

static_assert(endpoint_probe<http_probe>);

namespace {

constexpr auto passed = probe_result::passed, failed = probe_result::failed;

/// What a probe says of one answer.
probe_result judge(const std::string& answer, const http_probe_options& options = {}) {
    asio::io_context context;
    const loopback_server server{context, [&](std::size_t) { return answer; }};
    probe_target target{{server.endpoint()}};
    const auto result = run(context, http_probe{options}, target);
    CHECK(server.accepted() == 1);
    CHECK(server.heads().size() == 1);
    return result;
}

std::string with_status(unsigned status) { return page("", std::to_string(status) + " So"); }

}  // namespace

TEST_CASE("the statuses that are expected pass, and no others") {
    for (const unsigned status : {200u, 204u, 299u, 301u, 399u}) CHECK(judge(with_status(status)) == passed);
    for (const unsigned status : {400u, 404u, 500u, 503u, 599u}) CHECK(judge(with_status(status)) == failed);
    const http_probe_options some{.statuses = {200, {300, 302}, 404}};
    for (const unsigned status : {200u, 300u, 302u, 404u}) CHECK(judge(with_status(status), some) == passed);
    for (const unsigned status : {201u, 299u, 303u, 403u, 405u}) CHECK(judge(with_status(status), some) == failed);
}

TEST_CASE("target and Host are sent as they are told, and once") {
    asio::io_context context;
    const loopback_server server{context, [](std::size_t) { return page(); }};
    probe_target target{{server.endpoint()}};
    CHECK(run(context, http_probe{{.target = "/health?full=1", .host = "shop.example:8080"}}, target) == passed);
    CHECK(run(context, http_probe{}, target) == passed);
    CHECK(run(context, http_probe{{.keep = true}}, target) == passed);
    REQUIRE(server.heads().size() == 3);
    CHECK_THAT(server.heads()[0], ContainsSubstring("GET /health?full=1 HTTP/1.1\r\nHost: shop.example:8080\r\n"));
    CHECK_THAT(server.heads()[0], ContainsSubstring("\r\nConnection: close\r\n"));
    const auto here = "127.0.0.1:" + std::to_string(server.endpoint().port());
    CHECK_THAT(server.heads()[1], ContainsSubstring("GET / HTTP/1.1\r\nHost: " + here + "\r\n"));
    CHECK(server.heads()[2].find("Connection") == std::string::npos);
}

TEST_CASE("a text that is expected must occur in the body, however that is framed") {
    const http_probe_options wants{.body = "all well"};
    CHECK(judge(page("they are all well today"), wants) == passed);
    CHECK(judge(page("all wel"), wants) == failed);
    CHECK(judge(page(""), wants) == failed);
    CHECK(judge("HTTP/1.1 200 OK\r\nX: all well\r\nContent-Length: 2\r\n\r\nno", wants) == failed);
    CHECK(judge("HTTP/1.1 204 No\r\n\r\n", wants) == failed);
    const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    CHECK(judge(chunked + "5\r\nall w\r\n3\r\nell\r\n0\r\n\r\n", wants) == passed);
    CHECK(judge("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall well", wants) == passed);
    CHECK(judge("HTTP/1.1 500 No\r\nContent-Length: 8\r\n\r\nall well", wants) == failed);
    // Cut short, it may have been another text.
    CHECK(judge("HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\nall well", wants) == failed);
}

TEST_CASE("an answer is read up to its limits") {
    const std::string large(1000, 'x');
    CHECK(judge("HTTP/1.1 200 OK\r\nX: " + large + "\r\nContent-Length: 0\r\n\r\n", {.max_head = 1000}) == failed);
    CHECK(judge("HTTP/1.1 200 OK\r\nX: " + large + "\r\nContent-Length: 0\r\n\r\n", {.max_head = 1100}) == passed);
    CHECK(judge("HTTP/1.1 200 OK\r\n" + std::string(100'000, 'x'), {}) == failed);

    // A text that is looked for must be found within the limit, and the rest must fit, too.
    CHECK(judge(page(large), {.body = "x", .max_body = 999}) == failed);
    CHECK(judge(page(large), {.body = "x", .max_body = 1000}) == passed);
    const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + large +
                                "\r\n0\r\n\r\n";
    CHECK(judge(chunked, {.body = "x", .max_body = 999}) == failed);
    CHECK(judge(chunked, {.body = "x", .max_body = 1000}) == passed);
    CHECK(judge("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + large, {.body = "x", .max_body = 999}) == failed);

    // Else the status has decided.
    CHECK(judge(page(large), {.max_body = 999}) == passed);
    const std::string endless =
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000\r\n\r\nx";  // and room for none of it
    CHECK(judge(endless, {}) == passed);
    CHECK(judge(endless, {.keep = true}) == passed);
    CHECK(judge(endless, {.body = "x"}) == failed);
}

TEST_CASE("a body that is too large costs the connection that would have been kept, and no more") {
    asio::io_context context;
    const loopback_server server{context, [](std::size_t) { return page(std::string(1000, 'x')); }};
    probe_target target{{server.endpoint()}};
    CHECK(run(context, http_probe{{.keep = true, .max_body = 999}}, target) == passed);
    CHECK_FALSE(target.kept);
    CHECK(run(context, http_probe{{.keep = true, .max_body = 1000}}, target) == passed);
    CHECK(target.kept);
}

TEST_CASE("garbage has failed") {
    for (const auto& garbage : std::vector<std::string>{
             "\0\1\2\3"s,
             "SSH-2.0-OpenSSH_9.2\r\n\r\n",
             "HTTP/1.1\r\n\r\n",
             "HTTP/1.1 OK\r\n\r\n",
             "HTTP/9.1 200 OK\r\n\r\n",
             "HTTP/1.1 2000 OK\r\n\r\n",
             "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
             "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
             "HTTP/1.1 200 OK\r\nno field\r\n\r\n",
             "\x16\x03\x01\x02",
             "200 OK\r\n\r\n",
         }) {
        CAPTURE(garbage);
        CHECK(judge(garbage + "Connection: close") == failed);
    }
    CHECK(judge("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nxyz\r\n", {.body = "z"}) ==
          failed);
    CHECK(judge("") == failed);  // closed without a byte, on a fresh connection
}

TEST_CASE("interim answers are passed over, though not for ever") {
    const std::string hint = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    CHECK(judge(hint + page()) == passed);
    CHECK(judge(hint + hint + with_status(500)) == failed);
    std::string many;
    for (int i = 0; i < 100; ++i) many += hint;
    CHECK(judge(many + page()) == failed);
}

TEST_CASE("whoever refuses, or is not there, has failed") {
    asio::io_context context;
    const closed_door nobody{context};
    probe_target target{{nobody.endpoint()}}, nowhere;
    CHECK(run(context, http_probe{}, target) == failed);
    CHECK(run(context, http_probe{}, nowhere) == failed);
}

TEST_CASE("a connection is kept where that is asked for, and used again") {
    for (const bool keep : {false, true}) {
        asio::io_context context;
        const loopback_server server{context, [](std::size_t) { return page(); }};
        probe_target target{{server.endpoint()}};
        for (int i = 0; i < 5; ++i) CHECK(run(context, http_probe{{.body = "fine", .keep = keep}}, target) == passed);
        CHECK(server.heads().size() == 5);
        CHECK(server.accepted() == (keep ? 1 : 5));
    }
}

TEST_CASE("a connection whose end is announced, or whose answer has failed, is not kept") {
    for (const auto& answer : {page("", "500 No"), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"s,
                               "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"s, page() + "and more"}) {
        asio::io_context context;
        const loopback_server server{context, [&](std::size_t) { return answer; }};
        probe_target target{{server.endpoint()}};
        CAPTURE(answer);
        (void)run(context, http_probe{{.keep = true}}, target);
        CHECK_FALSE(target.kept);
    }
}

TEST_CASE("a kept connection that has died between probes says nothing of the backend, once") {
    asio::io_context context;
    // The second request on a connection kills it; from the sixth on, so does the first.
    const loopback_server server{context, [](std::size_t n) { return n % 2 == 0 || n > 5 ? "" : page(); }};
    probe_target target{{server.endpoint()}};
    const http_probe probe{{.keep = true}};
    CHECK(run(context, probe, target) == passed);  // 1
    CHECK(run(context, probe, target) == passed);  // 2 dies, 3
    CHECK(server.accepted() == 2);
    CHECK(run(context, probe, target) == passed);  // 4 dies, 5
    CHECK(server.accepted() == 3);
    CHECK(run(context, probe, target) == failed);  // 6 dies, and 7 on a fresh connection, too
    CHECK(server.accepted() == 4);
    CHECK(server.heads().size() == 7);
    CHECK(run(context, probe, target) == failed);  // nothing is kept: one attempt
    CHECK(server.heads().size() == 8);
}

TEST_CASE("the same where the other side closed an idle connection") {
    asio::io_context context;
    tcp::acceptor door{context, {asio::ip::address_v4::loopback(), 0}};
    probe_target target{{door.local_endpoint()}};
    {
        tcp::socket mine{context}, theirs{context};
        mine.connect(door.local_endpoint());
        door.accept(theirs);
        target.kept.emplace(std::move(mine));
    }
    const loopback_server server{context, [](std::size_t) { return page(); }};
    target.endpoints = {server.endpoint()};
    CHECK(run(context, http_probe{{.keep = true}}, target) == passed);
    CHECK(server.accepted() == 1);
}

TEST_CASE("an answer that nobody asked for is not taken for one") {
    asio::io_context context;
    tcp::acceptor door{context, {asio::ip::address_v4::loopback(), 0}};
    for (const auto& [unasked, asked] :
         {std::pair{page("", "408 Too Slow"), page()}, std::pair{page(), page("", "500 No")}}) {
        const loopback_server server{context, [&, said = asked](std::size_t) { return said; }};
        probe_target target{{server.endpoint()}};
        tcp::socket mine{context}, theirs{context};
        mine.connect(door.local_endpoint());
        door.accept(theirs);
        asio::write(theirs, asio::buffer(unasked));
        mine.wait(tcp::socket::wait_read);
        target.kept.emplace(std::move(mine));
        CHECK(run(context, http_probe{{.keep = true}}, target) == (asked == page() ? passed : failed));
        CHECK(server.accepted() == 1);
    }
}

TEST_CASE("a failure on a kept connection is a failure, and no reason to ask again") {
    asio::io_context context;
    const loopback_server server{context, [](std::size_t n) { return n == 1 ? page() : page("", "500 No"); }};
    probe_target target{{server.endpoint()}};
    CHECK(run(context, http_probe{{.keep = true}}, target) == passed);
    CHECK(run(context, http_probe{{.keep = true}}, target) == failed);
    CHECK(server.heads().size() == 2);
}

TEST_CASE("a probe that is cancelled ends, wherever it is") {
    asio::io_context context;
    const std::optional<std::string> silence;
    for (const std::optional<std::string>& answer :
         {silence, std::optional{"HTTP/1.1 200 O"s},
          std::optional{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"s}}) {
        const loopback_server server{context, [&](std::size_t) { return answer; }};
        probe_target target{{server.endpoint()}};
        const auto reached = [&] { return server.heads().size() == 1; };
        CHECK(run_cancelled(context, http_probe{{.body = "abc"}}, target, reached) == failed);
        run_until(context, [&] { return server.ended() == 1; });  // it hung up
    }
}

TEST_CASE("a probe that is cancelled on a kept connection asks nobody else") {
    asio::io_context context;
    const loopback_server server{context, [](std::size_t n) { return n == 1 ? std::optional{page()} : std::nullopt; }};
    probe_target target{{server.endpoint()}};
    CHECK(run(context, http_probe{{.keep = true}}, target) == passed);
    const auto reached = [&] { return server.heads().size() == 2; };
    CHECK(run_cancelled(context, http_probe{{.keep = true}}, target, reached) == failed);
    run_until(context, [&] { return server.ended() == 1; });
    CHECK_FALSE(target.kept);
    CHECK(server.accepted() == 1);
}
