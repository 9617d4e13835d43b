#include <weir/adapt/priority.hpp>

#include "catch.hpp"
#include "statistics.hpp"

#include <weir/adapt/bounded_load.hpp>
#include <weir/select/choices.hpp>
#include <weir/select/consistent_hash.hpp>
#include <weir/select/least_load.hpp>
#include <weir/select/random.hpp>
#include <weir/select/round_robin.hpp>

#include <map>
#include <set>
#include <string>
#include <vector>

using weir::condition;
using weir::pick_reason;
using weir::priority;
using weir::priority_rule;

namespace {

using lease = weir::lease<std::string>;

/// One backend: its priority, its weight, and what is the matter with it.
struct made {
    std::uint32_t level;
    std::uint32_t weight = 1;
    weir::conditions conditions = {};
    std::uint32_t limit = weir::unlimited;
};

std::vector<weir::backend_id> fill(weir::registry<std::string>& r, const std::vector<made>& all) {
    std::vector<weir::backend_id> ids;
    for (const made& one : all) {
        ids.push_back(r.add("b" + std::to_string(ids.size()),
                            {.weight = one.weight, .max_in_flight = one.limit, .priority = one.level}));
        for (unsigned bit = 0; bit < 15; ++bit)
            if (const auto c = static_cast<condition>(1u << bit); one.conditions.has(c)) r.set(ids.back(), c);
    }
    return ids;
}

template <class Selector>
std::vector<std::uint64_t> count(const Selector& s, const std::vector<weir::backend_id>& ids, std::uint64_t picks,
                                 std::map<pick_reason, std::uint64_t>* reasons = nullptr) {
    std::vector<std::uint64_t> counts(ids.size());
    for (std::uint64_t i = 0; i < picks; ++i) {
        const auto one = s.pick({.key = i});
        ++counts[static_cast<std::size_t>(std::find(ids.begin(), ids.end(), one.id()) - ids.begin())];
        if (reasons != nullptr) ++(*reasons)[one.reason()];
    }
    return counts;
}

const std::vector<made> three_of_six{{0, 1, condition::ejected},
                                     {0, 1, condition::ejected},
                                     {0, 1, condition::failed_check},
                                     {0},
                                     {0},
                                     {0},
                                     {1},
                                     {1},
                                     {1},
                                     {1}};

}  // namespace

TEMPLATE_TEST_CASE("shares are the load of the level times the weight within it, by chi-square, over any policy", "",
                   weir::random_policy, weir::round_robin_policy, weir::least_load_policy<weir::in_flight>,
                   (weir::choices_policy<weir::in_flight, 2>)) {
    weir::registry<std::string> r;
    // 3 of 6 healthy: 70 % for the first level; the second takes the rest.
    const auto ids = fill(r, {{0, 5, condition::ejected},
                              {0, 1},
                              {0, 2},
                              {0, 9, condition::draining},
                              {0, 4},
                              {0, 1, condition::failed_check},
                              {1, 3},
                              {1, 1},
                              {2, 100}});
    const weir::basic_selector s{r, priority<TestType>{}, {.seed = 5}};
    std::map<pick_reason, std::uint64_t> reasons;
    const auto counts = count(s, ids, 40'000, &reasons);
    // In 280ths: 70 % in 1 2 4, 30 % in 3 1.
    const std::vector<std::uint32_t> expected{0, 28, 56, 0, 112, 0, 63, 21, 0};
    CHECK(weir_test::unfair(counts, expected) == "");
    CHECK(reasons[pick_reason::chosen] == counts[1] + counts[2] + counts[4]);
    CHECK(reasons[pick_reason::spilled] == counts[6] + counts[7]);
}

TEST_CASE("keys: a level's share of the keys, each level over its own members alone, nothing moves without need") {
    weir::registry<std::string> r;
    const auto ids = fill(r, three_of_six);
    const weir::basic_selector s{r, priority<weir::ring_hash_policy>{}, {.seed = 5}};
    constexpr std::uint64_t keys = 20'000;
    const auto level_of = [&](weir::backend_id id) { return id.slot < 6 ? 0 : 1; };
    const auto map = [&] {
        std::vector<weir::backend_id> where;
        for (std::uint64_t k = 0; k < keys; ++k) where.push_back(s.pick({.key = k}).id());
        return where;
    };
    const auto before = map();
    const std::vector<std::uint64_t> by_level{
        static_cast<std::uint64_t>(
            std::count_if(before.begin(), before.end(), [&](auto id) { return level_of(id) == 0; })),
        static_cast<std::uint64_t>(
            std::count_if(before.begin(), before.end(), [&](auto id) { return level_of(id) == 1; }))};
    CHECK(weir_test::unfair(by_level, std::vector<std::uint32_t>{70, 30}) == "");
    CHECK(map() == before);
    // One more is healthy: 93 %. The keys that come back are those of the difference; the others stay but for the ones
    // whose own home has returned.
    r.clear(ids[2], condition::failed_check);
    const auto after = map();
    std::uint64_t came = 0, left = 0, moved_within = 0;
    for (std::uint64_t k = 0; k < keys; ++k) {
        came += level_of(before[k]) == 1 && level_of(after[k]) == 0 ? 1 : 0;
        left += level_of(before[k]) == 0 && level_of(after[k]) == 1 ? 1 : 0;
        moved_within += level_of(before[k]) == level_of(after[k]) && before[k] != after[k] && after[k] != ids[2] ? 1
                                                                                                                 : 0;
    }
    CHECK(left == 0);
    CHECK(moved_within == 0);
    CHECK(std::abs(static_cast<double>(came) - keys * 0.23) <= weir_test::five_sigma(keys, 0.23));
    r.set(ids[2], condition::failed_check);
    CHECK(map() == before);
    // What happens in one level does not move a key of the other, unless its load moves.
    r.remove(ids[9]);
    const auto smaller = map();
    for (std::uint64_t k = 0; k < keys; ++k)
        if (before[k] != ids[9] && smaller[k] != before[k]) FAIL_CHECK("key " << k << " moved");
    // A newcomer of the first level draws keys from the first level alone, but for the load that returns there.
    r.add("new", {.priority = 0});  // 4 of 7: 80 %
    const auto larger = map();
    for (std::uint64_t k = 0; k < keys; ++k)
        if (level_of(smaller[k]) == 0 && larger[k] != smaller[k]) CHECK(r.inspect(larger[k])->identity == "new");
}

TEST_CASE("a rotation within a level is exact, whatever the other levels do, and goes on across changes") {
    weir::registry<std::string> r;
    const auto ids = fill(r, three_of_six);
    const weir::basic_selector s{r, priority<weir::round_robin_policy>{}, {.seed = 2}};
    std::vector<std::uint64_t> counts(ids.size());
    weir::generator random{4};
    std::uint64_t worst = 0;
    for (int i = 0; i < 20'000; ++i) {
        if (random.below(20) == 0) r.set(ids[7], condition::degraded);
        if (random.below(20) == 0) r.clear(ids[7], condition::degraded);
        if (random.below(20) == 0) r.set(ids[0], condition::disabled);
        ++counts[static_cast<std::size_t>(std::find(ids.begin(), ids.end(), s.pick().id()) - ids.begin())];
        const auto [least, most] = std::minmax({counts[3], counts[4], counts[5]});
        worst = std::max(worst, most - least);
    }
    CHECK(worst <= 1);
    CHECK(counts[6] + counts[8] + counts[9] > 3000);
    const auto [least, most] = std::minmax({counts[6], counts[8], counts[9]});
    CHECK(most - least <= 1);
}

TEST_CASE("the degraded come after the healthy, of every level, and in their own proportions") {
    weir::registry<std::string> r;
    const auto ids = fill(r, {{0},
                              {0, 1, condition::degraded},
                              {0, 2, condition::degraded},
                              {0, 1, condition::ejected},
                              {1, 1, condition::ejected},
                              {1, 3, condition::degraded},
                              {1},
                              {1, 1, condition::ejected}});
    const weir::basic_selector s{r, priority<weir::random_policy>{}, {.seed = 8}};
    // Healthy 1 of 4 and 1 of 4: 35 % each; degraded 2 of 4 and 1 of 4: 70 % and 35 % for the 30 % that are left.
    CHECK(weir_test::unfair(count(s, ids, 30'000), std::vector<std::uint32_t>{35, 10, 20, 0, 0, 0, 35, 0}) == "");
    r.set(ids[6], condition::draining);
    // 35 % healthy, 65 % of the first level's degraded.
    CHECK(weir_test::unfair(count(s, ids, 30'000), std::vector<std::uint32_t>{105, 65, 130, 0, 0, 0, 0, 0}) == "");
    r.set(ids[0], condition::draining);
    // 70 % and 35 % exceed the 100 %.
    CHECK(weir_test::unfair(count(s, ids, 30'000), std::vector<std::uint32_t>{0, 70, 140, 0, 0, 90, 0, 0}) == "");
    for (const auto id : ids) r.set(id, condition::ejected);
    CHECK(s.pick().error() == weir::pick_error::none_eligible);
}

TEST_CASE("where the level drawn has nobody acceptable, the others follow in order, and the reason is fallback") {
    weir::registry<std::string> r;
    const auto ids = fill(r, {{0, 1, {}, 1}, {0, 1, condition::degraded}, {1}, {2}});
    const weir::basic_selector s{r, priority<weir::round_robin_policy>{}, {.seed = 1}};
    const auto on_first = [&](const weir::pick_options& o) {
        // 1 of 2 healthy: 70 % on the first level, 30 % on the second.
        for (;;)
            if (auto one = s.pick(o); one.reason() != pick_reason::spilled) return one;
    };
    auto held = on_first({});
    CHECK(held.id() == ids[0]);
    CHECK(held.reason() == pick_reason::chosen);
    CHECK(on_first({}).id() == ids[2]);
    CHECK(on_first({}).reason() == pick_reason::fallback);
    const weir::backend_id without_2[] = {ids[2]}, without_23[] = {ids[2], ids[3]},
                           all[] = {ids[0], ids[1], ids[2], ids[3]};
    CHECK(on_first({.exclude = without_2}).id() == ids[3]);
    CHECK(on_first({.exclude = without_23}).id() == ids[1]);  // the degraded last
    CHECK(s.pick({.exclude = all}).error() == weir::pick_error::all_excluded);
    held.complete(weir::outcome::success);
    CHECK(on_first({.exclude = without_2}).id() == ids[0]);
}

TEST_CASE("backups are taken only when all others are down, the first alone, or all together") {
    const std::vector<made> pool{{1, 3}, {0}, {0, 2}, {2}, {1, 1}, {1, 0}};
    struct row {
        std::vector<std::size_t> down, degraded;
        std::vector<std::uint32_t> first, all;  // the shares
    };
    const row rows[] = {{{}, {}, {0, 1, 2, 0, 0, 0}, {0, 1, 2, 0, 0, 0}},
                        {{1}, {}, {0, 0, 1, 0, 0, 0}, {0, 0, 1, 0, 0, 0}},
                        {{1}, {2}, {0, 0, 1, 0, 0, 0}, {0, 0, 1, 0, 0, 0}},  // degraded serves before any backup
                        {{}, {2}, {0, 1, 0, 0, 0, 0}, {0, 1, 0, 0, 0, 0}},
                        {{1, 2}, {}, {1, 0, 0, 0, 0, 0}, {3, 0, 0, 1, 1, 0}},
                        {{0, 1, 2}, {}, {0, 0, 0, 0, 1, 0}, {0, 0, 0, 1, 1, 0}},
                        {{0, 1, 2, 4}, {}, {0, 0, 0, 1, 0, 0}, {0, 0, 0, 1, 0, 0}},
                        {{1, 2}, {0}, {0, 0, 0, 0, 1, 0}, {0, 0, 0, 1, 1, 0}},
                        {{1, 2}, {0, 3, 4}, {1, 0, 0, 0, 0, 0}, {3, 0, 0, 1, 1, 0}}};
    int at = 0;
    for (const row& line : rows) {
        INFO("row " << at++);
        weir::registry<std::string> r;
        const auto ids = fill(r, pool);
        const weir::basic_selector first{
            r, priority{weir::random_policy{}, {.rule = priority_rule::backup}}, {.seed = 1}};
        const weir::basic_selector all{
            r, priority{weir::random_policy{}, {.rule = priority_rule::all_backups}}, {.seed = 1}};
        for (const auto i : line.down) r.set(ids[i], condition::failed_check);
        for (const auto i : line.degraded) r.set(ids[i], condition::degraded);
        std::map<pick_reason, std::uint64_t> reasons;
        CHECK(weir_test::unfair(count(first, ids, 3000, &reasons), line.first) == "");
        CHECK(weir_test::unfair(count(all, ids, 3000, &reasons), line.all) == "");
        const bool on_backup = line.first[1] + line.first[2] == 0;
        const bool on_degraded = line.degraded.size() == 1 && line.degraded[0] == 2 && line.down.size() == 1;
        CHECK(reasons.size() == 1);
        CHECK(reasons[on_backup || on_degraded ? pick_reason::spilled : pick_reason::chosen] == 6000);
    }
}

TEST_CASE("a backup serves a retry that has tried all others, and says fallback") {
    weir::registry<std::string> r;
    const auto ids = fill(r, {{0}, {1}, {1}});
    for (const auto rule : {priority_rule::backup, priority_rule::all_backups}) {
        const weir::basic_selector s{r, priority{weir::round_robin_policy{}, {.rule = rule}}};
        const weir::backend_id tried[] = {ids[0]}, both[] = {ids[0], ids[1]};
        CHECK(s.pick().id() == ids[0]);
        const auto retried = s.pick({.exclude = tried});
        CHECK(retried.id() != ids[0]);
        CHECK(retried.reason() == pick_reason::fallback);
        CHECK(s.pick({.exclude = both}).id() == ids[2]);
    }
}

TEST_CASE("a pool of backups alone is served") {
    weir::registry<std::string> r;
    const auto ids = fill(r, {{7}, {3}});
    const weir::basic_selector s{r, priority{weir::round_robin_policy{}, {.rule = priority_rule::backup}}};
    CHECK(s.pick().id() == ids[1]);
    const weir::basic_selector t{r, priority{weir::round_robin_policy{}}};
    CHECK(t.pick().id() == ids[1]);
    CHECK(t.pick().reason() == pick_reason::chosen);
}

TEST_CASE("a level too unhealthy for a whole percent serves if there is no other") {
    weir::registry<std::string> r;
    std::vector<made> all(300, {0, 1, condition::failed_check});
    all.push_back({0});
    const auto ids = fill(r, all);
    const weir::basic_selector s{r, priority<weir::round_robin_policy>{}};
    CHECK(s.pick().id() == ids.back());
}

TEST_CASE("bounded load within a level counts that level alone") {
    weir::registry<std::string> r;
    const auto ids = fill(r, {{0}, {0}, {0}, {0}, {1}, {1}, {1}, {1}});
    const weir::basic_selector s{r, priority<weir::bounded_load<weir::ring_hash_policy>>{}};
    const weir::round_robin other{r};
    std::vector<lease> elsewhere;
    std::vector<weir::backend_id> first(ids.begin(), ids.begin() + 4);
    for (int i = 0; i < 400; ++i) elsewhere.push_back(other.pick({.exclude = first}));
    std::vector<lease> held;
    for (int i = 0; i < 100; ++i) held.push_back(s.pick({.key = 1}));
    for (std::size_t i = 0; i < 4; ++i) CHECK(r.inspect(ids[i])->in_flight <= 32);  // ceil(1.25 x 100 / 4)
}

/// Refuses every pick of the first level, as a policy with bounds of its own may.
struct refuses_the_first {
    struct table {};
    struct state {};
    [[nodiscard]] table build(const weir::view&, const weir::before<table>*, const state&) const { return {}; }
    template <class Accept>
    [[nodiscard]] weir::choice choose(const weir::view& v, const table&, state&, const weir::query&,
                                      Accept) const noexcept {
        const std::uint32_t i = v.eligible()[0];
        return v.priority(i) == 0 ? weir::choice::refused() : weir::choice{.index = i};
    }
};

TEST_CASE("a level whose policy refuses is passed over, not overruled; if none is left the pick is refused") {
    weir::registry<std::string> r;
    const auto ids = fill(r, {{0}, {1}});
    const weir::basic_selector s{r, priority<refuses_the_first>{}};
    CHECK(s.pick().id() == ids[1]);
    CHECK(s.pick().reason() == pick_reason::fallback);
    const weir::backend_id second[] = {ids[1]};
    CHECK(s.pick({.exclude = second}).error() == weir::pick_error::overloaded);
}

TEST_CASE("metrics of the policy inside are those of the registry, in every level") {
    weir::registry<std::string> r;
    const auto ids = fill(r, {{0, 1, condition::failed_check}, {0, 1, condition::failed_check}, {1}, {1}});
    const weir::basic_selector s{r, priority<weir::least_load_policy<weir::peak_ewma>>{}, {.seed = 1}};
    for (int i = 0; i < 20; ++i) {
        auto one = s.pick();
        const bool slow = one.id() == ids[2];
        one.complete(weir::outcome::success, std::chrono::milliseconds{slow ? 50 : 1});
    }
    for (int i = 0; i < 20; ++i) CHECK(s.pick().id() == ids[3]);
}

TEST_CASE("levels may come and go, a thousand times, under picks") {
    weir::registry<std::string> r;
    const weir::basic_selector s{r, priority<weir::round_robin_policy>{}, {.seed = 1}};
    weir::generator random{9};
    std::map<weir::backend_id, std::uint32_t> levels;
    for (int i = 0; i < 3000; ++i) {
        if (levels.size() < 3 || (levels.size() < 12 && random.below(2) == 0)) {
            const auto level = static_cast<std::uint32_t>(random.below(5));
            levels[r.add("b" + std::to_string(i), {.priority = level})] = level;
        } else {
            const auto gone = std::next(levels.begin(), static_cast<std::ptrdiff_t>(random.below(levels.size())));
            r.remove(gone->first);
            levels.erase(gone);
        }
        std::uint32_t lowest = 99;
        for (const auto& [id, level] : levels) lowest = std::min(lowest, level);
        const auto one = s.pick();
        REQUIRE(one);
        CHECK(levels.at(one.id()) == lowest);  // all are healthy
    }
}

TEST_CASE("options that make no sense are refused in words") {
    CHECK_THROWS_WITH((priority{weir::random_policy{}, {.overprovisioning = 99}}),
                      "weir: priority: an overprovisioning of 99 percent is not from 100 to 100000");
    CHECK_THROWS_AS((priority{weir::random_policy{}, {.overprovisioning = 100'001}}), std::invalid_argument);
    CHECK_THROWS_WITH((priority{weir::random_policy{}, {.rule = static_cast<priority_rule>(9)}}),
                      "weir: priority: rule 9 is none of priority_rule");
    CHECK_NOTHROW((priority{weir::random_policy{}, {.overprovisioning = 100}}));
}

static_assert(weir::policy<priority<weir::round_robin_policy>>);
static_assert(weir::policy<priority<weir::bounded_load<weir::ring_hash_policy>>>);
static_assert(weir::policy<weir::bounded_load<priority<weir::ring_hash_policy>>>);
static_assert(weir::policy<priority<priority<weir::random_policy>>>);
