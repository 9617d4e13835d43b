#include <weir/select/multi_probe.hpp>

#include "catch.hpp"

#include <string>
#include <vector>

TEST_CASE("the number of probes reaches the table") {
    weir::registry<std::string> r;
    std::vector<weir::hash_member> members;
    const std::string names[] = {"a", "b", "c", "d"};
    for (std::uint32_t i = 0; i < 4; ++i) {
        r.add(names[i]);
        members.push_back({names[i], 1, i});
    }
    const weir::multi_probe by_default{r};
    const weir::multi_probe<std::string> single{r, {.probes = 1}};
    const weir::multi_probe_table of_21{members, {}}, of_1{members, {1, 0}};
    for (std::uint64_t key = 0; key < 500; ++key) {
        CHECK(by_default.pick({.key = key}).id().slot == of_21.find(key));
        CHECK(single.pick({.key = key}).id().slot == of_1.find(key));
    }
    CHECK_THROWS_AS((weir::multi_probe<std::string>{r, {.probes = 0}}), std::invalid_argument);
}
