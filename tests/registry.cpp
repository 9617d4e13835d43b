#include <weir/registry.hpp>

#include "catch.hpp"
#include "support/backends.hpp"
#include "support/manual_clock.hpp"

#include <weir/random.hpp>
#include <weir/selector.hpp>

#include <map>
#include <set>
#include <thread>

using weir::backend_id;
using weir::change_event;
using weir::change_kind;
using weir::condition;
using weir_test::channel;
using weir_test::mortal;
using weir_test::nameless;
using weir_test::server;

namespace {

/// A policy that counts how often its table is built, and remembers for which view.
struct spy {
    struct log {
        int built = 0;
        std::uint64_t version = 0, roster = 0;
        bool refuse = false;
    };
    std::shared_ptr<log> seen = std::make_shared<log>();

    struct table {};
    struct state {};
    [[nodiscard]] table build(const weir::view& v, const weir::before<table>*, const state&) const {
        if (seen->refuse) throw std::invalid_argument{"the spy refuses"};
        ++seen->built;
        seen->version = v.version();
        seen->roster = v.roster_version();
        return {};
    }
    template <class Accept>
    weir::choice choose(const weir::view& v, const table&, state&, const weir::query&, Accept accept) const noexcept {
        for (const auto i : v.eligible())
            if (accept(i)) return {.index = i};
        return {};
    }
};

std::string message(const std::function<void()>& f) {
    try {
        f();
        return "no exception";
    } catch (const std::exception& e) {
        return e.what();
    }
}

std::string names(const auto& registry) {
    std::string all;
    for (const auto& m : registry.members()) all += (all.empty() ? "" : " ") + m.identity;
    return all;
}

std::string name(change_kind kind) {
    switch (kind) {
    case change_kind::added: return "added";
    case change_kind::removed: return "removed";
    case change_kind::options: return "options";
    case change_kind::conditions: return "conditions";
    }
    return "?";
}

}  // namespace

TEST_CASE("a registry holds text, integers, structures and what can only be moved") {
    weir::registry<std::string> texts;
    weir::registry<int> numbers;
    weir::registry<server> servers;
    weir::registry<channel> channels;
    weir::registry<nameless> things;
    weir::registry<std::unique_ptr<int>> pointers;
    texts.add("a");
    numbers.add(5);
    servers.add({"h", 1});
    channels.add(channel{"wire"});
    things.add({7});
    pointers.add(std::make_unique<int>(9));
    CHECK(names(texts) == "a");
    CHECK(names(numbers) == "5");
    CHECK(names(servers) == "h:1");
    CHECK(names(channels) == "wire");
    CHECK(names(things).empty());
    CHECK(things.size() == 1);
    int value = 0;
    CHECK(pointers.visit(pointers.members()[0].id, [&](std::unique_ptr<int>& p) { value = *p; }));
    CHECK(value == 9);
    static_assert(!std::is_copy_constructible_v<weir::registry<int>> &&
                  !std::is_move_constructible_v<weir::registry<int>>);
}

TEST_CASE("add, find, inspect and visit agree on a backend and its options") {
    weir::registry<std::string> r;
    const auto id = r.add("a", {.weight = 3, .max_in_flight = 7, .priority = 2, .zone = "eu"});
    const auto other = r.add("b", {.identity = "beta"});
    CHECK(r.find("a") == id);
    CHECK(r.find("beta") == other);
    CHECK(r.find("b") == std::nullopt);
    CHECK(r.find("") == std::nullopt);
    CHECK(r.size() == 2);
    const auto m = r.inspect(id);
    REQUIRE(m);
    CHECK(m->id == id);
    CHECK(m->identity == "a");
    CHECK(m->weight == 3);
    CHECK(m->max_in_flight == 7);
    CHECK(m->priority == 2);
    CHECK(m->zone == "eu");
    CHECK(m->eligible);
    CHECK(m->in_flight == 0);
    CHECK(m->conditions.empty());
    CHECK(r.inspect(other)->max_in_flight == weir::unlimited);
    CHECK(r.inspect(other)->zone.empty());
    std::string seen;
    CHECK(r.visit(other, [&](std::string& b) { seen = b; }));
    CHECK(seen == "b");
    CHECK_FALSE(r.inspect(backend_id{}));
    CHECK_FALSE(r.visit(backend_id{99, 0}, [](std::string&) {}));
}

TEST_CASE("a backend is eligible without an excluding condition and with a weight above 0") {
    weir::registry<std::string> r;
    const auto id = r.add("a");
    const auto eligible = [&] { return r.inspect(id)->eligible; };
    CHECK(eligible());
    CHECK(r.set(id, condition::degraded));
    CHECK(eligible());
    CHECK(r.set(id, condition::draining));
    CHECK(r.set(id, condition::failed_check));
    CHECK_FALSE(eligible());
    CHECK(r.clear(id, condition::failed_check));
    CHECK_FALSE(eligible());  // an operator's drain is not undone by a passing check
    CHECK(r.clear(id, condition::draining));
    CHECK(eligible());
    CHECK(r.inspect(id)->conditions == condition::degraded);
    CHECK(r.set_weight(id, 0));
    CHECK_FALSE(eligible());
    CHECK(r.set_weight(id, 5));
    CHECK(eligible());
    CHECK(r.inspect(id)->weight == 5);
}

TEST_CASE("hardening 3: for a backend that is gone every verb says so and does nothing, in any order") {
    weir::registry<std::string> r;
    spy policy;
    weir::basic_selector selector{r, policy};
    const auto gone = r.add("gone");
    const auto stays = r.add("stays");
    CHECK(r.remove(gone));
    const int built = policy.seen->built;
    for (int round = 0; round < 2; ++round) {
        CHECK_FALSE(r.remove(gone));
        CHECK_FALSE(r.set_weight(gone, 3));
        CHECK_FALSE(r.set(gone, condition::draining));
        CHECK_FALSE(r.clear(gone, condition::draining));
        CHECK_FALSE(r.inspect(gone));
        CHECK_FALSE(r.visit(gone, [](std::string&) {}));
        CHECK_FALSE(r.set(backend_id{}, condition::draining));
        CHECK_FALSE(r.remove(backend_id{stays.slot, stays.generation + 1}));
        r.update([&](auto& change) {
            CHECK_FALSE(change.remove(gone));
            CHECK_FALSE(change.set_weight(gone, 1));
            CHECK_FALSE(change.set(gone, condition::ejected));
            CHECK_FALSE(change.clear(gone, condition::ejected));
        });
    }
    CHECK(policy.seen->built == built);
    CHECK(names(r) == "stays");
}

TEST_CASE("a slot that is used again has another generation, and the old id stays invalid") {
    weir::registry<std::string> r;
    std::set<backend_id> ids;
    for (int i = 0; i < 100; ++i) {
        const auto id = r.add("same name");
        CHECK(id.slot == 0);
        for (const auto old : ids) CHECK_FALSE(r.set(old, condition::draining));
        CHECK(ids.insert(id).second);
        CHECK(r.inspect(id)->conditions.empty());
        CHECK(r.inspect(id)->weight == 1);
        r.set_weight(id, 9);
        r.set(id, condition::user_1);
        r.remove(id);
    }
    CHECK(r.size() == 0);
}

TEST_CASE(
    "hardening 2: a backend that is removed, added again under its name and removed again keeps its counts apart") {
    weir::registry<mortal> r;
    weir::basic_selector pick{r, spy{}};
    r.add(mortal{"a"});
    auto first = pick.pick();
    r.remove(first.id());
    const auto again = r.add(mortal{"a"});
    auto second = pick.pick();
    auto third = pick.pick();
    CHECK(first.id() != again);
    CHECK(r.inspect(again)->in_flight == 2);
    first.complete(weir::outcome::failure);
    CHECK(r.inspect(again)->in_flight == 2);
    CHECK(r.inspect(again)->outcomes.failure == 0);
    CHECK(mortal::living() == 1);
    second.complete(weir::outcome::success);
    CHECK(r.inspect(again)->in_flight == 1);
    CHECK(r.inspect(again)->outcomes.success == 1);
    r.remove(again);
    CHECK(third->alive());
    CHECK(mortal::living() == 1);
    third.complete(weir::outcome::success);
    CHECK(mortal::living() == 0);
}

TEST_CASE("configuration mistakes are refused in words that name the value, and change nothing") {
    weir::registry<std::string> r;
    const auto id = r.add("a");
    CHECK(message([&] { r.add("a"); }) ==
          "weir: a backend with the identity \"a\" is in the registry already; identities are unique");
    CHECK(message([&] { r.add("x", {.identity = "a"}); }).find("\"a\"") != std::string::npos);
    CHECK(message([&] { r.add(""); }) == "weir: an identity is empty; it has to name the backend");
    CHECK(message([&] { r.add("b", {.identity = ""}); }).find("empty") != std::string::npos);
    CHECK(message([&] { r.add("b", {.max_in_flight = 0}); }).find("max_in_flight 0 is not at least 1") !=
          std::string::npos);
    CHECK(message([&] { r.add("b", {.weight = -1}); }).find("weight -1 ") != std::string::npos);
    CHECK(message([&] { r.set_weight(id, 0.5); }).find("weight 0.5") != std::string::npos);
    CHECK(message([&] { r.assign(std::vector<std::string>{"b", "c", "b"}); }) ==
          "weir: the identity \"b\" is in the list twice; identities are unique");
    CHECK(message([&] { r.assign(std::vector<std::string>{"b", ""}); }).find("empty") != std::string::npos);
    CHECK(names(r) == "a");
    CHECK(r.inspect(id)->weight == 1);
    weir::registry<nameless> things;
    CHECK(message([&] { things.assign(std::vector<nameless>{{1}}); }).find("assign needs an identity") !=
          std::string::npos);
    CHECK_NOTHROW(things.add({1}));
    CHECK_NOTHROW(things.add({1}));  // without names there are no duplicates
}

TEST_CASE("hardening 6: an update is published once, however many changes it has") {
    weir::registry<std::string> r;
    spy policy;
    weir::basic_selector selector{r, policy};
    const int built = policy.seen->built;
    const auto version = policy.seen->version;
    std::vector<backend_id> ids;
    r.update([&](auto& change) {
        for (int i = 0; i < 100; ++i) ids.push_back(change.add("b" + std::to_string(i)));
        for (int i = 0; i < 50; ++i) CHECK(change.set(ids[static_cast<std::size_t>(i)], condition::draining));
        CHECK(change.remove(ids[99]));
        CHECK(r.size() == 0);  // not yet published
        CHECK(selector.pick().error() == weir::pick_error::empty);
    });
    CHECK(policy.seen->built == built + 1);
    CHECK(policy.seen->version == version + 1);
    CHECK(r.size() == 99);
    CHECK(selector.pick().id() == ids[50]);
}

TEST_CASE("an update may add, remove and add again the same name, also one that was there") {
    weir::registry<mortal> r;
    const auto old = r.add(mortal{"a"});
    backend_id fresh;
    r.update([&](auto& change) {
        CHECK(change.remove(old));
        const auto brief = change.add(mortal{"a"});
        CHECK(change.remove(brief));
        fresh = change.add(mortal{"a"});
    });
    CHECK(r.find("a") == fresh);
    CHECK(r.size() == 1);
    CHECK(mortal::living() == 1);
    CHECK_FALSE(r.inspect(old));
}

TEST_CASE("hardening 6: an update that fails half way changes nothing: members, names, ids, events, tables") {
    weir::registry<mortal> r;
    spy policy;
    weir::basic_selector selector{r, policy};
    const auto a = r.add(mortal{"a"}, {.weight = 2});
    const auto b = r.add(mortal{"b"});
    const auto c = r.add(mortal{"c"});
    r.add(mortal{"d"});
    r.remove(b);
    r.remove(c);
    int events = 0;
    const auto watching = r.observe([&](const change_event&) { ++events; });
    const int built = policy.seen->built;
    const auto before = r.members();

    const auto by_user = [&](auto& change) {
        change.add(mortal{"x"});
        change.add(mortal{"y"});
        change.add(mortal{"z"});
        change.remove(a);
        change.add(mortal{"a"});
        change.set(*r.find("d"), condition::draining);
        throw std::runtime_error{"changed my mind"};
    };
    const auto by_duplicate = [&](auto& change) {
        change.remove(a);
        change.add(mortal{"x"});
        change.add(mortal{"d"});
    };
    const auto by_table = [&](auto& change) {
        policy.seen->refuse = true;
        change.remove(a);
        change.add(mortal{"x"});
    };
    CHECK_THROWS_WITH(r.update(by_user), "changed my mind");
    CHECK_THROWS_AS(r.update(by_duplicate), std::invalid_argument);
    CHECK_THROWS_WITH(r.update(by_table), "the spy refuses");
    policy.seen->refuse = false;

    CHECK(mortal::living() == 2);
    CHECK(r.size() == 2);
    CHECK(r.find("a") == a);
    CHECK(r.find("x") == std::nullopt);
    CHECK(events == 0);
    CHECK(policy.seen->built == built);
    const auto after = r.members();
    REQUIRE(after.size() == before.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
        CHECK(after[i].id == before[i].id);
        CHECK(after[i].identity == before[i].identity);
        CHECK(after[i].weight == before[i].weight);
        CHECK(after[i].conditions == before[i].conditions);
    }
    // What comes next gets the slots that it would have got, the last that became free first, and ids that nobody had.
    const backend_id x = r.add(mortal{"x"});
    CHECK(x.slot == c.slot);
    CHECK(x.generation > c.generation);
    const backend_id again = r.add(mortal{"b"});
    CHECK(again.slot == b.slot);
    CHECK(again.generation > x.generation);
    CHECK(events == 2);
}

TEST_CASE("a verb that throws inside an update leaves the rest of the update as it was") {
    weir::registry<std::string> r;
    r.add("a");
    r.update([](auto& change) {
        change.add("b");
        CHECK_THROWS_AS(change.add("a"), std::invalid_argument);
        CHECK_THROWS_AS(change.add("b"), std::invalid_argument);
        CHECK_THROWS_AS(change.add("c", {.max_in_flight = 0}), std::invalid_argument);
        change.add("c");
    });
    CHECK(names(r) == "a b c");
}

TEST_CASE("hardening 7: an idempotent update changes nothing: no publication, no table, no event") {
    weir::registry<std::string> r;
    spy policy;
    weir::basic_selector selector{r, policy};
    const auto a = r.add("a", {.weight = 2, .max_in_flight = 5, .priority = 1, .zone = "z"});
    r.set(a, condition::draining);
    int events = 0;
    const auto watching = r.observe([&](const change_event&) { ++events; });
    const auto built = policy.seen->built;
    CHECK(r.set_weight(a, 2));
    CHECK(r.set(a, condition::draining));
    CHECK(r.clear(a, condition::ejected));
    using entry = std::pair<std::string, weir::backend_options>;
    const std::vector<entry> same{{"a", {.weight = 2, .max_in_flight = 5, .priority = 1, .zone = "z"}}};
    const auto result = r.assign(same);
    CHECK(result.added.empty());
    CHECK(result.removed.empty());
    CHECK(result.changed.empty());
    r.update([](auto&) {});
    r.update([&](auto& change) { CHECK_THROWS_AS(change.add("a"), std::invalid_argument); });
    CHECK(policy.seen->built == built);
    CHECK(r.hub()->seen()->version() == policy.seen->version);
    CHECK(events == 0);
    CHECK(r.inspect(a)->conditions == condition::draining);
    CHECK(r.set_weight(a, 3));
    CHECK(policy.seen->built == built + 1);
    CHECK(events == 1);
}

TEST_CASE("what depends on membership and weights alone is known to be unchanged when conditions change") {
    weir::registry<std::string> r;
    spy policy;
    weir::basic_selector selector{r, policy};
    const auto a = r.add("a");
    const auto roster = policy.seen->roster;
    const auto version = policy.seen->version;
    r.set(a, condition::draining);
    CHECK(policy.seen->roster == roster);
    CHECK(policy.seen->version == version + 1);
    r.set_weight(a, 2);
    CHECK(policy.seen->roster != roster);
}

TEST_CASE("assign makes the members equal to a list, keeps those that stay and tells the three kinds of change") {
    weir::registry<std::string> r;
    weir::basic_selector selector{r, spy{}};
    const auto a = r.add("a"), b = r.add("b"), c = r.add("c");
    r.set(b, condition::draining);
    r.set(a, condition::degraded);
    auto lease = selector.pick();
    REQUIRE(lease.id() == a);

    using entry = std::pair<std::string, weir::backend_options>;
    const auto result = r.assign(std::vector<entry>{{"d", {}}, {"b", {.weight = 4}}, {"a", {}}});
    REQUIRE(result.added.size() == 1);
    CHECK(r.find("d") == result.added[0]);
    CHECK(result.removed == std::vector<backend_id>{c});
    CHECK(result.changed == std::vector<backend_id>{b});
    CHECK(r.find("a") == a);
    CHECK(r.find("b") == b);
    CHECK(r.find("c") == std::nullopt);
    CHECK(r.inspect(a)->in_flight == 1);
    CHECK(r.inspect(a)->conditions == condition::degraded);
    CHECK(r.inspect(b)->conditions == condition::draining);
    CHECK(r.inspect(b)->weight == 4);

    // A plain list says weight 1: that is a change, too.
    const auto plain = r.assign(std::vector<std::string>{"a", "b"});
    CHECK(plain.changed == std::vector<backend_id>{b});
    CHECK(plain.removed == result.added);
    CHECK(r.assign(std::vector<std::string>{}).removed.size() == 2);
    CHECK(r.size() == 0);
    CHECK(lease->size() == 1);
}

TEST_CASE("assign takes what converts to a backend, and backends that can only be moved") {
    weir::registry<std::string> texts;
    const char* const list[] = {"a", "b"};
    CHECK(texts.assign(list).added.size() == 2);
    weir::registry<channel> channels;
    std::vector<channel> fresh;
    fresh.emplace_back("x");
    fresh.emplace_back("y");
    CHECK(
        channels
            .assign(std::ranges::subrange(std::make_move_iterator(fresh.begin()), std::make_move_iterator(fresh.end())))
            .added.size() == 2);
    CHECK(names(channels) == "x y");
}

TEST_CASE("assign is accepted whole or refused whole") {
    weir::registry<std::string> r;
    const auto a = r.add("a");
    using entry = std::pair<std::string, weir::backend_options>;
    CHECK_THROWS_AS((r.assign(std::vector<entry>{{"b", {}}, {"c", {.max_in_flight = 0}}})), std::invalid_argument);
    CHECK(names(r) == "a");
    CHECK_THROWS_AS((r.assign(std::vector<entry>{{"b", {}}, {"a", {.max_in_flight = 0}}})), std::invalid_argument);
    CHECK(names(r) == "a");
    CHECK(r.find("a") == a);
}

TEST_CASE("observers are told each change in order, after it was published") {
    weir::registry<std::string> r;
    std::vector<std::string> told;
    std::uint64_t last = 0;
    bool backwards = false;
    auto watching = r.observe([&](const change_event& e) {
        told.push_back(name(e.kind) + ' ' + e.identity + ' ' + weir::to_string(e.before) + ">" +
                       weir::to_string(e.after));
        backwards = backwards || e.version < last;
        last = e.version;
        CHECK(r.hub()->seen()->version() >= e.version);
        CHECK((e.kind == change_kind::removed) == !r.inspect(e.id).has_value());
    });
    const auto a = r.add("a");
    r.set(a, condition::draining);
    r.set(a, condition::ejected);
    r.clear(a, condition::draining);
    r.set_weight(a, 5);
    const auto version = r.hub()->seen()->version();
    r.remove(a);
    CHECK(told == std::vector<std::string>{"added a >", "conditions a >draining",
                                           "conditions a draining>ejected,draining",
                                           "conditions a ejected,draining>ejected", "options a >", "removed a >"});
    CHECK_FALSE(backwards);
    CHECK(last == version + 1);
    told.clear();
    watching = {};
    r.add("b");
    CHECK(told.empty());
}

TEST_CASE("each observer is told, and one that goes leaves the others") {
    weir::registry<std::string> r;
    int first = 0, second = 0;
    auto one = r.observe([&](const change_event&) { ++first; });
    {
        const auto two = r.observe([&](const change_event&) { ++second; });
        r.add("a");
    }
    r.add("b");
    CHECK(first == 2);
    CHECK(second == 1);
}

TEST_CASE("events of many threads come in the order of publication, one at a time", "[threads]") {
    weir::registry<int> r;
    std::atomic<int> inside{0};
    int together = 0, events = 0, backwards = 0;
    std::uint64_t last = 0;
    const auto watching = r.observe([&](const change_event& e) {
        together += inside.fetch_add(1) != 0 ? 1 : 0;
        backwards += e.version < last ? 1 : 0;
        last = e.version;
        ++events;
        inside.fetch_sub(1);
    });
    const auto work = [&](int base) {
        for (int i = 0; i < 300; ++i) r.remove(r.add(base + i));
    };
    std::thread other{work, 1000};
    work(0);
    other.join();
    CHECK(together == 0);
    CHECK(backwards == 0);
    CHECK(events == 1200);
}

TEST_CASE("inside an update the registry's own verbs throw std::logic_error, which says what to use; reading works") {
    weir::registry<std::string> r;
    const auto a = r.add("a");
    r.update([&](auto& change) {
        const auto fresh = change.add("b");
        CHECK_THROWS_AS(r.add("c"), std::logic_error);
        CHECK_THROWS_AS(r.remove(a), std::logic_error);
        CHECK_THROWS_AS(r.set_weight(a, 2), std::logic_error);
        CHECK_THROWS_AS(r.set(a, condition::draining), std::logic_error);
        CHECK_THROWS_AS(r.clear(a, condition::draining), std::logic_error);
        CHECK_THROWS_AS(r.assign(std::vector<std::string>{}), std::logic_error);
        CHECK_THROWS_AS(r.update([](auto&) {}), std::logic_error);
        CHECK_THROWS_AS((weir::basic_selector{r, spy{}}), std::logic_error);
        CHECK_THROWS_WITH(
            r.remove(a),
            "weir: an update inside a registry's update waits for itself; use the verbs of the change that it "
            "is given");
        // Reading answers from what is published.
        CHECK(r.size() == 1);
        CHECK(r.find("a") == a);
        CHECK(r.find("b") == std::nullopt);
        CHECK(r.members().size() == 1);
        CHECK_FALSE(r.inspect(fresh));
    });
    CHECK(names(r) == "a b");
    // Into a slot that was used before, too.
    r.remove(a);
    r.update([&](auto& change) {
        const auto fresh = change.add("c");
        CHECK(fresh.slot == a.slot);
        CHECK(r.find("c") == std::nullopt);
    });
    CHECK(r.find("c")->slot == a.slot);
}

TEST_CASE("hardening 6: 0, 1 and 2 backends, and 1,000,000 in one update") {
    weir::registry<int> r;
    weir::basic_selector selector{r, spy{}};
    CHECK(selector.pick().error() == weir::pick_error::empty);
    r.add(-1);
    CHECK(selector.pick());
    r.add(-2);
    CHECK(selector.pick());
    std::vector<backend_id> ids;
    r.update([&](auto& change) {
        for (int i = 0; i < 1'000'000; ++i) ids.push_back(change.add(i));
    });
    CHECK(r.size() == 1'000'002);
    CHECK(r.find("999999") == ids.back());
    CHECK_THROWS_AS(r.update([&](auto& change) {
        for (int i = 1'000'000; i < 1'100'000; ++i) change.add(i);
        change.add(500'000);
    }),
                    std::invalid_argument);
    CHECK(r.size() == 1'000'002);
    CHECK_FALSE(r.find("1000000"));
    r.update([&](auto& change) {
        for (const auto id : ids) change.remove(id);
    });
    CHECK(r.size() == 2);
    CHECK(selector.pick());
}

TEST_CASE("hardening 3: the registry agrees with a model through random verbs in every order") {
    struct model {
        backend_id id;
        std::uint32_t weight = 1;
        weir::conditions conditions;
    };
    weir::registry<std::string> r;
    std::map<std::string, model> expected;
    std::vector<backend_id> ever;
    weir::generator random{11};
    for (int i = 0; i < 5000; ++i) {
        const std::string key = "b" + std::to_string(random.below(12));
        const auto known = expected.find(key);
        const auto one = static_cast<condition>(1u << random.below(14));
        switch (random.below(6)) {
        case 0:
            if (known != expected.end()) {
                CHECK_THROWS_AS(r.add(key), std::invalid_argument);
            } else {
                expected[key].id = r.add(key);
                ever.push_back(expected[key].id);
            }
            break;
        case 1:
            if (known == expected.end()) break;
            CHECK(r.remove(known->second.id));
            expected.erase(known);
            break;
        case 2:
            if (known == expected.end()) break;
            known->second.weight = static_cast<std::uint32_t>(random.below(3));
            CHECK(r.set_weight(known->second.id, known->second.weight));
            break;
        case 3:
            if (known == expected.end()) break;
            known->second.conditions = known->second.conditions.with(one);
            CHECK(r.set(known->second.id, one));
            break;
        case 4:
            if (known == expected.end()) break;
            known->second.conditions = known->second.conditions.without(one);
            CHECK(r.clear(known->second.id, one));
            break;
        default:
            if (ever.empty()) break;
            const auto id = ever[random.below(ever.size())];
            const bool member = std::any_of(expected.begin(), expected.end(),
                                            [&](const auto& e) { return e.second.id == id; });
            CHECK(r.inspect(id).has_value() == member);
        }
        REQUIRE(r.size() == expected.size());
        if (i % 50 != 0) continue;
        for (const auto& [text, m] : expected) {
            const auto now = r.inspect(m.id);
            REQUIRE(now);
            CHECK(now->identity == text);
            CHECK(now->weight == m.weight);
            CHECK(now->conditions == m.conditions);
            CHECK(now->eligible == (m.weight > 0 && !m.conditions.exclude()));
            CHECK(r.find(text) == m.id);
        }
    }
}

TEST_CASE("priorities and zones reach a policy's view, and a slot that is used again starts anew") {
    weir::registry<std::string> r;
    const auto a = r.add("a", {.priority = 3, .zone = "north"});
    r.add("b", {.zone = "south"});
    CHECK(r.hub()->seen()->zone(a.slot) == "north");
    CHECK(r.hub()->seen()->priority(a.slot) == 3);
    r.remove(a);
    const auto c = r.add("c");
    REQUIRE(c.slot == a.slot);
    CHECK(r.hub()->seen()->zone(c.slot).empty());
    CHECK(r.hub()->seen()->priority(c.slot) == 0);
    CHECK(r.hub()->seen()->limit(c.slot) == weir::unlimited);
    CHECK_FALSE(r.hub()->seen()->limited());
}

namespace {

std::size_t grown_by = 0;
void see_growth(const weir::view& now, const weir::view& next) { grown_by = next.size() - now.size(); }

}  // namespace

TEST_CASE("a rehearsal shows what an update would publish, to any function, and leaves nothing behind") {
    weir::registry<std::string> r;
    r.add("a");
    const auto add_two = [](auto& change) {
        change.add("b");
        return change.add("c");
    };
    r.rehearse(add_two, see_growth);
    CHECK(grown_by == 2);
    std::uint64_t version = 0;
    r.rehearse(add_two, [&](const weir::view&, const weir::view& next) { return version = next.version(); });
    CHECK(version == r.hub()->seen()->version() + 1);
    CHECK_THROWS_AS(r.rehearse(add_two, [](const weir::view&, const weir::view&) { throw std::runtime_error{"no"}; }),
                    std::runtime_error);
    CHECK(r.size() == 1);
    CHECK_FALSE(r.find("b"));
    CHECK(r.add("b") != backend_id{});
}
