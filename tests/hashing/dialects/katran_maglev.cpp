#include <weir/hashing/dialects/katran_maglev.hpp>

#include "catch.hpp"
#include "support/json.hpp"
#include "support/member_list.hpp"
#include "support/vectors.hpp"

#include <weir/hashing/functions/fnv.hpp>

#include <iomanip>
#include <map>
#include <sstream>

using table = weir::katran_maglev_table;
using weir_test::json;
using weir_test::member_list;

namespace {

const json& cases() {
    static const json all{weir_test::vector_text("maglev_katran.json")};
    return all["cases"];
}

std::uint64_t decimal(std::string_view text) { return std::stoull(std::string{text}); }

/// FNV-1a of the slots as 32-bit little-endian numbers, as the vectors give it.
std::string digest(const std::vector<std::uint32_t>& slots) {
    std::string bytes;
    for (const auto slot : slots)
        for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(slot >> (8 * i)));
    std::ostringstream text;
    text << std::hex << std::setfill('0') << std::setw(16) << weir::fnv1a_64{}(bytes);
    return text.str();
}

void check(const json& test, const std::vector<std::uint32_t>& slots) {
    CHECK(digest(slots) == test["v2_fnv1a64_le32"].text());
    if (test.has("v2_table"))
        CHECK(slots == test["v2_table"].numbers());
    else
        CHECK(std::vector<std::uint32_t>(slots.begin(), slots.begin() + 64) == test["v2_first64"].numbers());
    std::vector<std::uint32_t> counts;
    for (const json& e : test["endpoints"])
        counts.push_back(static_cast<std::uint32_t>(std::count(slots.begin(), slots.end(), e["num"].small())));
    CHECK(counts == test["v2_counts"].numbers());
}

}  // namespace

// Katran has two Maglevs; weir follows the second, because the first nearly ignores weights: with 100 to 1 to 1 it gives
// 403, 303 and 303 of 1,009 slots.

TEST_CASE("every ring of Katran's MaglevHashV2 for endpoints in their order") {
    int rings = 0;
    for (const json& test : cases()) {
        INFO(test["case"].text());
        const auto endpoints = test["endpoints"].list<weir::katran_endpoint>(
            [](const json& e) { return weir::katran_endpoint{e["hash"].number(), e["weight"].small()}; });
        std::vector<std::uint32_t> slots;
        for (const auto position : weir::katran_slots(endpoints, test["ring_size"].small()))
            slots.push_back(test["endpoints"][position]["num"].small());
        check(test, slots);
        ++rings;
    }
    CHECK(rings == 16);
}

TEST_CASE("every such ring as a table of identities, in whatever order they come: Katran sorts its reals by hash") {
    int tables = 0;
    for (const json& test : cases()) {
        INFO(test["case"].text());
        if (test["case"].text() == "big_hashes_1009") continue;  // the one whose endpoints are not in that order
        std::vector<weir::hash_member> members;
        for (const json& e : test["endpoints"])
            members.push_back({e["hash"].text(), e["weight"].small(), e["num"].small()});
        weir::generator random{3};
        for (int round = 0; round < 3; ++round) {
            const table t{members, {test["ring_size"].small(), decimal}};
            check(test, {t.slots().begin(), t.slots().end()});
            for (std::uint64_t key = 0; key < 100; ++key)
                CHECK(t.find(key * 1'000'003) == t.slots()[key * 1'000'003 % t.slots().size()]);
            std::shuffle(members.begin(), members.end(), random);
        }
        ++tables;
    }
    CHECK(tables == 15);
}

TEST_CASE("without another function the hash of an identity is weir's own") {
    const member_list pool{"10.0.0.", 1, {1, 1, 3}};
    const table t{pool.in_order(), {1009}},
        named{pool.shuffled(1), {1009, [](std::string_view text) { return weir::hash(text); }}};
    CHECK(std::equal(t.slots().begin(), t.slots().end(), named.slots().begin()));
    std::map<std::uint32_t, int> counts;
    for (const auto index : t.slots()) ++counts[index];
    CHECK(std::abs(counts[2] - 3 * 1009 / 5) <= 3);  // weights hold within a slot each
}

TEST_CASE("equal hashes of endpoints go by identity, in whatever order they come") {
    const member_list pool{"m", 1, {1, 2, 3, 4}};
    const table::options o{251, [](std::string_view) { return std::uint64_t{7}; }};
    const table first{pool.in_order(), o};
    for (std::uint64_t seed = 1; seed < 5; ++seed) {
        const table other{pool.shuffled(seed), o};
        CHECK(std::equal(first.slots().begin(), first.slots().end(), other.slots().begin()));
    }
}

TEST_CASE("a small weight beside a great one takes its first slot late, or never, as in Katran") {
    const auto count = [](std::uint32_t great) {
        const table t{member_list{"m", 1, {great, 1}}.in_order(), {1009}};
        return std::count(t.slots().begin(), t.slots().end(), 1u);
    };
    CHECK(count(100) == 9);
    CHECK(count(1008) == 1);
    CHECK(count(4'000'000'000) == 0);
}

TEST_CASE("bad sizes, weights and functions are refused in words") {
    const member_list pool{"m", 1, {1, 1, 1, 1}};
    const auto members = pool.in_order();
    CHECK_THROWS_WITH((table{members, {65'536}}),
                      "weir: katran_maglev_table: a table size of 65536 is not a prime from 3 to 5000011");
    CHECK_THROWS_WITH((table{members, {3}}),
                      "weir: katran_maglev_table: a table size of 3 is below the number of members, 4");
    CHECK_THROWS_WITH((table{members, {1009, nullptr}}),
                      "weir: katran_maglev_table: hash_of is null; it has to be a function");
    const std::vector<weir::katran_endpoint> weightless{{1, 0}};
    CHECK_THROWS_WITH(weir::katran_slots(weightless, 7),
                      "weir: katran_maglev_table: an endpoint's weight of 0 is not above 0");
    CHECK(table{std::span<const weir::hash_member>{}, {}}.empty());
    CHECK(table{member_list{"m", 1, {0}}.in_order(), {}}.empty());
}
