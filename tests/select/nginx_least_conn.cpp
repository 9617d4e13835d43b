#include <weir/select/nginx_least_conn.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/held_requests.hpp"

#include <thread>

using weir_test::unfair;

static_assert(weir::policy<weir::nginx_least_conn_policy>);

TEST_CASE("the choices are those of a running nginx, row by row") {
    CHECK(weir_test::replay_held_requests<weir::nginx_least_conn>("nginx") == 4);
}

namespace {

struct idle_pool {
    weir::registry<int> registry;
    std::vector<weir::backend_id> ids;
    weir::nginx_least_conn<int> balancer{registry};
    explicit idle_pool(const std::vector<std::uint32_t>& weights) {
        for (const auto w : weights) ids.push_back(registry.add(static_cast<int>(ids.size()), {.weight = w}));
    }
    std::string picks(int n) {
        std::string all;
        for (int i = 0; i < n; ++i) all += static_cast<char>('a' + *balancer.pick());
        return all;
    }
};

}  // namespace

TEST_CASE("backends that tie take turns, interleaved by weight") {
    idle_pool p{{5, 1, 1}};
    CHECK(p.picks(14) == "aabacaaaabacaa");
    const auto held = p.balancer.pick({.exclude = std::vector{p.ids[0], p.ids[1]}});
    CHECK(*held == 2);
    CHECK(p.picks(6) == "aaabaa");  // among those that still tie
}

TEST_CASE("turns survive updates; what one that leaves was owed does not come back with its slot") {
    idle_pool p{{5, 1, 1}};
    std::string all;
    for (int i = 0; i < 14; ++i) {
        all += p.picks(1);
        p.registry.remove(p.registry.add(9, {.weight = 0}));
    }
    CHECK(all == "aabacaaaabacaa");
    p.picks(2);  // b and c are owed two each
    p.registry.remove(p.ids[2]);
    const auto fresh = p.registry.add(25, {.weight = 1});
    REQUIRE(fresh.slot == p.ids[2].slot);
    CHECK(p.picks(1) == "b");
    // Twice the weight, twice the credit.
    idle_pool q{{2, 1}};
    CHECK(q.picks(1) == "a");
    q.registry.update([&](auto& change) {
        change.set_weight(q.ids[0], 20);
        change.set_weight(q.ids[1], 10);
    });
    CHECK(q.picks(5) == "baaba");
}

TEST_CASE("what is owed is kept in turns: beside a heavy one that leaves or comes, nobody has hundreds of them") {
    for (const int before : {100, 300, 500, 700, 900})
        for (const bool removed : {false, true}) {
            idle_pool p{{3, 1, 1000}};
            p.picks(before);  // leaves one light backend hundreds of weights ahead of the other
            if (removed)
                p.registry.remove(p.ids[2]);
            else
                p.registry.set(p.ids[2], weir::condition::draining);
            const std::string others = p.picks(40);  // by turns a a b a
            CHECK(others.find("aaaaaa") == std::string::npos);
            CHECK(others.find("bb") == std::string::npos);
            if (removed) continue;
            p.registry.clear(p.ids[2], weir::condition::draining);
            const std::string all = p.picks(250);  // in which they have one turn together
            CHECK(std::count(all.begin(), all.end(), 'c') >= 247);
        }
}

TEST_CASE("two threads share the turns: nobody gains or loses more than those that race", "[threads]") {
    idle_pool p{{3, 2, 1}};
    std::atomic<std::uint64_t> counts[3]{};
    const auto work = [&] {
        // Without leases: one that a thread holds while it waits for the processor makes its backend rightly unpopular.
        for (int i = 0; i < 30'000; ++i) p.balancer.choose([&](int backend) { counts[backend].fetch_add(1); });
    };
    std::thread other{work};
    work();
    other.join();
    // The sum of all credits stays 0, so shares cannot drift: what is off is what the last picks owe.
    for (std::size_t i = 0; i < 3; ++i) CHECK(counts[i].load() > 0);
    CHECK(unfair(std::vector<std::uint64_t>{counts[0], counts[1], counts[2]}, std::vector<std::uint32_t>{3, 2, 1}) ==
          "");
}
