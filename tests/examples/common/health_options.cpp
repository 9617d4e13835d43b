#include "../../../examples/common/health_options.hpp"

#include "catch.hpp"

#include <chrono>
#include <stdexcept>
#include <string>

using namespace examples;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("settings are read by their names, and what is not named stays") {
    int count = 1;
    double share = 0.5;
    std::chrono::nanoseconds time = 1s;
    std::string word = "as it was";
    const auto read = [&](const std::string& given) {
        return read_settings(
            given, "FIRST[,...]",
            {{"count", number(count)}, {"share", number(share)}, {"time", milliseconds(time)}, {"word", text(word)}});
    };
    CHECK(read("first") == "first");
    CHECK(count == 1);
    CHECK(read("http:/a?b=c,count=2,share=0.25,time=30,word=a=b") == "http:/a?b=c");
    CHECK(count == 2);
    CHECK(share == 0.25);
    CHECK(time == 30ms);
    CHECK(word == "a=b");
    for (const std::string wrong :
         {"count", "count=", "count=x", "count=1x", "count=99999999999", "share=", "share=0.1x", "share= 0.5",
          "share=0x1", "share=-0X1p0", "time=1.5", "time=99999999999", "word=", "Count=1", "other=1", ""}) {
        CAPTURE(wrong);
        CHECK_THROWS_AS(read("first," + wrong), std::invalid_argument);
        CHECK_THROWS_WITH(read("first," + wrong), "'" + wrong + "': expected FIRST[,...]");
    }
}

TEST_CASE("a check is tcp or a page, each with what it may be told") {
    const auto plain = read_check("tcp,interval=500,timeout=100,fast=50,slow=1000,rise=4,fall=5,jitter=0.5");
    CHECK_FALSE(plain.http);
    CHECK(plain.times.interval == 500ms);
    CHECK(plain.times.timeout.value() == 100ms);
    CHECK(plain.times.fast_interval.value() == 50ms);
    CHECK(plain.times.slow_interval.value() == 1s);
    CHECK(plain.times.rise == 4);
    CHECK(plain.times.fall == 5);
    CHECK(plain.times.jitter == 0.5);
    CHECK_FALSE(read_check("tcp,timeout=off").times.timeout);

    const auto page = read_check("http:/health?deep=1,status=200-299+304,host=shop.example,body=well,keep=1");
    CHECK(page.http);
    CHECK(page.page.target == "/health?deep=1");
    CHECK(page.page.host == "shop.example");
    CHECK(page.page.body == "well");
    CHECK(page.page.keep);
    REQUIRE(page.page.statuses.size() == 2);
    CHECK(page.page.statuses[0].first == 200);
    CHECK(page.page.statuses[0].last == 299);
    CHECK(page.page.statuses[1].first == 304);
    CHECK(page.page.statuses[1].last == 304);
    for (const std::string wrong :
         {"", "http", "http:", "http:health", "https:/", "udp", "tcp:/x", "tcp,host=a",
          "http:/,status=", "http:/,status=2xx", "http:/,status=200+", "http:/,status=-200"}) {
        CAPTURE(wrong);
        CHECK_THROWS_WITH(read_check(wrong), ContainsSubstring("expected tcp or http:/PATH"));
    }
}

TEST_CASE("outlier rules are the library's unless they are told, or switched off") {
    const weir::outlier_options usual;
    const auto same = read_outliers("");
    CHECK(same.consecutive_failures == usual.consecutive_failures);
    CHECK(same.success_rate_by_sigma.has_value() == usual.success_rate_by_sigma.has_value());
    CHECK(same.interval == usual.interval);

    const auto o = read_outliers("consecutive=off,gateway=3,connect=2,sigma=off,median=4.5,percentage=60,trial=7,"
                                 "interval=100,base=200,max=300,share=0.5,jitter=0");
    CHECK_FALSE(o.consecutive_failures);
    CHECK(o.consecutive_gateway_failures == 3u);
    CHECK(o.consecutive_connect_failures == 2u);
    CHECK_FALSE(o.success_rate_by_sigma);
    CHECK(o.success_rate_by_median.value().factor == 4.5);
    CHECK(o.failure_percentage.value().threshold == 60);
    CHECK(o.trial_requests == 7u);
    CHECK(o.interval == 100ms);
    CHECK(o.base_ejection_time == 200ms);
    CHECK(o.max_ejection_time == 300ms);
    CHECK(o.max_ejected_share == 0.5);
    CHECK(o.jitter == 0);
    for (const std::string wrong : {"often=1", "consecutive", "consecutive=-1", "sigma=x", ",", "interval=off"}) {
        CAPTURE(wrong);
        CHECK_THROWS_WITH(read_outliers(wrong), ContainsSubstring("expected [consecutive=N]"));
    }
}
