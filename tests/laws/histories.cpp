#include "laws.hpp"

#include <weir/select/anchor.hpp>
#include <weir/select/jump.hpp>
#include <weir/select/memento.hpp>

using namespace weir_test::law;

namespace {

/// Sixty changes, the same for the same seed.
void change(weir::registry_base<std::string>& r, std::uint64_t seed) {
    weir::generator random{seed};
    for (int i = 0; i < 60; ++i) {
        const std::string name = "node-" + std::to_string(random.below(12));
        const auto id = r.find(name);
        if (!id)
            r.add(name, {.weight = 1 + random.below(3)});
        else if (random.below(2) == 0)
            r.remove(*id);
        else
            r.set_weight(*id, random.below(4));
        r.set(r.add("ill", {.weight = 0}), weir::condition::failed_check);
        r.remove(*r.find("ill"));
    }
}

}  // namespace

TEMPLATE_TEST_CASE("law 8: a mapping with a history is the same after the same past, or given the other's state", "",
                   weir::jump_table, weir::anchor_table, weir::memento_table) {
    using selector = weir::consistent_hash<std::string, TestType>;
    weir::registry<std::string, weir_test::manual_clock> first, second, third;
    third.add("a member of its own");  // other slots
    const selector one{first}, two{second};
    change(first, 1);
    change(second, 1);
    const auto expected = mapping(one);
    CHECK(mapping(two) == expected);

    for (const auto& m : first.members()) third.add(m.identity, {.weight = m.weight});
    third.remove(*third.find("a member of its own"));
    CHECK(mapping(selector{third}) != expected);  // there is something to export
    const selector imported{third, typename TestType::options{.state = one.table()->state()}};
    CHECK(mapping(imported) == expected);
    change(first, 2);
    change(third, 2);
    CHECK(mapping(imported) == mapping(one));
}
