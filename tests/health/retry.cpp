#include <weir/health/retry.hpp>

#include "catch.hpp"
#include "statistics.hpp"

#include <weir/select/consistent_hash.hpp>
#include <weir/select/round_robin.hpp>

#include <set>

using namespace std::chrono_literals;
using weir::retry;
using weir::retry_options;
using weir::retry_rules;

TEST_CASE("the pause before the k-th retry is below base x 2^(k - 1), and below the maximum") {
    const retry_rules rules;
    const std::chrono::nanoseconds bounds[] = {25ms, 50ms, 100ms, 200ms, 250ms, 250ms, 250ms};
    for (std::uint32_t k = 1; k <= 7; ++k) {
        CHECK(rules.pause(k, 0) == 0ns);
        CHECK(rules.pause(k, ~std::uint64_t{0}) == bounds[k - 1] - 1ns);
    }
    const retry_rules even{{.base_pause = 30ms, .max_pause = 60ms}};
    CHECK(even.pause(2, ~std::uint64_t{0}) == 60ms - 1ns);
    CHECK(even.pause(100, ~std::uint64_t{0}) == 60ms - 1ns);
    const retry_rules at_once{{.base_pause = 0ns, .max_pause = 0ns}};
    CHECK(at_once.pause(3, ~std::uint64_t{0}) == 0ns);
    constexpr auto most = (std::chrono::nanoseconds::max)();
    CHECK(retry_rules{{.base_pause = 1ns, .max_pause = most}}.pause(7, ~std::uint64_t{0}) == 63ns);
    CHECK(retry_rules{{.base_pause = most / 2 + 1ns, .max_pause = most}}.pause(7, ~std::uint64_t{0}) == most - 1ns);
}

TEST_CASE("pauses are uniform: full jitter") {
    retry_rules rules;
    std::vector<std::uint64_t> counts(25);
    weir::generator random{3};
    for (int i = 0; i < 25'000; ++i) ++counts[static_cast<std::size_t>(rules.pause(1, random()) / 1ms)];
    CHECK(weir_test::unfair(counts, std::vector<std::uint32_t>(25, 1)) == "");
    // By default they are the thread's own random numbers.
    std::set<std::chrono::nanoseconds> seen;
    for (int i = 0; i < 50; ++i) seen.insert(*retry{rules}.again({1, 1}, 0s));
    CHECK(seen.size() > 40);
}

TEST_CASE("as many attempts as allowed, and no more than the budget has") {
    retry_rules rules{{.attempts = 3, .budget = {.share = 0, .per_second = 3, .window = 1s}}};
    retry first{rules};
    CHECK(first.attempts() == 1);
    CHECK(first.again({1, 1}, 0s));
    CHECK(first.attempts() == 2);
    CHECK(first.again({2, 1}, 0s));
    CHECK(first.attempts() == 3);
    CHECK_FALSE(first.again({3, 1}, 0s));
    CHECK(rules.budget.granted() == 2);
    retry second{rules};
    CHECK(second.again({1, 1}, 0s));
    CHECK_FALSE(second.again({2, 1}, 0s));
    CHECK(rules.budget.refused() == 1);
    retry_rules once{{.attempts = 1}};
    CHECK_FALSE(retry{once}.again({1, 1}, 0s));
    CHECK(once.budget.granted() + once.budget.refused() == 0);
}

TEST_CASE("pain 14: a retry never returns to a backend that has failed it, with any selector") {
    weir::registry<std::string> r;
    for (int i = 0; i < 5; ++i) r.add("b" + std::to_string(i));
    const weir::round_robin turns{r};
    const weir::ring_hash keyed{r};
    retry_rules rules{{.attempts = 5, .budget = {.per_second = 1e6}}};
    const auto all_different = [&](const auto& balancer, std::uint64_t key) {
        std::set<weir::backend_id> seen;
        retry attempts{rules};
        for (bool again = true; again;) {
            auto lease = balancer.pick({.key = key, .exclude = attempts.tried()});
            REQUIRE(lease);
            CHECK(seen.insert(lease.id()).second);
            lease.complete(weir::outcome::failure);
            again = attempts.again(lease.id(), 0s).has_value();
        }
        CHECK(seen.size() == 5);
        CHECK(attempts.tried().size() == 5);
        CHECK(balancer.pick({.key = key, .exclude = attempts.tried()}).error() == weir::pick_error::all_excluded);
    };
    for (std::uint64_t i = 0; i < 200; ++i) {
        all_different(turns, i);
        all_different(keyed, i);
    }
}

TEST_CASE("nobody's id and one that is known already take no room") {
    retry_rules rules{{.attempts = 8}};
    retry attempts{rules};
    (void)attempts.again(weir::backend_id{}, 0s);
    CHECK(attempts.tried().empty());
    for (int i = 0; i < 3; ++i) (void)attempts.again({4, 7}, 0s);
    REQUIRE(attempts.tried().size() == 1);
    CHECK(attempts.tried()[0] == weir::backend_id{4, 7});
    for (std::uint32_t i = 10; i < 30; ++i) (void)attempts.again({i, 0}, 0s);  // more than there are attempts
    CHECK(attempts.tried().size() == 8);
}

TEST_CASE("each request is counted once, whatever its attempts") {
    retry_rules rules{{.budget = {.share = 1, .per_second = 0}}};
    for (int i = 0; i < 10; ++i) retry{rules};
    CHECK(rules.budget.available(0s) == Approx(10));
    retry one{rules};
    (void)one.again({1, 1}, 0s);
    (void)one.again({2, 1}, 0s);
    CHECK(rules.budget.available(0s) == Approx(11 - 2));
}

TEST_CASE("rules that make no sense are refused in words") {
    CHECK_THROWS_WITH(retry_rules({.attempts = 0}), "weir: retry_options: 0 attempts are not from 1 to 8");
    CHECK_THROWS_WITH(retry_rules({.attempts = 9}), "weir: retry_options: 9 attempts are not from 1 to 8");
    CHECK_THROWS_WITH(retry_rules({.base_pause = -1ns}),
                      "weir: retry_options: a base_pause of -1 ns is not at least 0");
    CHECK_THROWS_WITH(retry_rules({.base_pause = 2ms, .max_pause = 1ms}),
                      "weir: retry_options: a max_pause of 1000000 ns is not at least base_pause");
    CHECK_THROWS_AS(retry_rules({.budget = {.share = -1}}), std::invalid_argument);
}
