#include <weir/select/memento.hpp>

#include "catch.hpp"

#include <string>
#include <vector>

TEST_CASE("the history goes on through updates, refused ones too") {
    weir::registry<std::string> r;
    const weir::memento balancer{r};
    std::vector<weir::backend_id> ids;
    for (int i = 0; i < 9; ++i) ids.push_back(r.add("b" + std::to_string(i)));
    r.remove(ids[3]);
    const auto state = balancer.table()->state();
    REQUIRE(state.removed.size() == 1);
    CHECK_THROWS_AS(r.set_weight(ids[5], weir::weight::max), std::invalid_argument);
    CHECK((balancer.table()->state() == state));
    r.set(ids[4], weir::condition::draining);
    r.clear(ids[4], weir::condition::draining);
    CHECK((balancer.table()->state() == state));
    r.add("b9");
    CHECK(balancer.table()->state().removed.empty());
    CHECK(balancer.table()->state().owners[state.removed[0]] == "b9");
}
