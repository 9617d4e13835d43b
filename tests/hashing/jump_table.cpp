#include <weir/hashing/jump_table.hpp>

#include "catch.hpp"
#include "support/members.hpp"

#include <algorithm>

using weir::hash_member;
using weir::jump_table;

TEST_CASE("a key goes where jump_hash says among the members in the order of their hashes") {
    const auto n = weir_test::equal(9);
    const auto t = n.make<jump_table>();
    const auto seeded = n.make<jump_table>({.seed = 77});
    std::vector<std::uint32_t> order{0, 1, 2, 3, 4, 5, 6, 7, 8};
    std::sort(order.begin(), order.end(),
              [&](auto a, auto b) { return weir::hash(n.names[a]) < weir::hash(n.names[b]); });
    for (std::uint64_t key = 0; key < 500; ++key) {
        CHECK(t.find(key) == order[weir::jump_hash(weir::mix(key), 9)]);
        CHECK(seeded.find(key) == order[weir::jump_hash(weir::mix(key, 77), 9)]);
    }
}

TEST_CASE("the last member's loss moves exactly its keys, another's also those of the last, who takes its place") {
    const auto n = weir_test::equal(9);
    const auto before = n.make<jump_table>();
    const auto last = static_cast<std::size_t>(std::find(n.names.begin(), n.names.end(), before.state().owners.back()) -
                                               n.names.begin());
    for (std::size_t lost = 0; lost < 9; ++lost) {
        auto less = n;
        less.weights[lost] = 0;
        const jump_table after{before, less.members()};
        int strays = 0;
        for (std::uint64_t key = 0; key < 2000; ++key) {
            const std::uint32_t was = before.find(key), is = after.find(key);
            strays += was != lost && was != last && is != was ? 1 : 0;
            strays += was == lost && lost != last && is != last ? 1 : 0;
            strays += is == lost ? 1 : 0;
        }
        CHECK(strays == 0);
    }
}

TEST_CASE("a state with removed buckets is another table's") {
    jump_table::options o;
    o.state = {{"a", "b"}, {0}, 1};
    CHECK_THROWS_WITH((jump_table{std::vector<hash_member>{{"a", 1, 0}}, o}),
                      "weir: jump_table: a state with 1 removed buckets is another table's");
}
