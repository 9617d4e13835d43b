#include <weir/tables/view_part.hpp>

#include "catch.hpp"

#include <weir/registry.hpp>

#include <string>
#include <vector>

using weir::condition;

namespace {

struct pool {
    weir::registry<std::string> registry;
    std::vector<weir::backend_id> ids;
    std::shared_ptr<const weir::view> before, part_before;

    pool() {
        for (std::uint32_t i = 0; i < 6; ++i)
            ids.push_back(
                registry.add("b" + std::to_string(i),
                             {.weight = i + 1, .max_in_flight = i == 5 ? 7 : weir::unlimited, .priority = i % 2}));
    }
    [[nodiscard]] std::shared_ptr<const weir::view> whole() const {
        const weir::view& v = *registry.hub()->seen();
        return std::make_shared<const weir::view>(v.roster(), v.all_conditions(), v.version());
    }
    /// The next part of those with odd priorities; `serves` may leave some out.
    std::shared_ptr<const weir::view> odd(std::uint32_t left_out = ~0u) {
        const auto v = whole();
        auto part = weir::view_part(
            *v, [&](std::uint32_t i) { return v->priority(i) == 1; }, [&](std::uint32_t i) { return i != left_out; },
            before.get(), part_before.get());
        before = v;
        part_before = part;
        return part;
    }
    static std::vector<std::uint32_t> eligible(const weir::view& v) {
        return {v.eligible().begin(), v.eligible().end()};
    }
};

using indices = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("a part has its own members, weights, limits and eligible ones, in the same slots") {
    pool p;
    const auto part = p.odd();
    CHECK(part->is_part());
    CHECK_FALSE(p.whole()->is_part());
    CHECK(part->size() == 3);
    CHECK(part->slots() == 6);
    CHECK(pool::eligible(*part) == indices{1, 3, 5});
    CHECK(part->total_weight() == 2 + 4 + 6);
    CHECK_FALSE(part->equal_weights());
    CHECK_FALSE(part->is_member(0));
    CHECK(part->id(3) == p.ids[3]);
    CHECK(part->identity(3) == "b3");
    CHECK(part->limited());
    CHECK(part->limit(5) == 7);
    CHECK(part->all_have_identities());
    CHECK(&part->record(3) == &p.whole()->record(3));
}

TEST_CASE("conditions are those of the whole, and who does not serve is a member all the same") {
    pool p;
    p.registry.set(p.ids[1], condition::draining);
    p.registry.set(p.ids[3], condition::half_open);
    const auto part = p.odd(5);
    CHECK(pool::eligible(*part) == indices{3});
    CHECK(part->size() == 3);
    CHECK(part->is_member(5));
    CHECK_FALSE(part->is_eligible(5));
    CHECK(part->conditions(1) == condition::draining);
    CHECK(part->limit(3) == 1);
}

TEST_CASE("keyed tables of a part stay as long as its own members and weights do") {
    pool p;
    const auto first = p.odd();
    CHECK(first->mapping_version() != p.whole()->mapping_version());
    p.registry.set(p.ids[1], condition::ejected);
    const auto second = p.odd();
    CHECK(second->roster() == first->roster());  // not even copied
    p.registry.set_weight(p.ids[0], 9);
    p.registry.add("far away", {.priority = 4});
    CHECK(p.odd()->mapping_version() == first->mapping_version());
    p.registry.remove(p.ids[2]);
    CHECK(p.odd()->mapping_version() == first->mapping_version());
    const auto before = p.odd()->mapping_version();
    p.registry.set_weight(p.ids[3], 1);
    const auto weighted = p.odd()->mapping_version();
    CHECK(weighted != before);
    p.registry.add("near", {.priority = 1});
    const auto joined = p.odd()->mapping_version();
    CHECK(joined != weighted);
    // Another priority is a change of membership, of both parts.
    std::vector<std::pair<std::string, weir::backend_options>> list{{"b1", {.weight = 2}},
                                                                    {"b3", {.weight = 1, .priority = 1}}};
    p.registry.assign(list);
    CHECK(p.odd()->mapping_version() != joined);
    CHECK(p.odd()->size() == 1);
}

TEST_CASE("a part that is the whole shares its roster, and so its mapping") {
    pool p;
    const auto v = p.whole();
    const auto part = weir::view_part(*v, [](std::uint32_t) { return true; }, [](std::uint32_t i) { return i < 2; });
    CHECK(part->roster() == v->roster());
    CHECK(pool::eligible(*part) == indices{0, 1});
    const auto none = weir::view_part(*v, [](std::uint32_t) { return false; }, [](std::uint32_t) { return true; });
    CHECK(none->size() == 0);
    CHECK(none->eligible().empty());
    CHECK_FALSE(none->limited());
}

TEST_CASE("a newcomer in a used slot is another member") {
    pool p;
    const auto before = p.odd()->mapping_version();
    p.registry.update([&](auto& change) {
        change.remove(p.ids[1]);
        change.add("b1", {.weight = 2, .priority = 1});
    });
    CHECK(p.odd()->mapping_version() != before);
}
