#include <weir/adapt/sticky.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/backends.hpp"

#include <weir/adapt/bounded_load.hpp>
#include <weir/adapt/priority.hpp>
#include <weir/random.hpp>
#include <weir/select/consistent_hash.hpp>
#include <weir/select/least_load.hpp>
#include <weir/select/random.hpp>
#include <weir/select/round_robin.hpp>

#include <memory>
#include <string>
#include <vector>

using weir::condition;
using weir::pick_error;
using weir::pick_reason;
using weir::sticky;

namespace {

const weir::session_key key{"a secret for the tests"};

struct pool {
    weir::registry<std::string> registry;
    std::vector<weir::backend_id> ids;
    explicit pool(std::size_t n, std::uint32_t limit = weir::unlimited) {
        for (std::size_t i = 0; i < n; ++i)
            ids.push_back(registry.add("b" + std::to_string(i), {.max_in_flight = limit}));
    }
    [[nodiscard]] auto balancer() { return weir::basic_selector{registry, sticky{weir::round_robin_policy{}, key}}; }
    [[nodiscard]] static std::string token(std::size_t i) { return key.token("b" + std::to_string(i)); }
};

}  // namespace

TEMPLATE_TEST_CASE("a session comes back to its backend, whatever the policy", "", weir::round_robin_policy,
                   weir::random_policy, weir::least_load_policy<weir::in_flight>, weir::ring_hash_policy,
                   weir::priority<weir::round_robin_policy>, weir::bounded_load<weir::ring_hash_policy>) {
    pool p{20};
    const weir::basic_selector s{p.registry, sticky{TestType{}, key}};
    for (std::uint64_t client = 0; client < 200; ++client) {
        auto first = s.pick({.key = client});
        REQUIRE(first);
        CHECK(first.reason() != pick_reason::sticky);
        const std::string cookie = s.policy().token(first.identity());
        for (int i = 0; i < 5; ++i) {
            const auto next = s.pick({.key = client + 1, .session = cookie});
            CHECK(next.id() == first.id());
            CHECK(next.reason() == pick_reason::sticky);
        }
    }
    CHECK(s.counts()[pick_reason::sticky] == 1000);
}

TEST_CASE("without a token, and with one that is unknown, malformed or forged, the policy picks, evenly") {
    pool p{10};
    const auto s = p.balancer();
    weir::generator random{1};
    std::vector<std::uint64_t> counts(10);
    for (int i = 0; i < 20'000; ++i) {
        std::string token;
        switch (i % 5) {
        case 0: break;
        case 1: token = weir::session_key{"another secret for the tests"}.token("b3"); break;
        case 2: token = "b3"; break;  // the identity itself
        case 3:
            token = pool::token(3);
            token[random.below(16)] ^= 1;  // a digit, or none any more
            break;
        default:
            for (int k = 0; k < 16; ++k) token += "0123456789abcdef"[random.below(16)];
        }
        const auto one = s.pick({.session = token});
        CHECK(one.reason() == pick_reason::chosen);
        ++counts[one.id().slot];
    }
    CHECK(counts == std::vector<std::uint64_t>(10, 2000));
}

TEST_CASE("a session is picked anew when its backend may not be chosen, and returns only by its token") {
    pool p{3};
    const auto s = p.balancer();
    const auto pick = [&] { return s.pick({.session = pool::token(1)}); };
    for (unsigned bit = 0; bit < 15; ++bit) {
        const auto one = static_cast<condition>(1u << bit);
        INFO(to_string(one));
        p.registry.set(p.ids[1], one);
        const bool stays = one == condition::draining || one == condition::degraded || one == condition::half_open;
        CHECK((pick().id() == p.ids[1]) == stays);
        CHECK((pick().reason() == pick_reason::sticky) == stays);
        p.registry.set(p.ids[1], condition::draining);  // draining hides no other cause
        CHECK((pick().reason() == pick_reason::sticky) == stays);
        p.registry.clear(p.ids[1], condition::draining);
        p.registry.clear(p.ids[1], one);
        CHECK(pick().reason() == pick_reason::sticky);
    }
    p.registry.set_weight(p.ids[1], 0);
    CHECK(pick().id() != p.ids[1]);
    p.registry.set(p.ids[1], condition::draining);
    CHECK(pick().id() != p.ids[1]);
    p.registry.clear(p.ids[1], condition::draining);
    p.registry.set_weight(p.ids[1], 3);
    CHECK(pick().id() == p.ids[1]);
    const weir::backend_id failed[] = {p.ids[1]};
    CHECK(s.pick({.exclude = failed, .session = pool::token(1)}).id() != p.ids[1]);
    p.registry.remove(p.ids[1]);
    CHECK(pick().reason() == pick_reason::chosen);
    // The token names an identity: whoever bears it next is its backend, in whatever slot.
    p.registry.add("somebody");
    const auto again = p.registry.add("b1");
    CHECK(pick().id() == again);
    CHECK(pick().reason() == pick_reason::sticky);
}

TEST_CASE("a draining backend serves its sessions and nobody else, also when it is the only one") {
    pool p{2};
    const auto s = p.balancer();
    const weir::round_robin plain{p.registry};
    p.registry.set(p.ids[0], condition::draining);
    for (int i = 0; i < 50; ++i) {
        CHECK(s.pick().id() == p.ids[1]);
        CHECK(s.pick({.session = pool::token(0)}).id() == p.ids[0]);
        CHECK(plain.pick({.session = pool::token(0)}).id() == p.ids[1]);  // only the adaptor reads tokens
    }
    CHECK(s.choose({.session = pool::token(0)}, [](std::string& b) { CHECK(b == "b0"); }) == pick_error::none);
    p.registry.set(p.ids[1], condition::failed_check);
    CHECK(s.pick({.session = pool::token(0)}).id() == p.ids[0]);
    CHECK(s.pick({.session = pool::token(0)}).reason() == pick_reason::sticky);
    CHECK(s.pick({.session = pool::token(1)}).error() == pick_error::none_eligible);
    CHECK(s.pick({.session = "forged"}).error() == pick_error::none_eligible);
    CHECK(s.pick().error() == pick_error::none_eligible);
    CHECK(plain.pick({.session = pool::token(0)}).error() == pick_error::none_eligible);
    const weir::backend_id failed[] = {p.ids[0]};
    CHECK(s.pick({.exclude = failed, .session = pool::token(0)}).error() == pick_error::none_eligible);
    p.registry.remove(p.ids[0]);
    CHECK(s.pick({.session = pool::token(0)}).error() == pick_error::none_eligible);
}

TEST_CASE("limits hold for sessions too, draining or not") {
    pool p{2, 2};
    const auto s = p.balancer();
    for (const bool draining : {false, true}) {
        if (draining) p.registry.set(p.ids[0], condition::draining);
        const auto one = s.pick({.session = pool::token(0)}), two = s.pick({.session = pool::token(0)});
        CHECK(one.id() == p.ids[0]);
        CHECK(two.id() == p.ids[0]);
        const auto third = s.pick({.session = pool::token(0)});
        CHECK(third.id() == p.ids[1]);
        CHECK(third.reason() != pick_reason::sticky);
    }
}

TEST_CASE("new sessions are evened out by the policy, which does not see the old ones as picks") {
    pool p{4};
    const auto s = p.balancer();
    std::vector<std::uint64_t> counts(4);
    for (int i = 0; i < 4000; ++i) {
        (void)s.pick({.session = pool::token(2)});
        ++counts[s.pick().id().slot];
    }
    CHECK(counts == std::vector<std::uint64_t>(4, 1000));
}

TEST_CASE("the directory is made anew only when members change, and finds everybody, among many") {
    weir::registry<int> r;
    std::vector<weir::backend_id> ids;
    r.update([&](auto& change) {
        for (int i = 0; i < 3000; ++i) ids.push_back(change.add(i));
    });
    const weir::basic_selector s{r, sticky{weir::random_policy{}, key}};
    weir::generator random{1};
    for (int i = 0; i < 3000; ++i) {
        if (i % 100 == 99) {
            const auto gone = random.below(ids.size());
            r.remove(ids[gone]);
            ids[gone] = r.add(static_cast<int>(gone));
        }
        if (i % 100 == 49) r.set(ids[static_cast<std::size_t>(i)], condition::degraded);
        CHECK(s.pick({.session = key.token(std::to_string(i))}).id() == ids[static_cast<std::size_t>(i)]);
    }
}

TEST_CASE("a backend without an identity is refused in words, and the update with it") {
    weir::registry<weir_test::nameless> r;
    r.add({1}, {.identity = "named"});
    const weir::basic_selector s{r, sticky{weir::round_robin_policy{}, key}};
    CHECK_THROWS_WITH(r.add({2}), Catch::Matchers::ContainsSubstring("sticky needs an identity for each backend"));
    CHECK(r.size() == 1);
    CHECK(s.pick({.session = key.token("named")})->value == 1);
}

TEST_CASE("without a key of the user's the adaptor makes one, which its copies share") {
    pool p{5};
    const weir::basic_selector s{p.registry, sticky{weir::round_robin_policy{}}},
        t{p.registry, sticky{weir::round_robin_policy{}}};
    const std::string cookie = s.policy().token("b2");
    CHECK(s.pick({.session = cookie}).id() == p.ids[2]);
    CHECK(cookie != t.policy().token("b2"));
    CHECK(t.pick({.session = cookie}).reason() == pick_reason::chosen);
}

static_assert(weir::policy<sticky<weir::round_robin_policy>>);
static_assert(weir::detail::keeps_sessions<sticky<weir::round_robin_policy>>);
static_assert(!weir::detail::keeps_sessions<weir::bounded_load<sticky<weir::round_robin_policy>>>);
