#include <weir/select/haproxy_leastconn.hpp>

#include "catch.hpp"
#include "support/held_requests.hpp"

#include <weir/select/random.hpp>

static_assert(weir::policy<weir::haproxy_leastconn_policy>);

TEST_CASE("the choices are those of a running HAProxy, row by row") {
    CHECK(weir_test::replay_held_requests<weir::haproxy_leastconn>("haproxy") == 4);
}

namespace {

struct pool {
    weir::registry<int> registry;
    std::vector<weir::backend_id> ids;
    weir::haproxy_leastconn<int> balancer{registry};
    explicit pool(const std::vector<std::uint32_t>& weights) {
        for (const auto w : weights) ids.push_back(registry.add(static_cast<int>(ids.size()), {.weight = w}));
    }
    std::string picks(int n) {
        std::string all;
        for (int i = 0; i < n; ++i) all += static_cast<char>('a' + *balancer.pick());
        return all;
    }
};

}  // namespace

TEST_CASE("the idle come first and in turn, whatever their weight") {
    pool p{{1, 200, 1}};
    CHECK(p.picks(6) == "abcabc");
    const auto held = p.balancer.pick();
    CHECK(*held == 0);
    CHECK(p.picks(4) == "bcbc");
    const auto second = p.balancer.pick(), third = p.balancer.pick();
    CHECK(*p.balancer.pick() == 1);  // 2 x 256 / 200 against 2 x 256
}

TEST_CASE("leases of other selectors take turns, too") {
    pool p{{1, 1, 1}};
    const weir::random other{p.registry};
    const std::vector not_a{p.ids[1], p.ids[2]};
    (void)other.pick({.exclude = not_a});
    CHECK(p.picks(4) == "bcab");
}

TEST_CASE("one that comes back takes its place at the end") {
    pool p{{1, 1, 1}};
    p.registry.set(p.ids[0], weir::condition::failed_check);
    p.registry.clear(p.ids[0], weir::condition::failed_check);
    CHECK(p.picks(4) == "bcab");
    p.registry.remove(p.ids[1]);
    const auto fresh = p.registry.add(25);
    REQUIRE(fresh.slot == p.ids[1].slot);
    CHECK(p.picks(3) == "caz");
}

TEST_CASE("the largest weights and loads do not wrap") {
    pool p{{weir::weight::max, 1}};
    std::vector<weir::lease<int>> held;
    for (int i = 0; i < 5000; ++i) held.push_back(p.balancer.pick());
    CHECK(p.registry.inspect(p.ids[1])->in_flight == 1);
}
