#include <weir/select/round_robin.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/vectors.hpp"

#include <cmath>
#include <map>
#include <numeric>
#include <thread>

using weir::pick_reason;

namespace {

struct rotation {
    weir::registry<std::string> registry;
    std::vector<weir::backend_id> ids;
    weir::round_robin<std::string> next{registry, {.seed = 1}};

    explicit rotation(const std::vector<std::uint32_t>& weights) {
        registry.update([&](auto& change) {
            for (const auto w : weights) ids.push_back(change.add("b" + std::to_string(ids.size()), {.weight = w}));
        });
    }
    std::string picks(int n) {
        std::string all;
        for (int i = 0; i < n; ++i) all += (*next.pick()).back();
        return all;
    }
};

}  // namespace

TEST_CASE("the order is nginx's, wherever nobody refuses connections") {
    int cases = 0;
    for (const std::string& line : weir_test::vector_cases("nginx_smooth_wrr.json", "case")) {
        const auto expected = weir_test::json_numbers(line, "sequence");
        if (expected.empty()) continue;
        INFO(line);
        weir::registry<int> r;
        const weir::round_robin next{r};
        r.update([&](auto& change) {
            for (const std::string& peer : weir_test::split(weir_test::json_list(line, "servers"), ',')) {
                const auto id = change.add(std::stoi(peer.substr(peer.find(":190") + 1)),
                                           {.weight = std::stoul(peer.substr(peer.find("weight=") + 7))});
                if (peer.find(" down") != std::string::npos) change.set(id, weir::condition::disabled);
            }
        });
        std::vector<double> ours;
        for (std::size_t i = 0; i < expected.size(); ++i) ours.push_back(*next.pick() - 19001);
        CHECK(ours == expected);
        ++cases;
    }
    CHECK(cases == 15);
}

TEST_CASE("5, 1, 1 gives a a b a c a a") {
    rotation r{{5, 1, 1}};
    CHECK(r.picks(14) == "00102000010200");
}

TEST_CASE(
    "a rotation of equals goes on after the last one picked: whoever is next has its turn, though others come and go") {
    rotation r{{1, 1, 1, 1}};
    CHECK(r.picks(2) == "01");
    r.registry.set(r.ids[0], weir::condition::draining);
    CHECK(r.picks(1) == "2");
    r.registry.clear(r.ids[0], weir::condition::draining);
    CHECK(r.picks(3) == "301");
    r.registry.remove(r.ids[2]);
    CHECK(r.picks(2) == "30");
    const auto fresh = r.registry.add("b9");
    CHECK(fresh.slot == r.ids[2].slot);
    CHECK(r.picks(4) == "1930");
    // Also through nobody at all.
    const auto everybody = r.registry.members();
    r.registry.update([&](auto& change) {
        for (const auto& m : everybody) change.set(m.id, weir::condition::failed_check);
    });
    CHECK(r.next.pick().error() == weir::pick_error::none_eligible);
    r.registry.update([&](auto& change) {
        for (const auto& m : everybody) change.clear(m.id, weir::condition::failed_check);
    });
    CHECK(r.picks(4) == "1930");
}

TEST_CASE("an update after every pick disturbs no rotation, equal or weighted") {
    rotation equal{{1, 1, 1}}, weighted{{5, 1, 1}};
    std::string picked, weighted_picked;
    for (int i = 0; i < 21; ++i) {
        picked += equal.picks(1);
        weighted_picked += weighted.picks(1);
        for (auto* r : {&equal, &weighted}) {
            const auto bystander = r->registry.add("bystander", {.weight = 0});
            r->registry.remove(bystander);
        }
    }
    CHECK(picked == "012012012012012012012");
    CHECK(weighted_picked == "001020000102000010200");
}

TEST_CASE("a newcomer to a weighted rotation starts with nothing owed: neither flooded nor starved") {
    rotation r{{3, 2, 2}};
    r.picks(4);
    r.registry.add("n", {.weight = 2});
    // Its share of any run from now on is 2 / 9 of it, within two picks.
    std::string all;
    for (int i = 1; i <= 90; ++i) {
        all += r.picks(1);
        const auto got = static_cast<double>(std::count(all.begin(), all.end(), 'n'));
        CHECK(std::abs(got - i * 2 / 9.0) < 2);
    }
    CHECK(std::count(all.begin(), all.end(), 'n') == 20);
}

TEST_CASE("what one that leaves was owed does not come back with its slot") {
    rotation r{{100, 100, 1}};
    r.picks(99);  // the light one is owed half a pick
    r.registry.remove(r.ids[2]);
    const auto fresh = r.registry.add("n", {.weight = 1});
    REQUIRE(fresh.slot == r.ids[2].slot);
    const auto all = r.picks(201);
    CHECK(std::abs(std::count(all.begin(), all.end(), 'n') - 1) <= 1);
}

TEST_CASE("cycles too long to be written out are off by a few picks at most, at any time") {
    const std::vector<std::uint32_t> weights{1'000'003, 1, 777'777, 65'537, 0, 250'001};
    rotation r{weights};
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    std::vector<std::uint64_t> counts(weights.size());
    double worst_relative = 0;
    for (int i = 1; i <= 200'000; ++i) {
        ++counts[r.next.pick().id().slot];
        if (i % 100 != 0) continue;
        // The discrepancy of the golden ratio (Kuipers, Niederreiter 1974, theorem 2.3.4): 3 + 3.52 ln N picks.
        for (std::size_t k = 0; k < weights.size(); ++k)
            worst_relative = std::max(worst_relative,
                                      std::abs(static_cast<double>(counts[k]) - i * (weights[k] / total)) /
                                          (3 + 3.52 * std::log(i)));
    }
    CHECK(worst_relative <= 1);
    CHECK(counts[4] == 0);
    // Interleaved: it is no cycle of blocks. Of the heaviest, with 48 %, no ten in a row.
    int run = 0, longest = 0;
    for (int i = 0; i < 10'000; ++i) {
        run = r.next.pick().id().slot == 0 ? run + 1 : 0;
        longest = std::max(longest, run);
    }
    CHECK(longest < 10);
}

TEST_CASE("hardening 10: long cycles, too, keep their shares through updates") {
    rotation r{{1'000'003, 9'999'991}};
    const auto bystander = r.registry.add("x", {.weight = 0});
    std::uint64_t light = 0;
    for (int i = 0; i < 20'000; ++i) {
        if (i % 10 == 0)
            i % 20 == 0 ? r.registry.set(bystander, weir::condition::draining)
                        : r.registry.clear(bystander, weir::condition::draining);
        light += r.next.pick().id() == r.ids[0] ? 1 : 0;
    }
    CHECK(std::abs(static_cast<double>(light) - 20'000 / 11.0) <= 3 + 3.52 * std::log(20'000) + 20'000 * 1e-5);
}

TEST_CASE("an excluded one's turn is drawn by weight, not given to its neighbour") {
    rotation r{{1, 1, 1, 1}};
    const weir::backend_id exclude[] = {r.ids[1]};
    std::vector<std::uint64_t> counts(4);
    for (int i = 0; i < 40'000; ++i) {
        const auto lease = r.next.pick({.exclude = exclude});
        if (i % 4 == 1) {
            CHECK(lease.reason() != pick_reason::chosen);
            ++counts[lease.id().slot];
        } else {
            REQUIRE(lease.id() == r.ids[static_cast<std::size_t>(i % 4)]);
        }
    }
    CHECK(weir_test::unfair(counts, std::vector<std::uint32_t>{1, 0, 1, 1}) == "");
}

TEST_CASE("copies share one rotation, and two selectors have one each") {
    rotation r{{1, 1, 1}};
    const auto copy = r.next;
    CHECK(*r.next.pick() == "b0");
    CHECK(*copy.pick() == "b1");
    CHECK(*r.next.pick() == "b2");
    const weir::round_robin other{r.registry};
    CHECK(*other.pick() == "b0");
    CHECK(*r.next.pick() == "b0");
}

TEST_CASE("a rotation is exact across threads") {
    rotation r{{3, 2, 1}};
    std::vector<std::uint64_t> mine(3), others(3);
    const auto work = [&](std::vector<std::uint64_t>& counts) {
        for (int i = 0; i < 60'000; ++i) ++counts[r.next.pick().id().slot];
    };
    std::thread other{work, std::ref(others)};
    work(mine);
    other.join();
    for (std::size_t i = 0; i < 3; ++i) CHECK(mine[i] + others[i] == 20'000 * (3 - i));
}

TEST_CASE("from different weights to equal ones and back nobody loses a turn") {
    rotation r{{2, 1, 1}};
    std::vector<double> owed(3);
    std::vector<std::uint32_t> weights{2, 1, 1};
    double worst = 0;
    for (int i = 0; i < 3000; ++i) {
        if (i % 7 == 0) {
            weights[0] = weights[0] == 2 ? 1 : 2;
            r.registry.set_weight(r.ids[0], weights[0]);
        }
        const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
        for (std::size_t k = 0; k < 3; ++k) owed[k] += weights[k] / total;
        owed[r.next.pick().id().slot] -= 1;
        for (const double one : owed) worst = std::max(worst, std::abs(one));
    }
    CHECK(worst <= 2);
}
