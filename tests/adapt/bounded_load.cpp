#include <weir/adapt/bounded_load.hpp>

#include "catch.hpp"
#include "statistics.hpp"

#include <weir/select/consistent_hash.hpp>
#include <weir/select/least_load.hpp>
#include <weir/select/random.hpp>
#include <weir/select/round_robin.hpp>

#include <deque>
#include <limits>
#include <map>
#include <set>
#include <thread>

using weir::bounded_load;
using weir::pick_reason;

namespace {

using ring = weir::ring_hash_policy;
using lease = weir::lease<std::string>;

std::vector<weir::backend_id> fill(weir::registry<std::string>& r, const std::vector<std::uint32_t>& weights) {
    std::vector<weir::backend_id> ids;
    for (const auto w : weights) ids.push_back(r.add("backend-" + std::to_string(ids.size()), {.weight = w}));
    return ids;
}

/// The rule in exact integers, for a factor in quarters: ceil(f (T + 1) w / W).
std::uint64_t capacity(std::uint64_t quarters, std::uint64_t total, std::uint64_t w, std::uint64_t all) {
    const std::uint64_t product = quarters * (total + 1) * w;
    return (product + 4 * all - 1) / (4 * all);
}

/// Notes the bound that goes along with each choice.
struct witnessed : bounded_load<weir::random_policy> {
    witnessed() : bounded_load<weir::random_policy>{weir::random_policy{}, 1.25} {}
    static inline std::uint32_t bound = 0;
    template <class Accept>
    weir::choice choose(const weir::view& v, const table& t, state& s, const weir::query& q,
                        Accept accept) const noexcept {
        const weir::choice c = bounded_load<weir::random_policy>::choose(v, t, s, q, accept);
        bound = c.bound;
        return c;
    }
};

}  // namespace

TEMPLATE_TEST_CASE("the bound holds at the moment of each pick, counted independently", "", ring, weir::random_policy,
                   weir::round_robin_policy, weir::least_load_policy<weir::in_flight>) {
    for (const std::uint64_t quarters : {5u, 6u, 8u}) {
        weir::registry<std::string> r;
        const std::vector<std::uint32_t> weights{1, 1, 2, 3, 1, 0};
        const auto ids = fill(r, weights);
        const weir::basic_selector selector{r, bounded_load<TestType>{{}, static_cast<double>(quarters) / 4},
                                            weir::selector_options{.seed = 1}};
        weir::generator random{2};
        std::vector<std::uint64_t> held(weights.size());
        std::deque<std::pair<std::size_t, lease>> leases;
        std::vector<bool> down(weights.size());
        int over = 0, none = 0;
        for (int i = 0; i < 5000; ++i) {
            if (random.below(40) == 0) {
                const auto at = random.below(weights.size());
                down[at] = !down[at];
                down[at] ? r.set(ids[at], weir::condition::ejected) : r.clear(ids[at], weir::condition::ejected);
            }
            const auto excluded = random.below(3 * weights.size());
            std::vector<weir::backend_id> exclude;
            if (excluded < weights.size()) exclude.assign(2, ids[excluded]);  // named twice, counted once
            std::uint64_t total = 0, weight = 0;
            for (std::size_t k = 0; k < weights.size(); ++k)
                if (!down[k] && k != excluded && weights[k] > 0) total += held[k], weight += weights[k];
            // A few hot keys: without a bound one backend would have them all.
            auto picked = selector.pick({.key = random.below(3), .exclude = exclude});
            if (!picked) {
                none += weight > 0 ? 1 : 0;
            } else {
                const auto at = static_cast<std::size_t>(std::find(ids.begin(), ids.end(), picked.id()) - ids.begin());
                over += ++held[at] > capacity(quarters, total, weights[at], weight) ? 1 : 0;
                leases.emplace_back(at, std::move(picked));
            }
            while (!leases.empty() && (leases.size() > 200 || random.below(5) == 0)) {
                const auto at = random.below(leases.size());
                std::swap(leases[at], leases.front());
                --held[leases.front().first];
                leases.pop_front();
            }
        }
        CHECK(over == 0);
        CHECK(none == 0);  // by the rule somebody always has room
    }
}

TEST_CASE("hot keys spill in their own order, and go home when there is room again") {
    weir::registry<std::string> r;
    fill(r, std::vector<std::uint32_t>(10, 1));
    const weir::basic_selector bounded{r, bounded_load{ring{}, 1.25}};
    const weir::ring_hash plain{r};
    std::vector<lease> held;
    const auto home = plain.pick({.key = 7}).id();
    std::vector<weir::backend_id> order;
    for (int i = 0; i < 10; ++i) {
        held.push_back(bounded.pick({.key = 7}));
        REQUIRE(held.back());
        // capacity = ceil(1.25 (T + 1) / 10) is 1 up to the eighth pick
        CHECK(held.back().reason() == (held.back().id() == home ? pick_reason::chosen : pick_reason::spilled));
        if (i < 8) order.push_back(held.back().id());
    }
    CHECK(order.front() == home);
    CHECK(std::set<weir::backend_id>(order.begin(), order.end()).size() == 8);
    held.clear();
    CHECK(bounded.pick({.key = 7}).id() == home);
    // The same spill again: the order is the key's.
    for (int i = 0; i < 8; ++i) {
        held.push_back(bounded.pick({.key = 7}));
        CHECK(held.back().id() == order[static_cast<std::size_t>(i)]);
    }
}

TEST_CASE("the bound goes along with the choice: the reservation holds it, whoever picks at the same time") {
    weir::registry<std::string> r;
    fill(r, {1, 1, 2});
    const weir::basic_selector bounded{r, witnessed{}};
    std::vector<lease> held;
    for (std::uint64_t total = 0; total < 40; ++total) {
        held.push_back(bounded.pick());
        REQUIRE(held.back());
        CHECK(witnessed::bound == capacity(5, total, *held.back() == "backend-2" ? 2 : 1, 4));
    }
}

TEST_CASE("one key alone keeps every backend within ceil(1.25 x mean)") {
    weir::registry<std::string> r;
    fill(r, std::vector<std::uint32_t>(8, 1));
    const weir::basic_selector bounded{r, bounded_load<ring>{}};
    std::vector<lease> held;
    for (int i = 0; i < 800; ++i) held.push_back(bounded.pick({.key = 1}));
    for (const auto& m : r.members()) CHECK(m.in_flight <= 125);
    held.clear();
    for (const auto& m : r.members()) CHECK(m.in_flight == 0);
}

TEST_CASE("a backend that has reached its own limit is not part of the mean: the others have room") {
    weir::registry<std::string> r;
    r.add("small", {.max_in_flight = 1});
    const auto large = r.add("large");
    const weir::basic_selector bounded{r, bounded_load<ring>{}};
    std::vector<lease> held;
    for (std::uint64_t i = 0; i < 50; ++i) {
        held.push_back(bounded.pick({.key = i}));
        CHECK(held.back());
        CHECK(held.back().reason() != pick_reason::fallback);  // which would know no bound
    }
    CHECK(r.inspect(large)->in_flight == 49);
}

TEST_CASE("the bound counts leases of every selector, older ones too") {
    weir::registry<std::string> r;
    const auto ids = fill(r, {1, 1});
    const weir::ring_hash plain{r};
    std::uint64_t key = 0;
    while (plain.pick({.key = key}).id() != ids[0]) ++key;
    std::vector<lease> older;
    for (int i = 0; i < 10; ++i) older.push_back(plain.pick({.key = key}));
    const weir::basic_selector bounded{r, bounded_load<ring>{}};
    auto spilled = bounded.pick({.key = key});
    CHECK(spilled.id() == ids[1]);
    CHECK(spilled.reason() == pick_reason::spilled);
    older.clear();
    spilled.complete(weir::outcome::success);
    CHECK(bounded.pick({.key = key}).id() == ids[0]);
}

TEST_CASE("two threads: no backend is above what the most leases at once allow, and all counts return to 0",
          "[threads]") {
    weir::registry<std::string> r;
    const auto ids = fill(r, std::vector<std::uint32_t>(4, 1));
    const weir::basic_selector bounded{r, bounded_load<ring>{}};
    std::map<weir::backend_id, std::size_t> place;
    for (std::size_t i = 0; i < ids.size(); ++i) place[ids[i]] = i;
    std::atomic<int> held[4]{};
    std::atomic<int> over{0}, picked{0};
    constexpr int most_each = 20;
    const auto work = [&] {
        std::deque<std::pair<std::size_t, lease>> mine;
        for (int i = 0; i < 20'000; ++i) {
            if (auto one = bounded.pick({.key = 3})) {
                picked.fetch_add(1);
                const std::size_t at = place.at(one.id());
                // At most 2 x 20 at once: whatever the interleaving, ceil(1.25 x 40 / 4).
                if (held[at].fetch_add(1) + 1 > 13) over.fetch_add(1);
                mine.emplace_back(at, std::move(one));
            }
            while (mine.size() >= most_each || (i % 3 == 0 && !mine.empty())) {
                held[mine.front().first].fetch_sub(1);
                mine.pop_front();
            }
        }
        for (const auto& [at, one] : mine) held[at].fetch_sub(1);
    };
    std::thread other{work};
    work();
    other.join();
    CHECK(over == 0);
    CHECK(picked > 0);
    for (const auto& m : r.members()) CHECK(m.in_flight == 0);
}

TEST_CASE("the capacity never vanishes and never wraps") {
    const bounded_load<ring> rule;
    CHECK(rule.capacity(0, 1, 1'000'000) == 1);
    CHECK(rule.capacity(-5, 1, 1) == 2);  // a total that lags below 0 counts as 0
    CHECK(rule.capacity(7, 1, 10) == 1);
    CHECK(rule.capacity(8, 1, 10) == 2);
    CHECK(rule.capacity(1'000'000'000'000, weir::weight::max, 1) == 4294967294u);
    CHECK(rule.capacity(5, 1, 0) == 8);
}

TEST_CASE("a factor that is not above 1 and finite is refused in words") {
    CHECK_THROWS_WITH((bounded_load<ring>{{}, 1.0}),
                      "weir: bounded_load: a factor of 1.000000 is not above 1 and at most 1000");
    for (const double factor :
         {0.5, 0.0, -1.0, 1000.5, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()})
        CHECK_THROWS_AS((bounded_load<ring>{{}, factor}), std::invalid_argument);
    CHECK_NOTHROW(bounded_load<ring>{{}, 1.0001});
    CHECK_NOTHROW(bounded_load<ring>{{}, 1000});
}

static_assert(weir::policy<bounded_load<ring>>);
static_assert(weir::policy<bounded_load<bounded_load<weir::round_robin_policy>>>);
