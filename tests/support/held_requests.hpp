#pragma once

#include "catch.hpp"
#include "support/vectors.hpp"

#include <weir/registry.hpp>

#include <deque>
#include <string>
#include <vector>

namespace weir_test {

/// Replays what a proxy did with requests that were held open: the cases of one program in leastconn_nginx_haproxy.json.
/// The selector must choose what the program chose, event by event. Returns how many cases there were.
template <template <class> class Selector>
int replay_held_requests(const std::string& program) {
    int cases = 0;
    for (const std::string& line : vector_cases("leastconn_nginx_haproxy.json", "case")) {
        if (!line.starts_with("{\"case\": \"" + program)) continue;
        INFO(line);
        weir::registry<std::size_t> r;
        std::size_t servers = 0;
        for (const double weight : json_numbers(line, "weights")) r.add(servers++, {.weight = weight});
        const Selector<std::size_t> balancer{r};
        std::vector<std::deque<weir::lease<std::size_t>>> open(servers);
        int events = 0;
        const std::size_t begin = line.find("\"events\": [");
        for (std::size_t at = line.find("[\"", begin); at != std::string::npos;
             at = line.find("[\"", at + 1), ++events) {
            const std::string what = line.substr(at + 2, 4);
            const auto server = static_cast<std::size_t>(std::stoul(line.substr(line.find(',', at) + 1)));
            INFO("event " << events);
            if (what == "pick") {
                auto lease = balancer.pick();
                REQUIRE(*lease == server);
                open[server].push_back(std::move(lease));
            } else {
                REQUIRE(what == "done");
                REQUIRE_FALSE(open[server].empty());
                open[server].pop_front();
            }
        }
        CHECK(events == 70);
        ++cases;
    }
    return cases;
}

}  // namespace weir_test
