#pragma once

// Requests that must not pass: the gate's own test judges them in memory, the live test sends them.

#include <set>
#include <string>
#include <vector>

namespace hostile_table {

using namespace std::literals;

struct hostile {
    std::string bytes;
    std::set<int> statuses = {400};
};

inline std::string get(const std::string& target, const std::string& fields = "Host: a\r\n") {
    return "GET " + target + " HTTP/1.1\r\n" + fields + "\r\n";
}
inline std::string post(const std::string& fields, const std::string& body = "") {
    return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}
inline std::string chunks(const std::string& body) { return post("Transfer-Encoding: chunked\r\n", body); }

inline std::vector<hostile> hostile_requests() {
    std::vector<hostile> all;
    const auto add = [&](const std::string& bytes, std::set<int> statuses = {400}) {
        all.push_back({bytes, statuses});
    };

    // 1: Content-Length and Transfer-Encoding
    add(post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"));
    add(post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"));
    add(post("transfer-encoding: chunked\r\ncontent-length: 0\r\n", "0\r\n\r\n"));
    for (const auto* coding : {"chunked, chunked", "chunked,chunked", ", chunked", "chunked,", "chunked, gzip", "", " ",
                               "chunked;q=1", "chunked chunked", "\"chunked\"", "chun\tked", "gzip, chunked, chunked",
                               "chunked\x80", "chunked, identity", "(chunked)", ",", "chunked;", "= chunked"})
        add(post("Transfer-Encoding: "s + coding + "\r\n", "0\r\n\r\n"));
    for (const auto* coding : {"gzip", "identity", "gzip, chunked", "xchunked", "chunkedx", "deflate, gzip", "cow"})
        add(post("Transfer-Encoding: "s + coding + "\r\n", "0\r\n\r\n"), {501});
    add(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"));
    add(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"));
    add(post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), {400, 501});
    add("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    add("POST / HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n");
    for (const auto* length : {"",
                               " ",
                               "+5",
                               "-5",
                               "-0",
                               "0x5",
                               "5a",
                               "5 5",
                               "5,5",
                               "5, 5",
                               "5;",
                               "5.0",
                               "1e1",
                               "\"5\"",
                               "five",
                               "9223372036854775808",
                               "18446744073709551616",
                               "99999999999999999999999",
                               "5\t5",
                               "\xb2",
                               "0b1",
                               "5_0",
                               ",5",
                               "5,"})
        add(post("Content-Length: "s + length + "\r\n", "hello"));
    add(post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"));
    add(post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"));
    add(post("Content-Length: 5\r\ncontent-length: 5\r\n", "hello"));
    add(post("Content-Length : 5\r\n", "hello"));
    add(post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"));
    add(post("Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n"));
    add(post("Content-Length: 5\r\nX: y\r\n Content-Length: 6\r\n", "hello"));
    add(post("\x0bTransfer-Encoding: chunked\r\n", "0\r\n\r\n"));
    add(post("Transfer-Encoding:\x0b"
             "chunked\r\n",
             "0\r\n\r\n"));

    // 2: the lines of a head
    add("GET / HTTP/1.1\nHost: a\n\n");
    add("GET / HTTP/1.1\r\nHost: a\n\r\n");
    add("GET / HTTP/1.1\r\nHost: a\r\n\n");
    add("GET / HTTP/1.1\nHost: a\r\n\r\n");
    add("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n");
    add("GET / HTTP/1.1\rHost: a\r\r");
    add("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n");
    add("GET / HTTP/1.1\r\nX: a\rTransfer-Encoding: chunked\r\nHost: a\r\n\r\n");
    add("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    add("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    add("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    add("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n"s);
    add("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"s);
    add("GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n"s);
    add("\0"s);
    for (const auto* line : {" folded",
                             "\tfolded",
                             ": empty",
                             " : space",
                             "X Y: b",
                             "X\t: b",
                             "X : b",
                             "no colon",
                             "X(: b",
                             "X@: b",
                             "X\x80: b",
                             "X[]: b",
                             "X\": b",
                             "X,Y: b",
                             "X/: b",
                             "X;: b",
                             "X{: b",
                             "X\\: b",
                             "X: a\x01",
                             "X: \x7f",
                             "X: a\x0b"
                             "b",
                             "X: \x1b[0m",
                             "=: "})
        add(get("/", "Host: a\r\n"s + line + "\r\n"));
    add(get("/", " Host: a\r\n"));

    // 2: chunk framing
    for (const auto* body : {"5\nhello\r\n0\r\n\r\n",
                             "5\r\nhello\n0\r\n\r\n",
                             "5\r\nhello\r\n0\n\r\n",
                             "5\r\nhello\r\n0\r\n\n",
                             "5\r\nhello0\r\n\r\n",
                             "5\r\nhello\r0\r\n\r\n",
                             "5\rhello\r\n0\r\n\r\n",
                             "5\r\nhell\r\n0\r\n\r\n",
                             "5\r\nhello!\r\n0\r\n\r\n",
                             "-5\r\nhello\r\n0\r\n\r\n",
                             "+5\r\nhello\r\n0\r\n\r\n",
                             "0x5\r\nhello\r\n0\r\n\r\n",
                             "g\r\n",
                             "\r\n",
                             " 5\r\nhello\r\n0\r\n\r\n",
                             "5 \r\nhello\r\n0\r\n\r\n",
                             "5 ;a\r\nhello\r\n0\r\n\r\n",
                             "5\t\r\nhello\r\n",
                             "5,5\r\nhello\r\n",
                             "10000000000000000\r\n",
                             "ffffffffffffffff\r\n",
                             "0000000000000000000005\r\nhello\r\n0\r\n\r\n",
                             "5;a\nb\r\nhello\r\n0\r\n\r\n",
                             "5;a\rb\r\nhello\r\n0\r\n\r\n",
                             "5;\x01\r\nhello\r\n0\r\n\r\n",
                             "0\r\n folded\r\n\r\n",
                             "0\r\nno colon\r\n\r\n",
                             "0\r\nX : y\r\n\r\n",
                             "0\r\nX: y\n\r\n",
                             "0\r\nX: y\r\r\n",
                             "0\r\nX: \x02\r\n\r\n",
                             "0\r\n: y\r\n\r\n",
                             "5\r\nhello\r\r\n0\r\n\r\n",
                             "\n5\r\nhello\r\n0\r\n\r\n",
                             "5;\x7f\r\nhello\r\n",
                             "0\r\nX\r\n\r\n",
                             "5.\r\nhello\r\n",
                             "5h\r\nhello\r\n",
                             "\"5\"\r\nhello\r\n"})
        add(chunks(body));
    add(chunks("5;\0\r\nhello\r\n0\r\n\r\n"s));
    add(chunks("5;"s + std::string(2000, 'x')));
    add(chunks("0\r\nX: "s + std::string(2000, 'x')));

    // 3: one Host, and a target that it agrees with
    add("GET / HTTP/1.1\r\n\r\n");
    add(get("/", "Host: a\r\nHost: a\r\n"));
    add(get("/", "Host: a\r\nHost: b\r\n"));
    add(get("/", "Host: a\r\nhost: b\r\n"));
    add("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n");
    for (const auto* host :
         {"",         " ",        "a b",   "a,b",       "a/b", "a@b",    "a:b",     "a:",    "a:1:2",
          "a:123456", "http://a", "a\\b",  "[::1",      "::1", "[::1]x", "[::1]:x", "[]",    "a?b",
          "a#b",      "a;b",      "\"a\"", "a\xc3\xa4", ":80", "a%00",   "<a>",     "a: 80", "user:pw@a"})
        add(get("/", "Host: "s + host + "\r\n"));
    for (const auto* target : {"http://b/",   "http://a.b/", "http://a:81/", "http://",  "http:///",
                               "http://u@a/", "http:/a/",    "https://a/",   "ftp://a/", "a",
                               "a/b",         "*",           "?x",           "\\",       ".",
                               "a:80",        "/#x",         "/a#",          "/\x7f",    "/\x80",
                               "/\x01",       "/\t",         "/a\"b",        "/<b>",     "/a\\b",
                               "http://a/#",  "http://a\\/", "http://[::1/", "//a b",    "javascript:x"})
        add(get(target));
    for (const auto* line : {"GET / HTTP/1.1 ",
                             " GET / HTTP/1.1",
                             "GET  / HTTP/1.1",
                             "GET /  HTTP/1.1",
                             "GET / HTTP/1.1 x",
                             "GET / / HTTP/1.1",
                             "GET\t/ HTTP/1.1",
                             "GET /",
                             "GET / ",
                             "GET",
                             "",
                             "GET / http/1.1",
                             "GET / HTTP/1.1x",
                             "GET / HTTP/11",
                             "GET / HTTP/1",
                             "GET / HTTP/x.1",
                             "GET / HTP/1.1",
                             "GET / HTTP/1,1",
                             "GET HTTP/1.1",
                             "G(T / HTTP/1.1",
                             "\"GET\" / HTTP/1.1",
                             "G\x80T / HTTP/1.1",
                             " / HTTP/1.1",
                             "/ HTTP/1.1",
                             "GET /HTTP/1.1",
                             "{} / HTTP/1.1"})
        add(line + "\r\nHost: a\r\n\r\n"s);
    for (const auto* version : {"HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/3.0", "HTTP/1.9"})
        add("GET / "s + version + "\r\nHost: a\r\n\r\n", {505});

    // limits and what is not offered
    add(get("/", "Host: a\r\nX: "s + std::string(20000, 'x') + "\r\n"), {431});
    add(get("/"s + std::string(20000, 'x')), {431});
    std::string many = "Host: a\r\n";
    for (int i = 0; i < 100; ++i) many += "X: y\r\n";
    add(get("/", many), {431});
    add("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", {501});
    add("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", {501});
    add(post("Content-Length: 1\r\nExpect: 200-ok\r\n", "x"), {417});
    add("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s);  // TLS where none is spoken
    add("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505});
    return all;
}

}  // namespace hostile_table
