#include "catch.hpp"
#include "support/length.hpp"
#include "support/members.hpp"

#include <weir/weir.hpp>

#include <tuple>
#include <vector>

// Pools as large as they come.

namespace {

using every_table = std::tuple<weir::ring_table, weir::maglev_table, weir::rendezvous_table, weir::multi_probe_table,
                               weir::jump_table, weir::anchor_table, weir::memento_table>;

using for_a_million = std::tuple<weir::ring_table, weir::maglev_table, weir::rendezvous_table, weir::multi_probe_table,
                                 weir::jump_table, weir::anchor_table, weir::memento_table>;

template <class Table>
typename Table::options room_for_a_million() {
    typename Table::options o;
    if constexpr (std::is_same_v<Table, weir::ring_table>) o.points_per_weight = 1;
    if constexpr (std::is_same_v<Table, weir::maglev_table>) o.table_size = 1'500'007;
    return o;
}

/// n members, of whom one goes: its keys move, others only as far as the table says.
template <class Table>
void holds(const weir_test::named& all, std::size_t n, std::uint64_t keys) {
    auto members = all.members();
    members.resize(n);
    const Table t{members, room_for_a_million<Table>()};
    const std::uint32_t lost = t.find(12345);
    members[lost].weight = 0;
    const Table less = [&] {
        if constexpr (weir::detail::is_made_of_previous<Table>)
            return Table{t, members};
        else
            return Table{members, room_for_a_million<Table>()};
    }();
    CHECK(less.find(12345) != lost);
    std::uint64_t out_of_range = 0, moved = 0;
    for (std::uint64_t key = 0; key < keys; ++key) {
        out_of_range += t.find(key) >= n || less.find(key) >= n ? 1 : 0;
        moved += t.find(key) != less.find(key) && t.find(key) != lost ? 1 : 0;
    }
    CHECK(out_of_range == 0);
    CHECK(moved <= (std::is_same_v<Table, weir::maglev_table> ? keys / 20 : 1));
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("100,000 members", "", every_table) {
    const auto all = weir_test::equal(100'000);
    holds<TestType>(all, 100'000, std::is_same_v<TestType, weir::rendezvous_table> ? 50 : 10'000);
}

TEMPLATE_LIST_TEST_CASE("a million members", "", for_a_million) {
    const auto n = static_cast<std::size_t>(weir_test::repetitions(1'000'000));
    const auto all = weir_test::equal(n);
    holds<TestType>(all, n, std::is_same_v<TestType, weir::rendezvous_table> ? 5 : 10'000);
}
