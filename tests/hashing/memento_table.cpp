#include <weir/hashing/memento_table.hpp>

#include "catch.hpp"
#include "support/members.hpp"

#include <weir/hashing/jump_table.hpp>

#include <algorithm>

using weir::memento_table;

TEST_CASE("until somebody goes it maps as a jump_table does") {
    const auto n = weir_test::equal(9);
    const auto t = n.make<memento_table>({.seed = 5});
    const auto jump = n.make<weir::jump_table>({.seed = 5});
    for (std::uint64_t key = 0; key < 500; ++key) CHECK(t.find(key) == jump.find(key));
}

TEST_CASE("it remembers who went, and gives the newcomer that place") {
    const auto n = weir_test::equal(5);
    const auto before = n.make<memento_table>();
    const auto third = static_cast<std::size_t>(std::find(n.names.begin(), n.names.end(), before.state().owners[2]) -
                                                n.names.begin());
    auto less = n;
    less.weights[third] = 0;
    const memento_table after{before, less.members()};
    CHECK(after.state().removed == std::vector<std::uint32_t>{2});
    less.weights[third] = 1;
    less.names[third] = "somebody else";
    const memento_table again{after, less.members()};
    CHECK(again.state().removed.empty());
    for (std::uint64_t key = 0; key < 500; ++key) CHECK(again.find(key) == before.find(key));
}

TEST_CASE("a state in which all are removed is refused") {
    memento_table::options o;
    o.state = {{"", ""}, {0, 1}, 1};
    CHECK_THROWS_WITH((memento_table{weir_test::equal(1).members(), o}),
                      "weir: memento_buckets: of 2 buckets all are removed");
}
