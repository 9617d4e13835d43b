#include <weir/adapt/slow_start.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/length.hpp"
#include "support/manual_clock.hpp"

#include <weir/adapt/bounded_load.hpp>
#include <weir/adapt/priority.hpp>
#include <weir/adapt/sticky.hpp>
#include <weir/select/choices.hpp>
#include <weir/select/consistent_hash.hpp>
#include <weir/select/ip_hash.hpp>
#include <weir/select/least_load.hpp>
#include <weir/select/maglev.hpp>
#include <weir/select/random.hpp>
#include <weir/select/rendezvous.hpp>
#include <weir/select/round_robin.hpp>

#include <deque>
#include <limits>
#include <map>
#include <thread>

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using weir::bounded_load;
using weir::slow_start;
using weir_test::five_sigma;
using weir_test::manual_clock;
using weir_test::unfair;

namespace {

using ring = weir::ring_hash_policy;
using registry = weir::registry<std::string, manual_clock>;
using counts = std::vector<std::uint64_t>;

std::vector<weir::backend_id> fill(registry& r, const std::vector<std::uint32_t>& weights) {
    std::vector<weir::backend_id> ids;
    for (const auto w : weights) ids.push_back(r.add("backend-" + std::to_string(ids.size()), {.weight = w}));
    return ids;
}

template <class Selector>
counts draw(const Selector& s, const std::vector<weir::backend_id>& ids, std::uint64_t picks,
            std::span<const weir::backend_id> exclude = {}) {
    counts result(ids.size());
    for (std::uint64_t i = 0; i < picks; ++i) {
        const auto lease = s.pick({.exclude = exclude});
        const auto at = static_cast<std::size_t>(std::find(ids.begin(), ids.end(), lease.id()) - ids.begin());
        REQUIRE(at < ids.size());
        ++result[at];
    }
    return result;
}

/// What each has on average, as a weight for `unfair`: of all sets of those that take part, the shares by weight.
std::vector<std::uint32_t> shares(const std::vector<std::uint32_t>& weights, const std::vector<double>& factors) {
    std::vector<double> expected(weights.size());
    for (unsigned set = 1; set < 1u << weights.size(); ++set) {
        double probability = 1, total = 0;
        for (std::size_t i = 0; i < weights.size(); ++i) {
            const bool in = ((set >> i) & 1) != 0;
            probability *= in ? factors[i] : 1 - factors[i];
            total += in ? weights[i] : 0;
        }
        for (std::size_t i = 0; i < weights.size(); ++i)
            if (((set >> i) & 1) != 0) expected[i] += probability * weights[i] / total;
    }
    std::vector<std::uint32_t> result;
    for (const double e : expected) result.push_back(static_cast<std::uint32_t>(std::lround(e * 1e8)));
    return result;
}

std::vector<std::string> homes(const auto& selector, std::uint64_t keys) {
    std::vector<std::string> all;
    for (std::uint64_t key = 0; key < keys; ++key) all.push_back(*selector.pick({.key = key}));
    return all;
}

}  // namespace

TEMPLATE_TEST_CASE("rotations and draws: the share of a warming backend is its factor times its weight's share", "",
                   weir::random_policy, weir::round_robin_policy) {
    manual_clock::set(1h);
    registry r;
    auto ids = fill(r, {1, 2, 3});
    const weir::basic_selector s{r, slow_start<TestType>{}, weir::selector_options{.seed = 1}};
    const auto picks = weir_test::repetitions(20'000);
    CHECK(unfair(draw(s, ids, picks), std::vector<std::uint32_t>{1, 2, 3}) == "");  // those at hand are warm
    ids.push_back(r.add("new", {.weight = 4}));
    for (const auto& [t, factor] : {std::pair{0s, 0.1}, {1s, 0.1}, {3s, 0.3}, {9s, 0.9}, {10s, 1.0}}) {
        INFO(t.count() << " s");
        manual_clock::set(1h + t);
        CHECK(unfair(draw(s, ids, picks), shares({1, 2, 3, 4}, {1, 1, 1, factor})) == "");
    }
    // Two at once, at different times; and what is excluded is not thinned.
    manual_clock::set(2h);
    ids.push_back(r.add("newer", {.weight = 5}));
    manual_clock::advance(4s);
    ids.push_back(r.add("newest", {.weight = 6}));
    manual_clock::advance(2s);
    CHECK(unfair(draw(s, ids, picks), shares({1, 2, 3, 4, 5, 6}, {1, 1, 1, 1, 0.6, 0.2})) == "");
    CHECK(unfair(draw(s, ids, picks, {&ids[3], 1}), shares({1, 2, 3, 0, 5, 6}, {1, 1, 1, 0, 0.6, 0.2})) == "");
}

TEMPLATE_TEST_CASE("where only warming backends are left they share by weight, and no request is lost", "",
                   weir::random_policy, weir::round_robin_policy, weir::least_load_policy<weir::in_flight>,
                   (weir::choices_policy<weir::in_flight, 2>), ring) {
    manual_clock::set(1h);
    registry r;
    auto ids = fill(r, {1, 1});
    const weir::basic_selector s{r, slow_start<TestType>{}, weir::selector_options{.seed = 1}};
    const auto a = r.add("new a"), b = r.add("new b");
    const std::vector<weir::backend_id> warm = ids, fresh{a, b};
    int of_a = 0;
    for (std::uint64_t i = 0; i < 4000; ++i) {
        const auto lease = s.pick({.key = i, .exclude = warm});
        REQUIRE(lease);
        REQUIRE((lease.id() == a || lease.id() == b));
        of_a += lease.id() == a ? 1 : 0;
    }
    CHECK(std::abs(of_a - 2000) <= five_sigma(4000, 0.5, std::same_as<TestType, ring> ? 4000.0 / 640 : 1));
    // The warm ones go: what was warming has all there is, as soon as that is published.
    for (const auto id : warm) r.remove(id);
    for (std::uint64_t i = 0; i < 500; ++i) REQUIRE(s.pick({.key = i}));
}

TEST_CASE("a pick in which nobody takes part follows the policy over all, not a draw") {
    manual_clock::set(1h);
    registry r;
    const auto warm = fill(r, {1});
    const weir::basic_selector keyed{r, slow_start<ring>{}};
    const weir::basic_selector least{r, slow_start<weir::least_load_policy<weir::in_flight>>{},
                                     weir::selector_options{.seed = 1}};
    const weir::ring_hash plain{r};
    const auto a = r.add("new a"), b = r.add("new b");
    const std::vector<weir::backend_id> all_but_b{warm[0], a};
    const auto busy = plain.pick({.exclude = all_but_b});
    constexpr int picks = 3000;
    int home = 0, idle = 0;
    for (std::uint64_t i = 0; i < picks; ++i) {
        const auto expected = plain.pick({.key = i, .exclude = warm}).id();
        home += keyed.pick({.key = i, .exclude = warm}).id() == expected ? 1 : 0;
        idle += least.pick({.exclude = warm}).id() == a ? 1 : 0;
    }
    // With a factor of 0.1 each: not only the other takes part in 1 - 0.9 x 0.1 of them.
    REQUIRE(busy.id() == b);
    CHECK(std::abs(home - picks * 0.91) <= five_sigma(picks, 0.91));
    CHECK(std::abs(idle - picks * 0.91) <= five_sigma(picks, 0.91));
}

TEST_CASE("a pool that starts cold as a whole serves at once, a rotation exactly by weight, a ring each key at home") {
    manual_clock::set(1h);
    registry r;
    const weir::basic_selector rotation{r, slow_start{weir::round_robin_policy{}}};
    const weir::basic_selector keyed{r, slow_start{ring{}}};
    const weir::ring_hash plain{r};
    CHECK(rotation.pick().error() == weir::pick_error::empty);
    std::vector<weir::backend_id> ids;
    r.update([&](auto& change) {
        for (std::uint32_t w : {1u, 2u, 3u}) ids.push_back(change.add("backend-" + std::to_string(w), {.weight = w}));
    });
    for (const auto t : {0ms, 1ms, 400ms, 5000ms, 20'000ms}) {
        manual_clock::set(1h + t);
        CHECK(draw(rotation, ids, 6) == counts{1, 2, 3});
        CHECK(homes(keyed, 200) == homes(plain, 200));
    }
}

TEST_CASE("each key moves to a warming backend once, in proportion to the factor, and to nobody else") {
    manual_clock::set(1h);
    registry r;
    fill(r, std::vector<std::uint32_t>(9, 1));
    const weir::basic_selector warming{r, slow_start{ring{}}};
    const weir::ring_hash plain{r};
    constexpr std::uint64_t keys = 5000;
    const auto before = homes(plain, keys);
    r.add("new");
    const auto after = homes(plain, keys);
    const auto version = r.hub()->seen()->version();
    const auto its = static_cast<double>(std::count(after.begin(), after.end(), "new"));
    auto now = before;
    for (const auto& [t, factor] :
         {std::pair{0ms, 0.1}, {900ms, 0.1}, {2000ms, 0.2}, {5000ms, 0.5}, {9900ms, 0.99}, {10'000ms, 1.0}}) {
        manual_clock::set(1h + t);
        const auto next = homes(warming, keys);
        int strays = 0;
        for (std::size_t key = 0; key < keys; ++key)
            strays += next[key] != now[key] && (next[key] != "new" || after[key] != "new") ? 1 : 0;
        CHECK(strays == 0);
        const auto moved = static_cast<double>(std::count(next.begin(), next.end(), "new"));
        CHECK(std::abs(moved - its * factor) <= five_sigma(its, factor));
        now = next;
    }
    CHECK(now == after);
    CHECK(r.hub()->seen()->version() == version);  // nothing was published, so nothing was rebuilt
}

TEST_CASE("with nearly everybody warming, a key goes to each backend at most once on its way home") {
    manual_clock::set(1h);
    registry r;
    fill(r, {1});
    const weir::basic_selector warming{r, slow_start{ring{}}};
    r.update([](auto& change) {
        for (int i = 0; i < 60; ++i) change.add("new-" + std::to_string(i));
    });
    constexpr std::uint64_t keys = 300;
    std::vector<std::vector<std::string>> visited(keys);
    int returned = 0;
    for (int step = 0; step <= 100; ++step, manual_clock::advance(100ms)) {
        const auto now = homes(warming, keys);
        for (std::size_t key = 0; key < keys; ++key) {
            auto& past = visited[key];
            if (!past.empty() && past.back() == now[key]) continue;
            returned += std::find(past.begin(), past.end(), now[key]) != past.end() ? 1 : 0;
            past.push_back(now[key]);
        }
    }
    CHECK(returned == 0);
    CHECK(homes(weir::ring_hash{r}, keys) == homes(warming, keys));
}

namespace {

/// A rendezvous draw by key, which is what the glue does where a policy finds nobody.
struct rendezvous_by_key {
    static constexpr bool by_key = true;
    struct table {};
    struct state {};
    [[nodiscard]] table build(const weir::view&, const weir::before<table>*, const state&) const { return {}; }
    template <class Accept>
    [[nodiscard]] weir::choice choose(const weir::view& v, const table&, state&, const weir::query& q,
                                      Accept accept) const noexcept {
        return weir::detail::rescue(v, q, accept);
    }
};

}  // namespace

TEMPLATE_TEST_CASE("whether a key is given to a warming backend does not depend on how well they go together", "",
                   rendezvous_by_key, weir::rendezvous_policy, weir::maglev_policy) {
    manual_clock::set(1h);
    registry r;
    fill(r, {1, 1, 1});
    const weir::basic_selector s{r, slow_start{TestType{}}};
    const weir::basic_selector plain{r, TestType{}};
    const auto id = r.add("new");
    manual_clock::advance(5s);
    int all = 0, half = 0;
    for (std::uint64_t key = 0; key < 5000; ++key) {
        all += plain.pick({.key = key}).id() == id ? 1 : 0;
        half += s.pick({.key = key}).id() == id ? 1 : 0;
    }
    CHECK(std::abs(half - all / 2.0) <= five_sigma(all, 0.5));
}

TEST_CASE("updates that change nothing for a warming backend do not restart it") {
    manual_clock::set(1h);
    registry r, twin;
    const weir::basic_selector s{r, slow_start{ring{}}}, undisturbed{twin, slow_start{ring{}}};
    for (registry* one : {&r, &twin}) fill(*one, {1, 1, 1, 1});
    manual_clock::advance(1h);
    const auto id = r.add("new");
    twin.add("new");
    for (int second = 1; second <= 10; ++second) {
        manual_clock::advance(1s);
        r.set(id, weir::condition::degraded);
        r.clear(id, weir::condition::degraded);
        r.set_weight(id, 2);
        r.set_weight(id, 1);
        r.assign(std::vector<std::string>{"new", "backend-0", "backend-1", "backend-2", "backend-3"});
        r.remove(r.add("passer-by"));
        r.update([&](auto& change) {
            change.set(id, weir::condition::draining);
            change.clear(id, weir::condition::draining);
        });
        CHECK(homes(s, 500) == homes(undisturbed, 500));
    }
    CHECK(homes(s, 500) == homes(weir::ring_hash{r}, 500));
}

TEST_CASE("a backend that becomes eligible again, has a weight again or is added again starts again") {
    manual_clock::set(1h);
    registry r;
    auto ids = fill(r, {1, 1, 1, 1});
    const weir::basic_selector s{r, slow_start<weir::random_policy>{}, weir::selector_options{.seed = 1}};
    const auto share_is = [&](double factor) {
        CHECK(unfair(draw(s, ids, 4000), shares({1, 1, 1, 1}, {factor, 1, 1, 1})) == "");
    };
    share_is(1);
    r.set(ids[0], weir::condition::failed_check);
    manual_clock::advance(1h);
    r.clear(ids[0], weir::condition::failed_check);
    share_is(0.1);
    manual_clock::advance(5s);
    share_is(0.5);
    r.set_weight(ids[0], 0);
    r.set_weight(ids[0], 1);
    share_is(0.1);
    manual_clock::advance(5s);
    r.remove(ids[0]);
    ids[0] = r.add("backend-0");
    share_is(0.1);
    manual_clock::advance(10s);
    share_is(1);
}

TEST_CASE("whom only panic lets in is warm at once: panic is there to spread the load") {
    manual_clock::set(1h);
    registry r;
    const auto ids = fill(r, std::vector<std::uint32_t>(10, 1));
    const weir::basic_selector next{r, slow_start{weir::round_robin_policy{}}};
    r.set_panic({.threshold_percent = 50});
    for (std::size_t i = 0; i < 8; ++i) r.set(ids[i], weir::condition::failed_check);
    REQUIRE(r.in_panic());
    CHECK(draw(next, ids, 1000) == counts(10, 100));
    // Who recovers meanwhile has had its share; who comes back after it starts again.
    r.update([&](auto& change) {
        for (std::size_t i = 0; i < 7; ++i) change.clear(ids[i], weir::condition::failed_check);
    });
    REQUIRE_FALSE(r.in_panic());
    const counts nine = draw(next, ids, 900);
    CHECK(std::count(nine.begin(), nine.end(), 100u) == 9);
    r.clear(ids[7], weir::condition::failed_check);
    CHECK(draw(next, ids, 1000)[7] < 50);
}

TEST_CASE("a key counts only for policies that follow it: a hot key thins a rotation as well as any") {
    manual_clock::set(1h);
    registry r;
    auto ids = fill(r, {1, 1, 1, 1});
    const weir::basic_selector s{r, slow_start<weir::round_robin_policy>{}, weir::selector_options{.seed = 1}};
    const weir::basic_selector keyed{r, slow_start<ring>{}, weir::selector_options{.seed = 1}};
    ids.push_back(r.add("new"));
    manual_clock::advance(5s);
    counts by_turn(5), keyless(5);
    for (int i = 0; i < 10'000; ++i) {
        const auto place = [&](const auto& lease) {
            return static_cast<std::size_t>(std::find(ids.begin(), ids.end(), lease.id()) - ids.begin());
        };
        ++by_turn[place(s.pick({.key = 42}))];
        ++keyless[place(keyed.pick())];
    }
    CHECK(unfair(by_turn, shares({1, 1, 1, 1, 1}, {1, 1, 1, 1, 0.5})) == "");
    // Without a key there is nothing to be true to: the draw through the ring is thinned.
    CHECK(keyless[4] > 0);
    CHECK(static_cast<double>(keyless[4]) <
          0.7 * static_cast<double>(keyless[0] + keyless[1] + keyless[2] + keyless[3]) / 4);
}

namespace {

/// A clock that counts how often it is read.
struct counting_clock : manual_clock {
    using time_point = std::chrono::time_point<counting_clock, duration>;
    static time_point now() noexcept {
        ++reads;
        return time_point{manual_clock::now().time_since_epoch()};
    }
    static inline int reads = 0;
};

}  // namespace

TEST_CASE("the clock is read only while somebody is warming") {
    manual_clock::set(1h);
    weir::registry<std::string, counting_clock> r;
    r.add("a");
    const weir::basic_selector s{r, slow_start{weir::round_robin_policy{}}};
    const auto reads = [&] {
        counting_clock::reads = 0;
        for (int i = 0; i < 100; ++i) (void)s.pick();
        return counting_clock::reads;
    };
    CHECK(reads() == 0);
    r.add("b");
    CHECK(reads() == 100);
    manual_clock::advance(9s);
    CHECK(reads() == 100);
    manual_clock::advance(1s);
    CHECK(reads() <= 2);  // the one pick that notices
    CHECK(reads() == 0);
    r.add("c");
    counting_clock::reads = 0;
    for (int i = 0; i < 100; ++i) (void)s.pick({.now = 2h});  // told a time far ahead: for these picks all are warm
    CHECK(reads() == 100);                                    // but not for the others
}

TEST_CASE("load-aware policies, too, take a warming backend for a part of the picks alone") {
    manual_clock::set(1h);
    registry r;
    auto ids = fill(r, {1, 1, 1, 1});
    const weir::basic_selector least{r, slow_start<weir::least_load_policy<weir::in_flight>>{},
                                     weir::selector_options{.seed = 1}};
    const weir::basic_selector two{r, slow_start<weir::choices_policy<weir::in_flight, 2>>{},
                                   weir::selector_options{.seed = 1}};
    ids.push_back(r.add("new"));
    manual_clock::advance(5s);
    CHECK(unfair(draw(least, ids, 10'000), shares({1, 1, 1, 1, 1}, {1, 1, 1, 1, 0.5})) == "");
    CHECK(unfair(draw(two, ids, 10'000), shares({1, 1, 1, 1, 1}, {1, 1, 1, 1, 0.5})) == "");
    // As soon as the others are busy, it is the least loaded: factor of all picks by least, of its draws by choices.
    std::vector<weir::lease<std::string>> busy;
    for (int i = 0; i < 80; ++i) busy.push_back(least.pick({.exclude = {&ids[4], 1}}));
    const auto by_least = draw(least, ids, 10'000), by_two = draw(two, ids, 10'000);
    CHECK(std::abs(static_cast<double>(by_least[4]) - 5000) <= five_sigma(10'000, 0.5));
    CHECK(std::abs(static_cast<double>(by_two[4]) - 10'000 * 0.5 * 2 / 5) <= five_sigma(10'000, 0.2));
}

TEMPLATE_TEST_CASE("slow start and bounded load compose: thinned while there is room, and the bound holds", "",
                   (bounded_load<slow_start<ring>>), (bounded_load<slow_start<weir::round_robin_policy>>),
                   (slow_start<bounded_load<weir::round_robin_policy>>)) {
    manual_clock::set(1h);
    registry r;
    auto ids = fill(r, {1, 1, 1, 1});
    const weir::basic_selector s{r, TestType{}, weir::selector_options{.seed = 1}};
    ids.push_back(r.add("new"));
    manual_clock::advance(2s);
    // One at a time: there is always room.
    counts alone(5);
    for (std::uint64_t i = 0; i < 5000; ++i) {
        const auto id = s.pick({.key = i}).id();
        ++alone[static_cast<std::size_t>(std::find(ids.begin(), ids.end(), id) - ids.begin())];
    }
    const double fair = 1.0 / 5, factor = 0.2;
    CHECK(static_cast<double>(alone[4]) <= 5000 * factor * fair + five_sigma(5000, factor * fair, 5000.0 / 800));
    CHECK(alone[4] > 0);
    // Many at once: the bound holds, if need be by the warming one, and nobody is turned away.
    std::deque<std::pair<std::size_t, weir::lease<std::string>>> held;
    counts now(5);
    int over = 0;
    weir::generator random{3};
    for (std::uint64_t i = 0; i < 4000; ++i) {
        const auto total = static_cast<std::uint64_t>(held.size());
        auto lease = s.pick({.key = i % 3});
        REQUIRE(lease);
        const auto at = static_cast<std::size_t>(std::find(ids.begin(), ids.end(), lease.id()) - ids.begin());
        // ceil(1.25 (T + 1) / n), n those that take part: all five inside the bound, four at least outside of it.
        const std::uint64_t n = std::same_as<TestType, slow_start<bounded_load<weir::round_robin_policy>>> ? 4 : 5;
        over += ++now[at] > (5 * (total + 1) + 4 * n - 1) / (4 * n) ? 1 : 0;
        held.emplace_back(at, std::move(lease));
        while (held.size() > 100 || random.below(3) == 0) {
            if (held.empty()) break;
            std::swap(held[random.below(held.size())], held.front());
            --now[held.front().first];
            held.pop_front();
        }
    }
    CHECK(over == 0);
    held.clear();
    for (const auto& m : r.members()) CHECK(m.in_flight == 0);
}

TEST_CASE("a session stays on a warming backend where sticky goes around slow start") {
    manual_clock::set(1h);
    registry r;
    fill(r, {1, 1, 1});
    const weir::basic_selector s{r, weir::sticky{slow_start{weir::random_policy{}}}, weir::selector_options{.seed = 1}};
    const auto id = r.add("new");
    const std::string session = s.policy().token("new");
    int picks = 0, without = 0;
    for (int i = 0; i < 1000; ++i) {
        picks += s.pick({.session = session}).id() == id ? 1 : 0;
        without += s.pick().id() == id ? 1 : 0;
    }
    CHECK(picks == 1000);
    CHECK(std::abs(without - 1000 * 0.1 / 4) <= five_sigma(1000, 0.1 / 4));
}

TEST_CASE("two threads pick while backends come and go: always somebody, and nothing is left in flight", "[threads]") {
    manual_clock::set(1h);
    registry r;
    fill(r, {1, 2});
    const weir::basic_selector s{r, slow_start{ring{}}};
    std::atomic<bool> done{false};
    std::atomic<int> failed{0};
    const auto pick = [&] {
        for (std::uint64_t key = 0; !done.load(); ++key)
            if (!s.pick({.key = key})) failed.fetch_add(1);
    };
    std::thread one{pick}, other{pick};
    for (std::uint64_t i = 0; i < weir_test::repetitions(300); ++i) {
        const auto id = r.add("guest " + std::to_string(i));
        manual_clock::advance(300ms);
        r.set(id, weir::condition::ejected);
        r.clear(id, weir::condition::ejected);
        if (i % 2 == 0) r.remove(id);
        if (i % 50 == 49) r.assign(std::vector<std::string>{"backend-0", "backend-1"});
    }
    done.store(true);
    one.join();
    other.join();
    CHECK(failed == 0);
    for (const auto& m : r.members()) CHECK(m.in_flight == 0);
}

TEST_CASE("a window, an aggression or a floor out of bounds is refused in words") {
    using start = slow_start<weir::random_policy>;
    const auto of = [](const weir::slow_start_options& o) { return start{{}, o}; };
    CHECK_THROWS_WITH(of({.window = -1ns}), "weir: slow_start: a window of -1 ns is below 0");
    CHECK_THROWS_WITH(of({.aggression = 0}), "weir: slow_start: an aggression of 0.000000 is not above 0 and finite");
    CHECK_THROWS_WITH(of({.floor = 0}), "weir: slow_start: a floor of 0.000000 is not above 0 and at most 1");
    constexpr double nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
    for (const double bad : {-1.0, nan, infinite, -infinite}) {
        CHECK_THROWS_AS(of({.aggression = bad}), std::invalid_argument);
        CHECK_THROWS_AS(of({.floor = bad}), std::invalid_argument);
    }
    CHECK_THROWS_AS(of({.floor = 1.001}), std::invalid_argument);
    CHECK_NOTHROW(of({.window = 0s, .aggression = 1e-9, .floor = 1}));
    CHECK_NOTHROW(of({.window = (nanoseconds::max)(), .aggression = 1e300, .floor = 1e-300}));
}

static_assert(weir::policy<slow_start<ring>>);
static_assert(weir::policy<slow_start<bounded_load<slow_start<ring>>>>);
static_assert(slow_start<bounded_load<weir::priority<ring>>>::by_key &&
              slow_start<weir::sticky<weir::ip_hash_policy>>::by_key);
static_assert(!slow_start<weir::random_policy>::by_key);
