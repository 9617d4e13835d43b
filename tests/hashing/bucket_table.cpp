#include <weir/hashing/bucket_table.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/members.hpp"

#include <weir/hashing/anchor_table.hpp>
#include <weir/hashing/jump_table.hpp>
#include <weir/hashing/memento_table.hpp>
#include <weir/random.hpp>

#include <algorithm>
#include <map>
#include <tuple>

using weir::hash_member;
using weir_test::named;

namespace {

using tables = std::tuple<weir::jump_table, weir::anchor_table, weir::memento_table>;

/// Two tables map 2000 keys alike.
template <class Table>
bool alike(const Table& a, const Table& b) {
    for (std::uint64_t key = 0; key < 2000; ++key)
        if (a.find(key) != b.find(key)) return false;
    return true;
}

/// Who has how many buckets.
template <class Table>
std::map<std::string, int> buckets(const Table& t) {
    std::map<std::string, int> of;
    const auto s = t.state();
    std::vector<bool> gone(s.owners.size());
    for (const auto b : s.removed) gone[b] = true;
    for (std::size_t b = 0; b < s.owners.size(); ++b)
        if (!gone[b]) ++of[s.owners[b]];
    return of;
}

template <class Table>
std::map<std::string, int> followed(const Table& t, const std::vector<hash_member>& members) {
    return buckets(Table{t, members});
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a member has weight / gcd buckets", "", tables) {
    using counts = std::map<std::string, int>;
    const auto made = [](const std::vector<hash_member>& m) { return buckets(TestType{m, {}}); };
    CHECK(made({{"a", 1, 0}, {"b", 1, 1}}) == counts{{"a", 1}, {"b", 1}});
    CHECK(made({{"a", 100, 0}, {"b", 250, 1}, {"c", 0, 2}}) == counts{{"a", 2}, {"b", 5}});
    CHECK(made({{"a", ~std::uint32_t{0}, 0}, {"b", ~std::uint32_t{0}, 1}}) == counts{{"a", 1}, {"b", 1}});
    CHECK(made({}).empty());
    CHECK(made({{"a", 0, 0}}).empty());
}

TEMPLATE_LIST_TEST_CASE("the unit of weight is refined by a newcomer, and stays when somebody goes", "", tables) {
    using counts = std::map<std::string, int>;
    const TestType t{std::vector<hash_member>{{"a", 2, 0}, {"b", 4, 1}}, {}};
    const TestType finer{t, std::vector<hash_member>{{"a", 2, 0}, {"b", 4, 1}, {"c", 3, 2}}};
    CHECK(buckets(finer) == counts{{"a", 2}, {"b", 4}, {"c", 3}});
    CHECK(followed(finer, {{"a", 2, 0}, {"b", 4, 1}}) == counts{{"a", 2}, {"b", 4}});
    CHECK(followed(finer, {{"a", 0, 0}}).empty());
    // Who was empty begins anew.
    const TestType empty{finer, {}};
    CHECK(empty.empty());
    CHECK(followed(empty, {{"a", 2, 0}, {"b", 4, 1}}) == counts{{"a", 1}, {"b", 2}});
}

TEMPLATE_LIST_TEST_CASE("a table made at once depends on identities and weights alone", "", tables) {
    const named n{{1, 2, 3, 1, 1, 0, 4}};
    const TestType first{n.members(), {}};
    weir::generator random{1};
    for (int round = 0; round < 10; ++round) {
        auto shuffled = n.members();
        std::shuffle(shuffled.begin(), shuffled.end(), random);
        CHECK(alike(TestType{shuffled, {}}, first));
        std::vector<std::string> names;
        for (auto& m : shuffled) {
            m.index = static_cast<std::uint32_t>(names.size());
            names.emplace_back(m.identity);
        }
        const TestType renumbered{shuffled, {}};
        int different = 0;
        for (std::uint64_t key = 0; key < 1000; ++key)
            different += names[renumbered.find(key)] != n.names[first.find(key)] ? 1 : 0;
        CHECK(different == 0);
    }
}

TEMPLATE_LIST_TEST_CASE("who replaces another in one update takes over its buckets, and no other key moves", "",
                        tables) {
    const TestType t{std::vector<hash_member>{{"a", 1, 0}, {"b", 2, 1}, {"c", 1, 2}}, {}};
    const TestType next{t, std::vector<hash_member>{{"a", 1, 0}, {"z", 2, 1}, {"c", 1, 2}}};
    CHECK(alike(next, t));
    // All at once, too.
    const TestType all{t, std::vector<hash_member>{{"x", 1, 0}, {"y", 2, 1}, {"z", 1, 2}}};
    CHECK(buckets(all) == std::map<std::string, int>{{"x", 1}, {"y", 2}, {"z", 1}});
}

TEMPLATE_LIST_TEST_CASE("a member keeps its buckets when its index changes, and when nothing does", "", tables) {
    const TestType t{std::vector<hash_member>{{"a", 1, 0}, {"b", 2, 1}, {"c", 1, 2}}, {}};
    const TestType same{t, std::vector<hash_member>{{"c", 1, 2}, {"a", 1, 0}, {"b", 2, 1}}};
    CHECK(alike(same, t));
    const TestType moved{t, std::vector<hash_member>{{"a", 1, 10}, {"b", 2, 11}, {"c", 1, 12}}};
    int different = 0;
    for (std::uint64_t key = 0; key < 1000; ++key) different += moved.find(key) != t.find(key) + 10 ? 1 : 0;
    CHECK(different == 0);
}

TEMPLATE_LIST_TEST_CASE("shares are the weights, after a long history, too", "", tables) {
    weir::generator random{4};
    std::vector<std::uint32_t> weights(30, 1);
    TestType t{named{weights}.members(), {}};
    for (int round = 0; round < 100; ++round) {
        weights[random.below(weights.size())] = static_cast<std::uint32_t>(random.below(5));
        t = TestType{t, named{weights}.members()};
    }
    std::vector<std::uint64_t> counts(weights.size());
    for (std::uint64_t key = 0; key < 100'000; ++key) ++counts[t.find(key)];
    CHECK(weir_test::unfair(counts, weights) == "");
}

TEMPLATE_LIST_TEST_CASE("a table given another's state maps as that one, and goes on as that one", "", tables) {
    weir::generator random{6};
    std::vector<std::uint32_t> weights(20, 2);
    TestType t{named{weights}.members(), {}};
    for (int round = 0; round < 60; ++round) {
        weights[random.below(weights.size())] = static_cast<std::uint32_t>(random.below(4));
        t = TestType{t, named{weights}.members()};
    }
    const named now{weights}, few{{1, 1, 1}};
    const auto members = now.members(), fewer = few.members();
    typename TestType::options o;
    CHECK_FALSE(alike(TestType{members, o}, t));
    o.state = t.state();
    TestType copy{members, o};
    CHECK((copy.state() == o.state));
    CHECK(alike(copy, t));
    for (int round = 0; round < 20; ++round) {
        weights[random.below(weights.size())] = static_cast<std::uint32_t>(random.below(4));
        t = TestType{t, named{weights}.members()};
        copy = TestType{copy, named{weights}.members()};
        CHECK(alike(copy, t));
        CHECK((copy.state() == t.state()));
    }
    // Members that the state does not know come, those that it has alone go.
    CHECK(alike(TestType{fewer, o}, TestType{TestType{members, o}, fewer}));
    // That of an empty table is as none.
    o.state = TestType{}.state();
    CHECK(alike(TestType{members, o}, TestType{members, {}}));
}

TEMPLATE_LIST_TEST_CASE("what cannot be is refused: an identity twice, too many buckets, a state of nobody", "",
                        tables) {
    const std::string name = std::is_same_v<TestType, weir::jump_table>     ? "jump_table"
                             : std::is_same_v<TestType, weir::anchor_table> ? "anchor_table"
                                                                            : "memento_table";
    const auto make = [](const std::vector<hash_member>& m, const weir::bucket_state& s = {}) {
        typename TestType::options o;
        o.state = s;
        return TestType{m, o};
    };
    CHECK_THROWS_WITH(make({{"a", 1, 0}, {"b", 1, 1}, {"a", 1, 2}}),
                      "weir: " + name + ": the identity \"a\" comes twice");
    CHECK_NOTHROW(make({{"a", 1, 0}, {"a", 0, 2}}));
    constexpr auto most = ~std::uint32_t{0};
    CHECK_THROWS_WITH(
        make({{"a", most, 0}, {"b", 1, 1}, {"c", most, 2}}),
        "weir: " + name +
            ": weights of 8589934591 in all with the common divisor 1 are more than 16777216 buckets; use "
            "smaller weights");
    const auto t = make({{"a", 6, 0}, {"b", 6, 1}});
    CHECK_THROWS_AS((TestType{t, std::vector<hash_member>{{"a", most, 0}, {"b", most - 1, 1}}}), std::invalid_argument);
    CHECK_THROWS_WITH(make({{"a", 1, 0}}, {{"a"}, {}, 0}),
                      "weir: " + name + ": a state with buckets in use needs a weight_per_bucket above 0");
    CHECK_THROWS_AS(make({{"a", 1, 0}}, {{"a"}, {1}, 1}), std::invalid_argument);
    CHECK_THROWS_AS(make({{"a", 1, 0}}, {{"a", "b", "c"}, {1, 1}, 1}), std::invalid_argument);
    CHECK_THROWS_AS(make({{"a", 1, 0}}, {{}, {5}, 1}), std::invalid_argument);
}

TEMPLATE_LIST_TEST_CASE("a state that somebody spoilt is refused in words, or gives a whole table that goes on", "",
                        tables) {
    weir::generator random{8};
    std::vector<std::uint32_t> weights(12, 2);
    TestType t{named{weights}.members(), {}};
    for (int round = 0; round < 40; ++round) {
        weights[random.below(weights.size())] = static_cast<std::uint32_t>(random.below(4));
        t = TestType{t, named{weights}.members()};
    }
    const named now{weights}, then{std::vector<std::uint32_t>(20, 3)};
    const auto members = now.members(), later = then.members();
    const auto holes = [&](const TestType& table, const std::vector<hash_member>& of) {
        int count = 0;
        for (std::uint64_t key = 0; key < 200; ++key) {
            const std::uint32_t home = table.find(key);
            count += home >= of.size() || of[home].weight == 0 ? 1 : 0;
        }
        return count;
    };
    const auto below = [&](std::size_t n) { return static_cast<std::uint32_t>(random.below(n)); };
    int refused = 0, taken = 0, broken = 0;
    for (int round = 0; round < 3000; ++round) {
        typename TestType::options o;
        weir::bucket_state& s = o.state = t.state();
        for (std::uint64_t spoils = 1 + random.below(3); spoils > 0; --spoils) {
            const std::uint64_t how = random.below(8);
            if (how == 0) s.owners.resize(random.below(50));
            if (how == 1 && !s.owners.empty()) s.owners[below(s.owners.size())] = "nobody";
            if (how == 2 && !s.owners.empty()) s.owners[below(s.owners.size())] = now.names[below(now.names.size())];
            if (how == 3) s.removed.push_back(below(60));
            if (how == 4 && !s.removed.empty()) s.removed[below(s.removed.size())] = ~std::uint32_t{0};
            if (how == 5 && !s.removed.empty()) s.removed.erase(s.removed.begin() + below(s.removed.size()));
            if (how == 6) s.weight_per_bucket = random.below(2) == 0 ? ~std::uint32_t{0} : below(9);
            if (how == 7) std::shuffle(s.removed.begin(), s.removed.end(), random);
        }
        try {
            const TestType spoilt{members, o};
            ++taken;
            broken += holes(spoilt, members) + holes(TestType{spoilt, later}, later);
            broken += TestType{spoilt, {}}.empty() ? 0 : 1;
        } catch (const std::invalid_argument&) {
            ++refused;
        }
    }
    CHECK(broken == 0);
    CHECK(refused > 0);
    CHECK(taken > 0);
}
