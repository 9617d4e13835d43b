#include "weir/asio/http_probe_options.hpp"

#include "catch.hpp"

#include <stdexcept>

using namespace weir;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("a range has both its ends, and a number is a range of one") {
    constexpr status_range some{200, 204}, one = 304;
    CHECK(some.has(200));
    CHECK(some.has(204));
    CHECK_FALSE(some.has(199));
    CHECK_FALSE(some.has(205));
    CHECK(one.has(304));
    CHECK_FALSE(one.has(303));
}

TEST_CASE("what cannot be sent or never comes is refused by its value") {
    struct wrong {
        http_probe_options options;
        std::string named;
    };
    for (const auto& [options, named] : std::vector<wrong>{
             {{.target = ""}, "target"},
             {{.target = "health"}, "\"health\""},
             {{.target = "/a b"}, "\"/a b\""},
             {{.target = "/\r\nX: y"}, "visible"},
             {{.host = "a\r\nX: y"}, "host"},
             {{.host = "a b"}, "\"a b\""},
             {{.statuses = {}}, "at least one"},
             {{.statuses = {{300, 200}}}, "300 to 200"},
             {{.statuses = {100}}, "200 to 599"},
             {{.statuses = {{200, 600}}}, "600"},
             {{.body = "12345", .max_body = 4}, "max_body, 4"},
             {{.max_head = 0}, "max_head 0"},
         }) {
        CAPTURE(named);
        CHECK_THROWS_AS(detail::check(options), std::invalid_argument);
        CHECK_THROWS_WITH(detail::check(options), ContainsSubstring(named));
    }
    CHECK_NOTHROW(detail::check(http_probe_options{}));
    CHECK_NOTHROW(detail::check({.target = "/a?b=c", .host = "[::1]:80", .statuses = {200, {300, 302}, {599, 599}}}));
}
