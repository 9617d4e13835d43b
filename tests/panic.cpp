#include <weir/panic.hpp>

#include "catch.hpp"

#include <weir/adapt/bounded_load.hpp>
#include <weir/random.hpp>
#include <weir/select/consistent_hash.hpp>
#include <weir/select/random.hpp>
#include <weir/select/round_robin.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

using weir::backend_id;
using weir::condition;
using weir::pick_error;
using weir::pick_reason;

namespace {

struct pool {
    weir::registry<std::string> registry;
    std::vector<backend_id> ids;
    explicit pool(int n) {
        registry.update([&](auto& change) {
            for (int i = 0; i < n; ++i) ids.push_back(change.add("b" + std::to_string(i)));
        });
    }
    void set(std::size_t first, std::size_t last, condition c) {
        registry.update([&](auto& change) {
            for (std::size_t i = first; i < last; ++i) change.set(ids[i], c);
        });
    }
};

std::string message(const std::function<void()>& f) {
    try {
        f();
        return "no exception";
    } catch (const std::invalid_argument& e) {
        return e.what();
    }
}

/// Joins and leaves of each backend, as a metric is told them.
struct attendance {
    static constexpr bool timed = false;
    struct pool {
        std::atomic<int> present{0};
    };
    struct state {
        std::atomic<int> present{0};
    };
    void join(pool& p, state& s) const noexcept { ++p.present, ++s.present; }
    void leave(pool& p, state& s) const noexcept { --p.present, --s.present; }
    void on_end(pool&, state&, weir::outcome, std::chrono::nanoseconds, std::chrono::nanoseconds) const noexcept {}
    int score(const pool& p, const state& s, const weir::load_reading&) const noexcept {
        return 1000 * p.present + s.present;
    }
    bool operator==(const attendance&) const = default;
};

/// Writes down what the metric says of each member.
struct attendance_policy {
    struct table {
        weir::metric_reader<attendance>::table loads;
    };
    struct state {
        state(const attendance_policy&, weir::metric_set& metrics) : reader{attendance{}, metrics} {}
        weir::metric_reader<attendance> reader;
    };
    int* wrong = nullptr;
    [[nodiscard]] table build(const weir::view& v, const weir::before<table>*, const state& s) const {
        return {s.reader.build(v)};
    }
    template <class Accept>
    weir::choice choose(const weir::view& v, const table& t, state& s, const weir::query&, Accept) const noexcept {
        const int all = static_cast<int>(v.eligible().size());
        for (std::uint32_t i = 0; i < v.slots(); ++i)
            if (v.is_member(i))
                *wrong += s.reader.score(v, t.loads, i, {}) == 1000 * all + (v.is_eligible(i) ? 1 : 0) ? 0 : 1;
        return {};
    }
};

}  // namespace

TEST_CASE("hardening 9: panic begins below its threshold, exactly at 0, 1, 49, 50, 51 and 100 %; 0 means never") {
    for (const bool fail_closed : {false, true})
        for (const int threshold : {0, 1, 49, 50, 51, 100}) {
            for (const int eligible : {0, 1, 48, 49, 50, 51, 52, 99, 100}) {
                INFO(eligible << " of 100 eligible, threshold " << threshold << (fail_closed ? ", closed" : ""));
                pool p{100};
                p.registry.set_panic({.threshold_percent = threshold, .fail_closed = fail_closed});
                const weir::round_robin turns{p.registry};
                p.set(static_cast<std::size_t>(eligible), 100, condition::failed_check);
                const bool panic = eligible < threshold;
                CHECK(p.registry.in_panic() == panic);
                std::set<backend_id> seen;
                std::set<pick_reason> reasons;
                for (int i = 0; i < 100; ++i)
                    if (const auto lease = turns.pick()) seen.insert(lease.id()), reasons.insert(lease.reason());
                const int expected = !panic ? eligible : fail_closed ? 0 : 100;
                CHECK(static_cast<int>(seen.size()) == expected);
                if (expected > 0) CHECK(reasons == std::set{panic ? pick_reason::panic : pick_reason::chosen});
                CHECK(turns.counts()[pick_reason::panic] == (panic && !fail_closed ? 100u : 0u));
                CHECK(turns.counts()[pick_error::none_eligible] == (expected == 0 ? 100u : 0u));
            }
        }
}

TEST_CASE("a threshold is exact in small pools, too: below 50 % of 3 are 0 and 1") {
    for (const int n : {1, 2, 3, 5})
        for (int eligible = 0; eligible <= n; ++eligible)
            for (const int threshold : {1, 33, 34, 50, 66, 67, 100}) {
                pool p{n};
                p.registry.set_panic({.threshold_percent = threshold});
                p.set(static_cast<std::size_t>(eligible), p.ids.size(), condition::ejected);
                CHECK(p.registry.in_panic() == (100 * eligible < threshold * n));
            }
    CHECK_FALSE(weir::detail::is_panic({.threshold_percent = 100}, 0, 0));
    CHECK(weir::detail::is_panic({.threshold_percent = 50}, 2'147'483'646, 4'294'967'294));
    CHECK_FALSE(weir::detail::is_panic({.threshold_percent = 50}, 2'147'483'647, 4'294'967'294));
}

TEST_CASE("panic ignores failed checks, unreachable and ejected, and no other condition") {
    for (unsigned bit = 0; bit < 15; ++bit) {
        const auto one = static_cast<condition>(1u << bit);
        INFO(to_string(one));
        pool p{4};
        p.registry.set_panic({.threshold_percent = 50});
        p.set(0, 3, condition::failed_check);  // one of four is left
        const weir::random draw{p.registry};
        REQUIRE(p.registry.in_panic());
        p.registry.set(p.ids[0], one);
        const bool of_health = one == condition::failed_check || one == condition::unreachable ||
                               one == condition::ejected;
        int hits = 0;
        for (int i = 0; i < 200; ++i) hits += draw.pick().id() == p.ids[0] ? 1 : 0;
        CHECK((hits > 0) == (of_health || one == condition::degraded || one == condition::half_open));
    }
}

TEST_CASE("what an operator took out is no part of the share: draining most of a healthy pool is no panic") {
    pool p{10};
    p.registry.set_panic({.threshold_percent = 50});
    p.set(0, 6, condition::draining);
    CHECK_FALSE(p.registry.in_panic());
    p.registry.set(p.ids[6], condition::failed_check);
    p.registry.set(p.ids[7], condition::failed_check);
    CHECK_FALSE(p.registry.in_panic());  // 2 of 4
    p.registry.set_weight(p.ids[8], 0);
    CHECK(p.registry.in_panic());  // 1 of 3
    p.set(0, 10, condition::disabled);
    CHECK_FALSE(p.registry.in_panic());  // 0 of 0: nobody to choose, whatever the health
    const weir::round_robin turns{p.registry};
    CHECK(turns.pick().error() == pick_error::none_eligible);
}

TEST_CASE("in panic the shares are the weights, and a rotation stays exact") {
    weir::registry<std::string> r;
    std::vector<backend_id> ids;
    for (int i = 0; i < 3; ++i) ids.push_back(r.add("b" + std::to_string(i), {.weight = i + 1}));
    r.set_panic({.threshold_percent = 50});
    r.set(ids[0], condition::failed_check);
    r.set(ids[2], condition::ejected);
    REQUIRE(r.in_panic());
    const weir::round_robin turns{r};
    for (int period = 0; period < 5; ++period) {
        std::map<backend_id, int> counts;
        for (int i = 0; i < 6; ++i) ++counts[turns.pick().id()];
        CHECK(counts == std::map<backend_id, int>{{ids[0], 1}, {ids[1], 2}, {ids[2], 3}});
    }
}

TEST_CASE("panic never reaches the disabled, draining, weightless, full or excluded") {
    pool p{6};
    auto& r = p.registry;
    r.set_panic({.threshold_percent = 100});
    const auto full = r.add("full", {.max_in_flight = 1});
    p.set(0, 6, condition::ejected);
    r.set(p.ids[0], condition::disabled);
    r.set(p.ids[1], condition::draining);
    r.set_weight(p.ids[2], 0);
    r.set(full, condition::unreachable);
    const weir::round_robin turns{r};
    REQUIRE(r.in_panic());
    const std::vector<backend_id> exclude{p.ids[3]};
    std::vector<weir::lease<std::string>> held;
    while (held.empty() || held.back().id() != full) held.push_back(turns.pick());
    std::set<backend_id> seen;
    for (int i = 0; i < 50; ++i) seen.insert(turns.pick({.exclude = exclude}).id());
    CHECK(seen == std::set{p.ids[4], p.ids[5]});
    const std::vector<backend_id> all{p.ids[3], p.ids[4], p.ids[5]};
    CHECK(turns.pick({.exclude = all}).error() == pick_error::overloaded);
}

TEST_CASE("panic begins and ends with the conditions, and with its setting, in one publication each") {
    pool p{4};
    auto& r = p.registry;
    const weir::ring_hash keyed{r};
    const auto home = keyed.pick({.key = 5}).id();
    r.set(home, condition::failed_check);
    CHECK(keyed.pick({.key = 5}).id() != home);
    const auto version = [&] { return r.hub()->seen()->version(); };
    auto before = version();
    r.set_panic({.threshold_percent = 80});
    CHECK(version() == ++before);
    r.set_panic({.threshold_percent = 80});
    CHECK(version() == before);  // nothing new
    CHECK(r.in_panic());
    CHECK(keyed.pick({.key = 5}).id() == home);
    CHECK(keyed.pick({.key = 5}).reason() == pick_reason::panic);
    CHECK_FALSE(r.inspect(home)->eligible);  // by its conditions: a cap on ejections counts those
    r.update([&](auto& change) { change.set_panic({.threshold_percent = 75}); });
    CHECK_FALSE(r.in_panic());
    CHECK(keyed.pick({.key = 5}).reason() != pick_reason::panic);
    r.set_panic({.threshold_percent = 80});
    r.clear(home, condition::failed_check);
    CHECK_FALSE(r.in_panic());
    CHECK(keyed.pick({.key = 5}).id() == home);
    CHECK(keyed.pick({.key = 5}).reason() == pick_reason::chosen);
    r.set_panic({});
    p.set(0, 4, condition::failed_check);
    CHECK_FALSE(r.in_panic());
}

TEST_CASE("a threshold outside 0 to 100 is refused with the bound, and changes nothing") {
    pool p{2};
    p.registry.set_panic({.threshold_percent = 30});
    CHECK(message([&] { p.registry.set_panic({.threshold_percent = -1}); }) ==
          "weir: panic: a threshold of -1 % is not from 0 to 100");
    CHECK(message([&] { p.registry.set_panic({.threshold_percent = 101}); }) ==
          "weir: panic: a threshold of 101 % is not from 0 to 100");
    CHECK(p.registry.hub()->seen()->panic().threshold_percent == 30);
}

TEST_CASE("metrics are told of joining and leaving as often in panic as without") {
    for (const bool fail_closed : {false, true}) {
        pool p{6};
        auto& r = p.registry;
        int wrong = 0;
        attendance_policy policy;
        policy.wrong = &wrong;
        const weir::basic_selector witness{r, policy};
        const weir::basic_selector bounded{r, weir::bounded_load{weir::random_policy{}, 1.5}};
        weir::generator random{fail_closed ? 1u : 2u};
        std::vector<weir::lease<std::string>> held;
        int panics = 0;
        for (int i = 0; i < 3000; ++i) {
            auto& id = p.ids[random.below(p.ids.size())];
            const auto one = static_cast<condition>(1u << random.below(5));
            switch (random.below(6)) {
            case 0:
            case 1: r.set(id, one); break;
            case 2:
            case 3: r.clear(id, one); break;
            case 4:
                r.set_panic({.threshold_percent = static_cast<int>(random.below(101)), .fail_closed = fail_closed});
                break;
            default: r.remove(id); id = r.add("n" + std::to_string(i), {.weight = random.below(3)});
            }
            panics += r.in_panic() ? 1 : 0;
            (void)witness.pick();
            held.push_back(bounded.pick());
            if (held.size() > 12) held.erase(held.begin());
            // The total that bounded_load divides by is the sum over those that may be chosen.
            std::int64_t sum = 0;
            const weir::view& v = *r.hub()->seen();
            for (const auto index : v.eligible()) sum += v.in_flight(index);
            const auto total = r.hub()->attach([](weir::metric_set& metrics) {
                struct look final : weir::detail::attachment {
                    std::int64_t total = 0;
                    void prepare(const std::shared_ptr<const weir::view>&) override {}
                    void discard() noexcept override {}
                    void commit(weir::detail::trash&) noexcept override {}
                    void close(weir::detail::trash&) noexcept override {}
                };
                auto seen = std::make_shared<look>();
                seen->total = metrics.use(weir::total_in_flight{})->shared.total.load();
                return seen;
            });
            REQUIRE(total->total == sum);
        }
        CHECK(wrong == 0);
        CHECK(panics > 300);
        CHECK(panics < 2700);
    }
}
