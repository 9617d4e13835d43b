#include <weir/select/maglev.hpp>

#include "catch.hpp"

#include <string>
#include <vector>

TEST_CASE("a key goes where the table of the same members says") {
    weir::registry<std::string> r;
    std::vector<weir::hash_member> members;
    const std::string names[] = {"a", "b", "c", "d"};
    for (std::uint32_t i = 0; i < 4; ++i) {
        r.add(names[i], {.weight = i});
        members.push_back({names[i], i, i});
    }
    const weir::maglev by_default{r};
    const weir::maglev<std::string> by_options{r, {.table_size = 251, .seed = 3}};
    const weir::maglev_table large{members, {}}, small{members, {251, 3}};
    CHECK(by_options.table()->size() == 251);
    for (std::uint64_t key = 0; key < 500; ++key) {
        CHECK(by_default.pick({.key = key}).id().slot == large.find(key));
        CHECK(by_options.pick({.key = key}).id().slot == small.find(key));
    }
}

TEST_CASE("a pool larger than the table is refused by the registry, which keeps what it had") {
    weir::registry<std::string> r;
    const weir::maglev<std::string> balancer{r, {.table_size = 3}};
    for (int i = 0; i < 3; ++i) r.add("b" + std::to_string(i));
    const auto home = balancer.pick({.key = 1}).id();
    CHECK_THROWS_WITH(r.add("one too many"),
                      "weir: maglev_table: 4 members with a weight are more than 3 slots; choose a larger table_size");
    CHECK(r.size() == 3);
    CHECK(balancer.pick({.key = 1}).id() == home);
    CHECK_NOTHROW(r.add("idle", {.weight = 0}));
    CHECK_THROWS_AS((weir::maglev<std::string>{r, {.table_size = 4}}), std::invalid_argument);
}
