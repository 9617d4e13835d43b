#include <weir/select/p2c_peak_ewma.hpp>

#include "catch.hpp"
#include "support/manual_clock.hpp"

using namespace std::chrono_literals;
using weir_test::manual_clock;

namespace {

using servers = weir::registry<int, manual_clock>;
static_assert(std::is_base_of_v<weir::choices<int, weir::peak_ewma, 2>, weir::p2c_peak_ewma<int>>);

}  // namespace

TEST_CASE("the faster of two gets every pick as long as neither queues, and loses them at its first slow answer") {
    manual_clock::set(1h);
    servers r;
    const auto fast = r.add(1), slow = r.add(2);
    const weir::p2c_peak_ewma balancer{r};
    for (const auto id : {slow, fast}) {
        auto lease = balancer.pick({.exclude = {&id, 1}});
        lease.complete(weir::outcome::success, lease.id() == fast ? 5ms : 20ms);
    }
    for (int i = 0; i < 100; ++i) CHECK(balancer.pick().id() == fast);
    balancer.pick().complete(weir::outcome::success, 200ms);
    for (int i = 0; i < 100; ++i) CHECK(balancer.pick().id() == slow);
}

TEST_CASE(
    "p2c_peak_ewma takes a metric, options, both or neither, and selectors with equal metrics share what is known") {
    servers r;
    r.add(1);
    r.add(2);
    const weir::p2c_peak_ewma one{r};
    const weir::p2c_peak_ewma two{r, weir::selector_options{.seed = 1}};
    const weir::p2c_peak_ewma three{r, weir::peak_ewma{5s}};
    const weir::p2c_peak_ewma four{r, weir::peak_ewma{5s}, weir::selector_options{.seed = 1}};
    static_assert(std::same_as<decltype(one), decltype(four)>);
    CHECK(one.pick());
    const auto known = one.pick().id();
    one.pick({.exclude = {&known, 1}}).complete(weir::outcome::success, 1ms);
    one.pick({.exclude = {&known, 1}}).complete(weir::outcome::success, 1ms);
    auto slow = one.pick();
    while (slow.id() != known) slow = one.pick();
    slow.complete(weir::outcome::success, 1s);
    for (int i = 0; i < 20; ++i) CHECK(two.pick().id() != known);
    for (int i = 0; i < 20; ++i) CHECK(three.pick().id() != known);  // another metric, fed by the same leases
}
