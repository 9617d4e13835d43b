#include <weir/select/anchor.hpp>

#include "catch.hpp"

#include <string>

TEST_CASE("what does not fit the capacity is refused by the registry, which keeps what it had") {
    weir::registry<std::string> r;
    const weir::anchor<std::string> balancer{r, {.capacity = 3}};
    for (int i = 0; i < 3; ++i) r.add("b" + std::to_string(i));
    const auto home = balancer.pick({.key = 1}).id();
    CHECK_THROWS_WITH(r.add("one too many"), "weir: anchor_table: 4 buckets are more than the capacity of 3");
    CHECK(r.size() == 3);
    CHECK(balancer.pick({.key = 1}).id() == home);
    CHECK(balancer.table()->buckets().in_use() == 3);
}

TEST_CASE("a second process agrees once it has the first one's state") {
    weir::registry<std::string> first, second;
    const weir::anchor here{first};
    for (int i = 0; i < 9; ++i) first.add("b" + std::to_string(i));
    for (const int gone : {3, 7, 0}) first.remove(*first.find("b" + std::to_string(gone)));
    first.add("b9");
    for (const auto& m : first.members()) second.add(m.identity);
    const weir::anchor<std::string> alone{second}, told{second, {.state = here.table()->state()}};
    int differs_alone = 0, differs_told = 0;
    for (std::uint64_t key = 0; key < 500; ++key) {
        const auto home = *here.pick({.key = key});
        differs_alone += *alone.pick({.key = key}) != home ? 1 : 0;
        differs_told += *told.pick({.key = key}) != home ? 1 : 0;
    }
    CHECK(differs_told == 0);
    CHECK(differs_alone > 0);
}
