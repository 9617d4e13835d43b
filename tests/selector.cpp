#include <weir/selector.hpp>

#include "catch.hpp"
#include "support/backends.hpp"

#include <weir/weir.hpp>

#include <vector>

namespace {

using servers = weir::registry<weir_test::server>;

namespace exemplar {
using namespace weir;
template <class S>
// As the header has it, word for word: tests/docs.cmake compares them.
// clang-format off
struct telling_refusals {
    using backend_type = typename S::backend_type;
    S inner;
    void (*tell)(pick_error) noexcept;

    lease<backend_type> pick(const pick_options& how) const noexcept {
        auto found = inner.pick(how);
        if (!found) tell(found.error());
        return found;
    }
    template <class F>
    pick_error choose(const pick_options& how, F&& f) const {
        return inner.choose(how, std::forward<F>(f));
    }
    selector_counts counts() const noexcept { return inner.counts(); }
};
// clang-format on
}  // namespace exemplar

// Deduced from a registry of any clock, with or without options.
static_assert(
    std::same_as<decltype(weir::round_robin{std::declval<servers&>()}), weir::round_robin<weir_test::server>>);
static_assert(std::same_as<decltype(weir::least_connections{std::declval<servers&>(), weir::selector_options{}}),
                           weir::least_connections<weir_test::server>>);
static_assert(std::same_as<decltype(weir::choices{std::declval<servers&>(), weir::peak_ewma{}}),
                           weir::choices<weir_test::server, weir::peak_ewma>>);
static_assert(std::same_as<decltype(weir::basic_selector{std::declval<servers&>(), weir::random_policy{}}),
                           weir::basic_selector<weir_test::server, weir::random_policy>>);
static_assert(
    std::same_as<decltype(weir::basic_selector{std::declval<servers&>(),
                                               weir::bounded_load{weir::ring_hash_policy{}, 1.5}})::policy_type,
                 weir::bounded_load<weir::ring_hash_policy>>);

static_assert(weir::selector<weir::round_robin<int>> && weir::selector<weir::random<int>> &&
              weir::selector<weir::least_connections<int>> && weir::selector<weir::power_of_two<int>> &&
              weir::selector<weir::choices<int, weir::peak_ewma>> && weir::selector<weir::ring_hash<int>>);
static_assert(weir::selector<exemplar::telling_refusals<weir::random<int>>>);
static_assert(!weir::selector<int> && !weir::selector<weir::registry<int>> &&
              !weir::selector<weir::round_robin_policy>);
static_assert(noexcept(std::declval<const weir::random<int>&>().pick({})));

/// Would have one lease at a time on each backend, and does not look who has it already.
struct of_one : weir::random_policy {
    template <class Accept>
    weir::choice choose(const weir::view& v, const table& t, state& s, const weir::query& q,
                        Accept accept) const noexcept {
        weir::choice c = weir::random_policy::choose(v, t, s, q, accept);
        c.bound = 1;
        return c;
    }
};

/// Finds a place, which somebody else takes before it can be reserved, `times` times in a row.
struct outrun : weir::random_policy {
    const weir::random<int>* other;
    std::vector<weir::lease<int>>* taken;
    std::size_t times;
    outrun(const weir::random<int>& o, std::vector<weir::lease<int>>& t, std::size_t n)
        : other{&o}, taken{&t}, times{n} {}

    template <class Accept>
    weir::choice choose(const weir::view& v, const table& t, state& s, const weir::query& q,
                        Accept accept) const noexcept {
        weir::choice c = weir::random_policy::choose(v, t, s, q, accept);
        c.bound = v.in_flight(c.index) + 1;
        if (taken->size() < times) taken->push_back(other->pick());
        return c;
    }
};

}  // namespace

TEST_CASE("the ten lines of the first page") {
    servers pool;
    const auto a = pool.add({"10.0.0.1", 80}, {.weight = 3});
    pool.add({"10.0.0.2", 80});
    const weir::least_connections balancer{pool};
    {
        auto lease = balancer.pick();
        REQUIRE(lease);
        CHECK(lease->port == 80);
        lease.complete(weir::outcome::success);
    }
    pool.set(a, weir::condition::draining);
    for (int i = 0; i < 20; ++i) CHECK(balancer.pick()->host == "10.0.0.2");
}

TEST_CASE("the exemplar of a selector tells of the picks that found nobody") {
    static int told = 0;
    weir::registry<int> r;
    const exemplar::telling_refusals<weir::random<int>> balancer{weir::random{r}, [](weir::pick_error error) noexcept {
                                                                     CHECK(error == weir::pick_error::empty);
                                                                     ++told;
                                                                 }};
    CHECK_FALSE(balancer.pick({}));
    r.add(1);
    CHECK(balancer.pick({}));
    CHECK(balancer.choose({}, [](int& b) { CHECK(b == 1); }) == weir::pick_error::none);
    CHECK(told == 1);
    CHECK(balancer.counts()[weir::pick_error::empty] == 1);
}

TEST_CASE("choose runs its function on the backend, counts nothing and pins nothing afterwards") {
    weir::registry<std::string> r;
    const auto id = r.add("a");
    const weir::random balancer{r, {.seed = 1}};
    std::string seen;
    CHECK(balancer.choose([&](std::string& b) {
        seen = b;
        b = "changed";
        CHECK(r.inspect(id)->in_flight == 0);
    }) == weir::pick_error::none);
    CHECK(seen == "a");
    CHECK(*balancer.pick() == "changed");
    // What f throws passes, and leaves the read section in order.
    CHECK_THROWS_AS(balancer.choose([](std::string&) { throw std::runtime_error{"f"}; }), std::runtime_error);
    CHECK(r.remove(id));
    bool called = false;
    CHECK(balancer.choose([&](std::string&) { called = true; }) == weir::pick_error::empty);
    CHECK_FALSE(called);
}

TEST_CASE("copies share one table, one state and one set of counters") {
    weir::registry<int> r;
    r.add(1);
    r.add(2);
    const weir::round_robin first{r};
    auto copy = first;
    CHECK(*first.pick() == 1);
    CHECK(*copy.pick() == 2);
    CHECK(first.counts()[weir::pick_reason::chosen] == 2);
    CHECK(copy.counts()[weir::pick_reason::chosen] == 2);
    const weir::round_robin other{r};
    CHECK(other.counts()[weir::pick_reason::chosen] == 0);
}

TEST_CASE("a pick that finds the place taken counts for its answer alone") {
    weir::registry<int> r;
    r.add(1);
    const weir::basic_selector balancer{r, of_one{}};
    const auto held = balancer.pick();
    for (int i = 0; i < 10; ++i) CHECK(balancer.pick().error() == weir::pick_error::overloaded);
    const weir::selector_counts counts = balancer.counts();
    CHECK(counts[weir::pick_reason::chosen] == 1);
    CHECK(counts[weir::pick_error::overloaded] == 10);
}

TEST_CASE("a pick that loses its place to others many times in a row gets one, and one that always loses ends") {
    weir::registry<int> r;
    r.add(1);
    const weir::random other{r};
    std::vector<weir::lease<int>> taken;
    taken.reserve(1000);
    {
        const weir::basic_selector balancer{r, outrun{other, taken, 40}};
        CHECK(balancer.pick());
        CHECK(taken.size() == 40);
    }
    const weir::basic_selector balancer{r, outrun{other, taken, 1000}};
    CHECK(balancer.pick().error() == weir::pick_error::overloaded);
    CHECK(taken.size() < 200);
}

TEST_CASE("a selector may be made before, between and after the backends, and dropped at any time") {
    weir::registry<int> r;
    const weir::round_robin early{r};
    for (int i = 0; i < 100; ++i) {
        const weir::random passing{r};
        CHECK(static_cast<bool>(passing.pick()) == (i > 0));
        r.add(i);
        CHECK(passing.pick());
    }
    const weir::least_connections late{r};
    CHECK(late.pick());
    CHECK(early.pick());
}

TEST_CASE("a selector may be dropped inside its own choose") {
    weir::registry<weir_test::mortal> r;
    r.add(weir_test::mortal{"a"});
    auto balancer = std::make_unique<weir::random<weir_test::mortal>>(r);
    const auto& called = *balancer;
    CHECK(called.choose([&](weir_test::mortal& m) {
        balancer.reset();
        CHECK(m.alive());
    }) == weir::pick_error::none);
    CHECK(weir::random{r}.pick());
}

TEST_CASE("a backend has at most 2^20 leases, whatever its limit; then a pick goes elsewhere or fails as overloaded") {
    constexpr std::uint32_t most = 1 << 20;
    const auto limit = GENERATE(as<std::uint32_t>{}, weir::unlimited, 2 * most);
    weir::registry<int> servers;
    servers.add(7, {.max_in_flight = limit});
    weir::first always_the_same{servers};
    weir::ring_hash by_key{servers};
    weir::ring_hash by_key_seeded{servers, {}, {.seed = 1}};
    std::vector<weir::lease<int>> leases(most);
    for (auto& one : leases) one = always_the_same.pick();
    REQUIRE(servers.members().front().in_flight == most);
    CHECK(always_the_same.pick().error() == weir::pick_error::overloaded);
    CHECK(servers.members().front().in_flight == most);
    leases.front() = {};
    CHECK(always_the_same.pick().error() == weir::pick_error::none);
    leases.front() = always_the_same.pick();

    servers.add(8, {.max_in_flight = limit});
    CHECK(*always_the_same.pick() == 8);
    for (std::uint64_t key = 0; key < 16; ++key) {
        CHECK(*by_key.pick({.key = key}) == 8);
        CHECK(*by_key_seeded.pick({.key = key}) == 8);
    }
    leases.clear();
    CHECK(servers.members().front().outcomes.cancelled == most + 2);
}
