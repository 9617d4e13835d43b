#include <weir/load/lease_order.hpp>

#include "catch.hpp"

using std::chrono::nanoseconds;

TEST_CASE("whose number of leases changed last comes last") {
    const weir::lease_order metric;
    weir::lease_order::pool pool;
    weir::lease_order::state a, b, c;
    const auto turn = [&](const weir::lease_order::state& s) { return metric.score(pool, s, {}); };
    for (auto* s : {&a, &b, &c}) metric.join(pool, *s);
    CHECK((turn(a) < turn(b) && turn(b) < turn(c)));
    metric.on_start(pool, a);
    CHECK((turn(b) < turn(c) && turn(c) < turn(a)));
    metric.on_end(pool, b, weir::outcome::failure, nanoseconds{-1}, nanoseconds{0});
    CHECK((turn(c) < turn(a) && turn(a) < turn(b)));
    metric.leave(pool, c);
    metric.join(pool, c);
    CHECK((turn(a) < turn(b) && turn(b) < turn(c)));
}
