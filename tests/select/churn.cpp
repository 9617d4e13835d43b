#include <weir/select/churn.hpp>

#include "catch.hpp"
#include "support/backends.hpp"

#include <weir/select/dialects.hpp>

using weir::churn;

namespace {

using pool = weir::registry<std::string>;

std::vector<weir::backend_id> fill(pool& r, int count) {
    std::vector<weir::backend_id> ids;
    for (int i = 0; i < count; ++i) ids.push_back(r.add("b" + std::to_string(i)));
    return ids;
}

template <class Selector>
std::vector<std::string> homes(const Selector& s, std::uint64_t count) {
    std::vector<std::string> all;
    for (std::uint64_t i = 0; i < count; ++i) all.push_back(*s.pick({.key = weir::mix(i)}));
    return all;
}

}  // namespace

TEMPLATE_TEST_CASE("churn says before an update what picks say after it", "", weir::ring_hash<std::string>,
                   weir::nginx_hash<std::string>, weir::haproxy_hash<std::string>, weir::envoy_maglev<std::string>) {
    pool r;
    const auto ids = fill(r, 12);
    const TestType selector{r};
    const auto edit = [&](auto& change) {
        change.remove(ids[3]);
        change.add("newcomer", {.weight = 2});
        change.set_weight(ids[7], 3);
        change.remove(ids[5]);
        change.add("another");
    };
    constexpr std::uint64_t keys = 3000;
    const auto before = homes(selector, keys);
    const auto report = churn(r, selector, edit, keys);
    CHECK(homes(selector, keys) == before);  // nobody has seen it
    CHECK(r.size() == 12);

    r.update(edit);
    const auto after = homes(selector, keys);
    std::uint64_t moved = 0;
    for (std::uint64_t i = 0; i < keys; ++i) moved += before[i] != after[i] ? 1 : 0;
    CHECK(report.moved == moved);
    CHECK(moved > 0);
    CHECK(report.unavoidable <= report.moved);
    for (const auto& m : report.members)
        CHECK(m.keys_after == static_cast<std::uint64_t>(std::count(after.begin(), after.end(), m.identity)));
}

TEST_CASE("a rehearsal leaves no trace: no version, no event, no name, no backend") {
    {
        weir::registry<weir_test::mortal> r;
        const auto a = r.add(weir_test::mortal{"a"});
        r.add(weir_test::mortal{"b"});
        r.set(a, weir::condition::degraded);
        const weir::ring_hash selector{r};
        int events = 0;
        const auto watching = r.observe([&](const weir::change_event&) { ++events; });
        const auto version = r.hub()->seen()->version();
        const auto table = selector.table();
        for (int i = 0; i < 3; ++i) {
            const auto report = churn(
                r, selector,
                [&](auto& change) {
                    change.remove(a);
                    change.add(weir_test::mortal{"c"});
                    change.add(weir_test::mortal{"a"});
                },
                100);
            CHECK(report.members.size() == 3);
            CHECK(weir_test::mortal::living() == 2);
        }
        CHECK(events == 0);
        CHECK(r.hub()->seen()->version() == version);
        CHECK(selector.table() == table);
        CHECK_FALSE(r.find("c"));
        CHECK(r.find("a") == a);
        CHECK(r.inspect(a)->conditions.has(weir::condition::degraded));
        CHECK(r.add(weir_test::mortal{"c"}).slot == 2);
    }
    CHECK(weir_test::mortal::living() == 0);
}

TEST_CASE("what an update would refuse a rehearsal refuses, with the same words and as little trace") {
    pool r;
    const auto ids = fill(r, 3);
    const weir::ring_hash ring{r};
    const weir::haproxy_hash haproxy{r};
    CHECK_THROWS_WITH(churn(
                          r, ring, [](auto& change) { change.add("b1"); }, 10),
                      "weir: a backend with the identity \"b1\" is in the registry already; identities are unique");
    CHECK_THROWS_WITH(churn(
                          r, haproxy, [&](auto& change) { change.set_weight(ids[0], 1000); }, 10),
                      "weir: haproxy_hash_table: \"b0\" has a weight of 1000; HAProxy's go up to 256");
    CHECK(churn(r, ring, [&](auto& change) { change.set_weight(ids[0], 1000); }, 10).keys == 10);
    CHECK(r.inspect(ids[0])->weight == 1);
    CHECK(r.size() == 3);
}

TEST_CASE("health moves no keys: conditions are no churn, and an update of nothing is none") {
    pool r;
    const auto ids = fill(r, 4);
    const weir::ring_hash selector{r};
    CHECK(churn(r, selector, [&](auto& change) { change.set(ids[0], weir::condition::draining); }, 1000).moved == 0);
    CHECK(churn(r, selector, [](auto&) {}, 1000).moved == 0);
    CHECK(churn(r, selector, [&](auto& change) { change.set_weight(ids[0], 0); }, 1000).moved > 0);
}

TEST_CASE("a selector of another registry is refused, and so is a rehearsal within an update") {
    pool r, other;
    fill(r, 2);
    fill(other, 2);
    const weir::ring_hash selector{other};
    CHECK_THROWS_WITH(churn(r, selector, [](auto&) {}, 10), "weir: churn: the selector is not one of this registry");
    const weir::ring_hash own{r};
    CHECK_THROWS_AS(r.update([&](auto&) { (void)churn(r, own, [](auto&) {}, 10); }), std::logic_error);
    CHECK(churn(r, own, [](auto&) {}, std::vector<std::string>{"my", "own", "keys"}).keys == 3);
}
