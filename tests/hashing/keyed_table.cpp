#include <weir/hashing/keyed_table.hpp>

#include "catch.hpp"

#include <weir/weir.hpp>

#include <string>
#include <vector>

namespace {

// As the header has it, word for word: tests/docs.cmake compares them.
// clang-format off
struct modulo_table {
    struct options {};
    static constexpr bool history_free = true;  // depends on identities and weights, not on the order of changes
    std::vector<std::uint32_t> indices;
    modulo_table(std::span<const weir::hash_member> members, const options&);  // may throw: refuses the update
    bool empty() const noexcept { return indices.empty(); }
    std::uint32_t find(std::uint64_t key) const noexcept { return indices[key % indices.size()]; }
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        for (std::uint32_t step = 0; step < steps; ++step)
            if (accept(find(key + step))) return step;
        return steps;
    }
};
// clang-format on

modulo_table::modulo_table(std::span<const weir::hash_member> members, const options&) {
    for (const auto& m : members)
        if (m.weight > 0) indices.push_back(m.index);
}

struct throws_in_find : modulo_table {
    using modulo_table::modulo_table;
    [[nodiscard]] std::uint32_t find(std::uint64_t) const { return 0; }
};
struct has_secret_history : modulo_table {
    using modulo_table::modulo_table;
    static constexpr bool history_free = false;
};
struct says_nothing_of_history {
    using options = modulo_table::options;
    says_nothing_of_history(std::span<const weir::hash_member>, const options&) {}
};
struct follows : modulo_table {
    using modulo_table::modulo_table;
    static inline int followed = 0;
    follows(const follows&, std::span<const weir::hash_member> members) : modulo_table{members, {}} { ++followed; }
};

static_assert(weir::keyed_table<modulo_table>);
static_assert(weir::keyed_table<follows>);
static_assert(weir::keyed_table<weir::ring_table>);
static_assert(!weir::keyed_table<throws_in_find>);
static_assert(!weir::keyed_table<has_secret_history>);
static_assert(!weir::keyed_table<says_nothing_of_history>);
static_assert(!weir::keyed_table<int>);
static_assert(!weir::keyed_table<weir::alias_table>);

}  // namespace

TEST_CASE("the exemplar, with the members that every table has and no others, makes a selector") {
    weir::registry<std::string> r;
    const auto a = r.add("a"), b = r.add("b"), c = r.add("c", {.weight = 0});
    const weir::consistent_hash<std::string, modulo_table> selector{r};
    CHECK(selector.pick({.key = 0}).id() == a);
    CHECK(selector.pick({.key = 1}).id() == b);
    r.set(b, weir::condition::draining);
    CHECK(selector.pick({.key = 1}).id() == a);
    r.set_weight(c, 1);
    CHECK(selector.pick({.key = 2}).id() == c);
}

TEST_CASE("a table that can follow is made of its predecessor, and only when the mapping changes") {
    weir::registry<std::string> r;
    const auto a = r.add("a");
    const weir::consistent_hash<std::string, follows> selector{r};
    const int before = follows::followed;
    r.set(a, weir::condition::degraded);
    CHECK(follows::followed == before);
    r.add("b");
    r.set_weight(a, 2);
    CHECK(follows::followed == before + 2);
}

TEST_CASE("a selector shows the table that its picks use") {
    auto r = std::make_unique<weir::registry<std::string>>();
    r->add("a");
    const weir::consistent_hash<std::string, modulo_table> selector{*r};
    const auto first = selector.table();
    REQUIRE(first != nullptr);
    CHECK(first->indices.size() == 1);
    r->add("b");
    CHECK(first->indices.size() == 1);
    CHECK(selector.table()->indices.size() == 2);
    r.reset();
    CHECK(selector.table() == nullptr);
    CHECK(first->indices.size() == 1);
}
