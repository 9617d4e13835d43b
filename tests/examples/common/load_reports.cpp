#ifndef TINY_PROXY
#include "catch.hpp"
TEST_CASE("the examples are not built, so nothing reads reports") { WARN("build the examples for these tests"); }
#else
#include "../../../examples/common/load_reports.hpp"

#include "catch.hpp"
#include "support/manual_clock.hpp"

#include <array>
#include <map>
#include <string>
#include <vector>

using examples::read_load_report;
using namespace std::chrono_literals;

namespace {

using servers = weir::registry<std::string, weir_test::manual_clock>;

/// Who gets the leases that are held at once.
std::map<std::string, int> shares(const examples::picker<std::string>& pick, int leases) {
    std::map<std::string, int> of;
    std::vector<weir::lease<std::string>> held;
    for (int i = 0; i < leases; ++i) {
        held.push_back(pick({}));
        ++of[*held.back()];
    }
    return of;
}

}  // namespace

TEST_CASE("reports are read as text and as JSON") {
    for (const std::string text :
         {"TEXT cpu_utilization=0.5, rps_fractional=120, eps=2", "TEXT eps=2,rps_fractional=1.2e2,cpu_utilization=.5",
          "TEXT  cpu_utilization=0.5 ,named_metrics.queue=7,rps_fractional=120,eps=2",
          R"(JSON {"cpu_utilization": 0.5, "rps_fractional": 120, "eps": 2, "named_metrics": {"queue": 7}})"}) {
        CAPTURE(text);
        const auto report = read_load_report(text);
        REQUIRE(report);
        CHECK(report->utilization == 0.5);
        CHECK(report->qps == 120);
        CHECK(report->errors == 2);
    }
    const auto none_failed = read_load_report("TEXT cpu_utilization=1.5,rps_fractional=3");
    REQUIRE(none_failed);
    CHECK(none_failed->errors == 0);
}

TEST_CASE("an application's own utilization goes before its processors', unless it is 0") {
    CHECK(read_load_report("TEXT application_utilization=0.9,cpu_utilization=0.1,rps_fractional=1")->utilization ==
          0.9);
    CHECK(read_load_report("TEXT application_utilization=0,cpu_utilization=0.1,rps_fractional=1")->utilization == 0.1);
}

TEST_CASE("what says nothing that can be used is nothing, whatever its bytes") {
    for (const std::string text : {"",
                                   "TEXT",
                                   "TEXT ",
                                   "JSON",
                                   "JSON ",
                                   "TEXT ,",
                                   "TEXT =1",
                                   "text cpu_utilization=0.5,rps_fractional=1",
                                   "cpu_utilization=0.5,rps_fractional=1",
                                   "BIN CAE=",
                                   "TEXT cpu_utilization=0.5",
                                   "TEXT rps_fractional=1",
                                   "TEXT cpu_utilization=nan,rps_fractional=1",
                                   "TEXT cpu_utilization=inf,rps_fractional=1",
                                   "TEXT cpu_utilization=-1,rps_fractional=1",
                                   "TEXT cpu_utilization=0.5,rps_fractional=1e300",
                                   "TEXT cpu_utilization=0.5,rps_fractional=1,eps=-1",
                                   "TEXT cpu_utilization=0.5,,rps_fractional=1,eps",
                                   "TEXT cpu_utilization=0x1,rps_fractional=1",
                                   "TEXT cpu_utilization=0.5 0.5,rps_fractional=1",
                                   "JSON 1",
                                   "JSON []",
                                   "JSON {",
                                   "JSON {\"cpu_utilization\": 0.5}",
                                   "JSON {\"cpu_utilization\": \"0.5\", \"rps_fractional\": 1}",
                                   "JSON {\"cpu_utilization\": 0.5,}"}) {
        CAPTURE(text);
        CHECK_FALSE(read_load_report(text));
    }
    CHECK_FALSE(read_load_report("JSON " + std::string(100'000, '[')));
    CHECK_FALSE(read_load_report("JSON " + std::string(10'000, '[') + std::string(10'000, ']')));
    CHECK_FALSE(read_load_report("TEXT " + std::string(100'000, ',')));
    CHECK_FALSE(read_load_report(std::string("TEXT \0cpu_utilization=0.5", 25)));
}

TEST_CASE("a balancer by reported utilization follows the reports once they count, and only that one does") {
    weir_test::manual_clock::set(1h);
    servers backends;
    const auto busy = backends.add("busy"), idle = backends.add("idle");
    const auto pick = examples::balancer<std::string>("reported_utilization", backends);
    examples::load_reports reports{backends, "reported_utilization"};
    CHECK(shares(pick, 1000)["idle"] == 500);

    const auto tell = [&] {  // one carries three times what the other does, at the same load
        reports.take(busy, std::array{"TEXT cpu_utilization=0.9,rps_fractional=30"});
        reports.take(idle, std::array{"TEXT cpu_utilization=0.3,rps_fractional=30"});
        reports.update();
    };
    tell();
    CHECK(shares(pick, 1000)["idle"] == 500);  // not yet: the first reports of a fresh backend are of little traffic
    weir_test::manual_clock::advance(10s);
    tell();
    CHECK(reports.taken() == 4);
    const int most = shares(pick, 1000)["idle"];
    CHECK(most >= 749);
    CHECK(most <= 751);
    weir_test::manual_clock::advance(3min);
    reports.update();
    CHECK(shares(pick, 1000)["idle"] == 500);  // what they said is too old

    reports.take(busy, std::array{"TEXT cpu_utilization=nan", "no report"});
    reports.take(weir::backend_id{}, std::array{"TEXT cpu_utilization=0.3,rps_fractional=30"});
    CHECK(reports.taken() == 4);

    examples::load_reports others{backends, "round_robin"};
    others.take(busy, std::array{"TEXT cpu_utilization=0.9,rps_fractional=30"});
    others.update();
    CHECK(others.taken() == 0);
}
#endif
