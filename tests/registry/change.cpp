#include <weir/registry/change.hpp>

#include "catch.hpp"

#include <weir/select/random.hpp>
#include <weir/select/round_robin.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// What happens around an update: who is destroyed where, whose ids live, and what a list may look like.

namespace {

/// Calls back when it is destroyed, unless it was moved from.
struct farewell {
    std::uint64_t number;
    std::function<void()> last_words;
    farewell(std::uint64_t n, std::function<void()> f) : number{n}, last_words{std::move(f)} {}
    farewell(farewell&& other) noexcept : number{other.number}, last_words{std::exchange(other.last_words, nullptr)} {}
    ~farewell() {
        if (last_words) last_words();
    }
    [[nodiscard]] std::uint64_t identity() const { return number; }
};

struct channel {
    std::unique_ptr<std::uint64_t> number;
    [[nodiscard]] std::uint64_t identity() const { return *number; }
};
channel make_channel(std::uint64_t n) { return {std::make_unique<std::uint64_t>(n)}; }

}  // namespace

TEST_CASE("a backend that is refused may change the registry from its destructor") {
    weir::registry<farewell> r;
    r.add({1, nullptr});
    CHECK_THROWS_AS(r.add({1, [&] { r.add({2, nullptr}); }}), std::invalid_argument);
    CHECK(r.size() == 2);
    const weir::backend_options empty{.identity = ""};
    CHECK_THROWS_AS(r.add({3, [&] { r.add({4, nullptr}); }}, empty), std::invalid_argument);
    CHECK(r.find("4").has_value());
}

TEST_CASE("a backend whose last lease ends inside an update may change the registry from its destructor") {
    weir::registry<farewell> r;
    const auto id = r.add({1, [&] { r.add({3, nullptr}); }});
    r.add({2, nullptr});
    weir::round_robin turns{r};
    auto lease = turns.pick();
    REQUIRE(lease.id() == id);
    r.remove(id);
    r.update([&](auto& change) {
        lease.complete(weir::outcome::success);
        change.set(*r.find("2"), weir::condition::draining);
    });
    CHECK(r.find("3").has_value());
}

TEST_CASE("a backend that goes with its registry finds nobody there, and may still bind a selector") {
    std::optional<weir::round_robin<farewell>> late;
    int told = 0;
    {
        weir::registry<farewell> r;
        weir::registry_base<farewell>* const mine = &r;
        const auto id = std::make_shared<weir::backend_id>();
        *id = r.add({1, [&told, &late, mine, id] {
                         ++told;
                         CHECK(mine->size() == 0);
                         CHECK(mine->members().empty());
                         CHECK_FALSE(mine->find("1"));
                         CHECK_FALSE(mine->inspect(*id));
                         CHECK_FALSE(mine->visit(*id, [](farewell&) {}));
                         CHECK_FALSE(mine->in_panic());
                         CHECK_FALSE(mine->set(*id, weir::condition::draining));
                         mine->add({2, nullptr});
                         mine->rehearse([](auto& change) { change.add({3, nullptr}); },
                                        [&told](const weir::view&, const weir::view&) { ++told; });
                         late.emplace(*mine);
                         CHECK(late->pick().error() == weir::pick_error::empty);
                     }});
    }
    CHECK(told == 1);
    REQUIRE(late);
    CHECK(late->pick().error() == weir::pick_error::empty);
}

TEST_CASE("hardening 7: changes that cancel out publish nothing") {
    weir::registry<int> r;
    const auto id = r.add(1, {.weight = 3, .max_in_flight = 5, .zone = "here"});
    const auto gone = r.add(2);
    r.add(3);
    r.remove(gone);  // leaves a free slot
    int built = 0, told = 0;
    std::uint64_t roster = 0;
    struct counting : weir::random_policy {
        int* count = nullptr;
        std::uint64_t* roster = nullptr;
        table build(const weir::view& v, const weir::before<table>* b, const state& s) const {
            ++*count;
            *roster = v.roster_version();
            return weir::random_policy::build(v, b, s);
        }
    };
    counting policy;
    policy.count = &built;
    policy.roster = &roster;
    const weir::basic_selector selector{r, policy};
    const auto watching = r.observe([&](const weir::change_event&) { ++told; });
    const auto version = [&] {
        std::uint64_t now = 0;
        r.rehearse([](auto&) {}, [&](const weir::view& v, const weir::view&) { now = v.version(); });
        return now;
    };
    const auto before = version();
    built = 0;

    r.update([&](auto& change) {
        change.set(id, weir::condition::user_1);
        change.clear(id, weir::condition::user_1);
    });
    r.update([&](auto& change) {
        change.set_weight(id, 7);
        change.set_weight(id, 3);
    });
    r.update([&](auto& change) {
        change.set_panic({.threshold_percent = 50});
        change.set_panic({});
    });
    std::vector<weir::backend_id> brief;
    r.update([&](auto& change) {
        for (int i = 10; i < 14; ++i) brief.push_back(change.add(i));  // one in the free slot, and new slots
        for (const auto one : brief) CHECK(change.remove(one));
    });
    r.update([&](auto& change) {
        const weir::backend_options was{.weight = 3, .max_in_flight = 5, .zone = "here"};
        const std::vector<std::pair<int, weir::backend_options>> list{{1, was}, {3, {}}};
        CHECK(change.assign(std::vector{1, 3, 4}).changed.size() == 1);
        CHECK(change.assign(list).removed.size() == 1);
    });
    CHECK(version() == before);
    CHECK(built == 0);
    CHECK(told == 0);
    for (const auto one : brief) CHECK_FALSE(r.inspect(one));
    CHECK_FALSE(r.find("10"));

    // What does not cancel out is published; what does beside it makes no new roster.
    const auto old_roster = roster;
    r.update([&](auto& change) {
        change.set_weight(id, 7);
        change.set_weight(id, 3);
        change.set(id, weir::condition::user_2);
    });
    CHECK(version() == before + 1);
    CHECK(built == 1);
    CHECK(roster == old_roster);
    r.update([&](auto& change) {
        CHECK(change.remove(change.add(20)));
        change.set(id, weir::condition::user_1);
    });
    CHECK(version() == before + 2);
    CHECK(built == 2);
    const auto fresh = r.add(10);
    CHECK(r.find("10") == fresh);
    CHECK(r.size() == 3);
}

TEST_CASE("an id that a refused update gave out never names anybody") {
    weir::registry<int> r;
    weir::backend_id refused;
    CHECK_THROWS_AS(r.update([&](auto& change) {
        refused = change.add(1);
        throw std::runtime_error{"no"};
    }),
                    std::runtime_error);
    const auto id = r.add(2);
    CHECK(id != refused);
    CHECK_FALSE(r.remove(refused));
    CHECK(r.size() == 1);
}

TEST_CASE("an observer may destroy the registry that calls it") {
    auto r = std::make_unique<weir::registry<int>>();
    auto& same = *r;
    int calls = 0;
    const auto watching = same.observe([&](const weir::change_event&) {
        ++calls;
        r.reset();
    });
    same.add(1);
    CHECK(calls == 1);
    CHECK(r == nullptr);
}

TEST_CASE("an observer that is no function is refused") {
    weir::registry<int> r;
    CHECK_THROWS_AS(r.observe(nullptr), std::invalid_argument);
}

TEST_CASE("assign takes move-only backends out of a container that is given away, and leaves a view's alone") {
    weir::registry<channel> r;
    std::vector<channel> first;
    for (std::uint64_t i = 1; i <= 3; ++i) first.push_back(make_channel(i));
    CHECK(r.assign(std::move(first)).added.size() == 3);
    std::vector<std::pair<channel, weir::backend_options>> second;
    second.emplace_back(make_channel(2), weir::backend_options{.weight = 5});
    second.emplace_back(make_channel(9), weir::backend_options{});
    const auto result = r.assign(std::move(second));
    CHECK(result.added.size() == 1);
    CHECK(result.removed.size() == 2);
    CHECK(result.changed.size() == 1);

    weir::registry<std::string> names;
    std::vector<std::string> list{"a", "b"};
    CHECK(names.assign(std::span{list}).added.size() == 2);
    CHECK(list == std::vector<std::string>{"a", "b"});
    const std::vector<const char*> literals{"b", "c"};
    CHECK(names.assign(literals).removed.size() == 1);
}

TEST_CASE("a seeded selector repeats itself also among backends without identities") {
    struct nameless {
        int value;
    };
    const auto sequence = [] {
        weir::registry<nameless> r;
        std::vector<weir::backend_id> ids;
        for (int i = 0; i < 4; ++i) ids.push_back(r.add({i}, {.weight = i == 0 ? 1000 : 1}));
        weir::random draw{r, weir::selector_options{.seed = 42}};
        const std::vector<weir::backend_id> heavy{ids[0]};  // so that the draws end in the rescue
        std::vector<int> seen;
        for (int i = 0; i < 50; ++i) seen.push_back(draw.pick({.exclude = heavy})->value);
        return seen;
    };
    const auto keep = std::make_unique<char[]>(5000);  // the second run's backends lie elsewhere
    const auto first = sequence();
    const auto hold = std::make_unique<char[]>(100);
    CHECK(first == sequence());
}

TEST_CASE("selectors that come and go between updates leave nothing attached") {
    weir::registry<int> r;
    r.add(1);
    for (int i = 0; i < 1000; ++i) CHECK(weir::round_robin{r}.pick());
    int built = 0;
    struct counting : weir::random_policy {
        int* count = nullptr;
        table build(const weir::view& v, const weir::before<table>* b, const state& s) const {
            ++*count;
            return weir::random_policy::build(v, b, s);
        }
    };
    counting policy;
    policy.count = &built;
    {
        const weir::basic_selector gone{r, policy};
    }
    const weir::basic_selector here{r, policy};
    r.add(2);
    CHECK(built == 3);  // two when they were made, one by the update: for the one that is still here
}
