#include <weir/select/least_response_time.hpp>

#include "catch.hpp"
#include "support/manual_clock.hpp"

#include <weir/load/peak_ewma.hpp>

#include <vector>

using namespace std::chrono_literals;
using weir_test::manual_clock;

namespace {

using servers = weir::registry<int, manual_clock>;
static_assert(std::is_base_of_v<weir::least_load<int, weir::ewma>, weir::least_response_time<int>>);

template <class Selector>
void answer(const Selector& s, const std::vector<weir::backend_id>& others, std::chrono::nanoseconds latency) {
    s.pick({.exclude = others}).complete(weir::outcome::success, latency);
}

}  // namespace

TEST_CASE("the least latency times queue of all is taken: twice as fast carries twice the queue") {
    manual_clock::set(1h);
    servers r;
    const auto a = r.add(1), b = r.add(2), c = r.add(3);
    const weir::least_response_time balancer{r};
    for (int i = 0; i < 1000; ++i) {
        answer(balancer, {b, c}, 10ms);
        answer(balancer, {a, c}, 20ms);
        answer(balancer, {a, b}, 40ms);
    }
    std::vector<weir::lease<int>> held;
    for (int i = 0; i < 7; ++i) held.push_back(balancer.pick());
    CHECK(r.inspect(a)->in_flight == 4);
    CHECK(r.inspect(b)->in_flight == 2);
    CHECK(r.inspect(c)->in_flight == 1);
}

TEST_CASE("a weight divides the queue: of equal speed, weight 3 carries three times as much") {
    manual_clock::set(1h);
    servers r;
    const auto light = r.add(1), heavy = r.add(2, {.weight = 3});
    const weir::least_response_time balancer{r};
    answer(balancer, {light}, 10ms);
    answer(balancer, {heavy}, 10ms);
    std::vector<weir::lease<int>> held;
    for (int i = 0; i < 40; ++i) held.push_back(balancer.pick());
    CHECK(r.inspect(light)->in_flight == 10);
    CHECK(r.inspect(heavy)->in_flight == 30);
}

TEST_CASE("least_response_time takes a metric, options, both or neither") {
    servers r;
    r.add(1);
    const weir::least_response_time one{r};
    const weir::least_response_time two{r, weir::selector_options{.seed = 1}};
    const weir::least_response_time three{r, weir::peak_ewma{5s}};
    const weir::least_response_time four{r, weir::ewma{5s}, weir::selector_options{.seed = 1}};
    static_assert(std::same_as<decltype(one), decltype(four)>);
    static_assert(!std::same_as<decltype(one), decltype(three)>);
    CHECK((one.pick() && two.pick() && three.pick() && four.pick()));
}
