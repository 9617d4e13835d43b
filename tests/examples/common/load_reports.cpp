#if !__has_include(<nlohmann/json.hpp>)
#include "catch.hpp"
TEST_CASE("nobody reads reports: no nlohmann/json") { WARN("install it for these tests"); }
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

TEST_CASE("colons, camel case, tabs and a comma at the end are somebody's way to write it") {
    for (const std::string text :
         {"TEXT cpu_utilization:0.5,rps_fractional:120", "TEXT cpu_utilization=0.5,\trps_fractional=120,",
          R"(JSON {"cpuUtilization": 0.5, "rpsFractional": 120})"}) {
        CAPTURE(text);
        const auto report = read_load_report(text);
        REQUIRE(report);
        CHECK(report->utilization == 0.5);
        CHECK(report->qps == 120);
    }
}

TEST_CASE("what says nothing that can be used is nothing, whatever its bytes") {
    const std::string sound = "TEXT cpu_utilization=0.5,rps_fractional=1";
    REQUIRE(read_load_report(sound));
    for (const std::string more :
         {",eps=-1", ",eps", ",eps=", ",=", ",,eps=0", ",eps=nan", ",eps=1e300", ",eps=0x1", ",eps=0 0", ",eps=1e",
          ",eps==0", ",rps_fractional=1", ",application_utilization=inf", "0.5.", ";eps=0", "\r\nA: b", "\xff"}) {
        CAPTURE(more);
        CHECK_FALSE(read_load_report(sound + more));
    }
    CHECK_FALSE(read_load_report("TEXT cpu_utilization=0.5" + std::string(1, '\0') + ",rps_fractional=1"));
    CHECK_FALSE(read_load_report(sound + std::string(100'000, ',')));
    for (const std::string text :
         {"", "TEXT", "TEXT ", "JSON", "JSON ", "TEXT ,", "BIN CAE=", "JSON 1", "JSON []", "JSON {"})
        CHECK_FALSE(read_load_report(text));
    CHECK_FALSE(read_load_report(sound.substr(5)));
    CHECK_FALSE(read_load_report("text" + sound.substr(4)));
    CHECK_FALSE(read_load_report("TEXT cpu_utilization=0.5"));
    CHECK_FALSE(read_load_report("TEXT rps_fractional=1"));

    const std::string json = R"(JSON {"cpu_utilization": 0.5, "rps_fractional": 1)";
    REQUIRE(read_load_report(json + "}"));
    for (const std::string more : {"", ",}", "}}", R"(, "eps": -1})", R"(, "eps": })"}) {
        CAPTURE(more);
        CHECK_FALSE(read_load_report(json + more));
    }
    CHECK_FALSE(read_load_report(R"(JSON {"cpu_utilization": "0.5", "rps_fractional": 1})"));
    CHECK_FALSE(read_load_report("JSON " + std::string(100'000, '[')));
    CHECK_FALSE(read_load_report("JSON " + std::string(10'000, '[') + std::string(10'000, ']')));
}

TEST_CASE("a balancer by reported utilization follows the reports once they count, and only that one does") {
    weir_test::manual_clock::set(1h);
    servers backends;
    const auto busy = backends.add("busy"), idle = backends.add("idle");
    using policy = weir::choices_policy<weir::reported_utilization, 2>;  // all of the table would take long to compile
    const auto pick = examples::bind<std::string, policy>(backends, {}, nullptr);
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
