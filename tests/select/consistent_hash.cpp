#include <weir/select/consistent_hash.hpp>

#include "catch.hpp"
#include "support/backends.hpp"

#include <weir/select/random.hpp>

#include <algorithm>
#include <set>

using weir::pick_reason;
using weir_test::nameless;

namespace {

/// A table of the user's own: the ring, counted.
struct counting_table {
    using options = weir::ring_table::options;
    static constexpr bool history_free = true;
    static inline int built = 0;
    weir::ring_table ring;
    counting_table(std::span<const weir::hash_member> members, const options& o) : ring{members, o} { ++built; }
    [[nodiscard]] bool empty() const noexcept { return ring.empty(); }
    [[nodiscard]] std::uint32_t find(std::uint64_t key) const noexcept { return ring.find(key); }
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        return ring.walk(key, steps, accept);
    }
};

}  // namespace

TEST_CASE("a key goes where the ring of the same members says") {
    weir::registry<std::string> r;
    std::vector<weir::hash_member> members;
    const std::string names[] = {"a", "b", "c", "d"};
    for (std::uint32_t i = 0; i < 4; ++i) {
        r.add(names[i], {.weight = i});
        members.push_back({names[i], i, i});
    }
    const weir::ring_table ring{members, {}}, sparse{members, {7, 3}};
    const weir::ring_hash by_default{r};
    const weir::ring_hash<std::string> by_options{r, {.points_per_weight = 7, .seed = 3}};
    const weir::consistent_hash<std::string, weir::ring_table> by_name{r};
    for (std::uint64_t key = 0; key < 500; ++key) {
        CHECK(by_default.pick({.key = key}).id().slot == ring.find(key));
        CHECK(by_options.pick({.key = key}).id().slot == sparse.find(key));
        CHECK(by_name.pick({.key = key}).id().slot == ring.find(key));
    }
}

TEST_CASE("a backend without an identity is refused in words, at the selector and at the registry") {
    const std::string words =
        "weir: a hashing selector needs an identity for each backend: give the type identity(), or set "
        "backend_options::identity";
    weir::registry<nameless> r;
    const auto anonymous = r.add({1});
    CHECK_THROWS_WITH((weir::ring_hash{r}), words);
    CHECK_NOTHROW(weir::random{r});
    r.remove(anonymous);
    const weir::ring_hash hash{r};
    const auto named = r.add({2}, {.identity = "two"});
    CHECK_THROWS_WITH(r.add({3}), words);
    CHECK(r.size() == 1);
    CHECK(hash.pick({.key = 1}).id() == named);
}

TEST_CASE("an excluded home is passed over in the key's own order, and the reason says so") {
    weir::registry<std::string> r;
    for (int i = 0; i < 8; ++i) r.add("b" + std::to_string(i));
    const weir::ring_hash hash{r};
    for (std::uint64_t key = 0; key < 200; ++key) {
        std::vector<weir::backend_id> tried;
        for (std::size_t attempt = 0; attempt < 8; ++attempt) {
            const auto lease = hash.pick({.key = key, .exclude = tried});
            REQUIRE(lease);
            CHECK(std::find(tried.begin(), tried.end(), lease.id()) == tried.end());
            if (attempt == 0)
                CHECK(lease.reason() == pick_reason::chosen);
            else
                CHECK((lease.reason() == pick_reason::rerouted || lease.reason() == pick_reason::fallback));
            // A retry of the same key goes the same way.
            CHECK(hash.pick({.key = key, .exclude = tried}).id() == lease.id());
            tried.push_back(lease.id());
        }
        CHECK(hash.pick({.key = key, .exclude = tried}).error() == weir::pick_error::all_excluded);
    }
}

TEST_CASE("fallbacks of one lost backend's keys spread over the others") {
    weir::registry<std::string> r;
    std::vector<weir::backend_id> ids;
    for (int i = 0; i < 10; ++i) ids.push_back(r.add("b" + std::to_string(i)));
    const weir::ring_hash hash{r};
    std::vector<std::uint64_t> orphans;
    for (std::uint64_t key = 0; key < 5000; ++key)
        if (hash.pick({.key = key}).id() == ids[4]) orphans.push_back(key);
    r.set(ids[4], weir::condition::failed_check);
    std::set<std::uint32_t> heirs;
    for (const auto key : orphans) heirs.insert(hash.pick({.key = key}).id().slot);
    CHECK(heirs.size() == 9);
}

TEST_CASE("health flapping rebuilds nothing; membership and weights do") {
    weir::registry<std::string> r;
    const weir::consistent_hash<std::string, counting_table> hash{r};
    const auto a = r.add("a"), b = r.add("b");
    const int built = counting_table::built;
    for (int i = 0; i < 10; ++i) {
        r.set(a, weir::condition::failed_check);
        CHECK(hash.pick({.key = 1}).id() == b);
        r.clear(a, weir::condition::failed_check);
    }
    CHECK(counting_table::built == built);
    r.set_weight(a, 2);
    CHECK(counting_table::built == built + 1);
    r.remove(a);
    CHECK(counting_table::built == built + 2);
}
