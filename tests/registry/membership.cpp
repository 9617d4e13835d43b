#include <weir/registry/membership.hpp>

#include "catch.hpp"
#include "support/backends.hpp"

#include <weir/registry.hpp>
#include <weir/select/churn.hpp>
#include <weir/select/rendezvous.hpp>
#include <weir/select/round_robin.hpp>

#include <cstdint>
#include <deque>
#include <stdexcept>
#include <vector>

// Where the lease words of a registry's members lie, as its views see it.

namespace {

using weir_test::mortal;

struct pool {
    weir::registry<int> servers;
    weir::round_robin<int> turns{servers};

    void add(int from, int to) {
        servers.update([&](auto& change) {
            for (int i = from; i < to; ++i) change.add(int{i});
        });
    }
    void replace(int from, int to) {
        std::vector<int> all;
        for (int i = from; i < to; ++i) all.push_back(i);
        servers.assign(all);
    }
    [[nodiscard]] bool in_a_row() const {
        bool result = false;
        turns.inspect([&](const weir::view& v, const auto&) { result = static_cast<bool>(v.roster()->row); });
        return result;
    }
    /// How many members have another number of leases in flight than `expected`: by the view, alone and two at once, and
    /// by the registry.
    [[nodiscard]] int wrong(std::uint32_t expected) const {
        int count = 0;
        turns.inspect([&](const weir::view& v, const auto&) {
            const auto all = v.eligible();
            for (std::size_t k = 0; k < all.size(); ++k) {
                const auto [a, b] = v.in_flight(all[k], all[(k + 1) % all.size()]);
                count += v.in_flight(all[k]) != expected || a != expected || b != expected ? 1 : 0;
            }
        });
        for (const auto& m : servers.members()) count += m.in_flight != expected ? 1 : 0;
        return count;
    }
    /// Two leases of each member, one after the other; then none.
    [[nodiscard]] int miscounted() {
        int count = wrong(0);
        std::deque<weir::lease<int>> leases;
        for (std::uint32_t round = 1; round <= 2; ++round) {
            for (std::size_t i = servers.size(); i > 0; --i) {
                leases.push_back(turns.pick());
                // The lease's record is that of its id: both were found by the slot.
                count += leases.back() && servers.inspect(leases.back().id())->identity == leases.back().identity() &&
                                 leases.back().identity() == std::to_string(*leases.back())
                             ? 0
                             : 1;
            }
            count += wrong(round);
        }
        leases.clear();
        return count + wrong(0);
    }
};

/// Its table is refused while somebody wants that.
struct refusing {
    struct refused : std::runtime_error {
        refused() : std::runtime_error{"refused"} {}
    };
    struct state {};
    struct table {};
    bool* refuses;
    table build(const weir::view&, const weir::before<table>*, const state&) const {
        if (*refuses) throw refused{};
        return {};
    }
    template <class Accept>
    weir::choice choose(const weir::view&, const table&, state&, const weir::query&, Accept) const noexcept {
        return {};
    }
};

}  // namespace

TEST_CASE("members that came in one update have their words in a row, and each word counts its own leases") {
    for (const int n : {1, 2, 63, 64, 129, 256, 257, 1'000}) {
        pool p;
        p.add(0, n);
        CAPTURE(n);
        CHECK(p.in_a_row());
        CHECK(p.miscounted() == 0);
        // There is room for as many more.
        p.add(n, n + (n + 1) / 2);
        CHECK(p.in_a_row());
        CHECK(p.miscounted() == 0);
    }
}

TEST_CASE("members that came one by one are in a row up to 128, and further ones count elsewhere") {
    pool p;
    for (int i = 0; i < 300; ++i) {
        p.add(i, i + 1);
        if (p.in_a_row() != (i < 128)) FAIL("with " << i + 1 << " members");
    }
    CHECK(p.miscounted() == 0);
    // All anew, and they are again.
    p.replace(1'000, 1'300);
    CHECK(p.in_a_row());
    CHECK(p.miscounted() == 0);
}

TEST_CASE("a slot is used again with the word of the row, unless leases still count on that") {
    pool p;
    p.add(0, 300);
    const auto remove = [&](int name) { p.servers.remove(*p.servers.find(std::to_string(name))); };
    remove(17);
    p.add(400, 401);
    CHECK(p.servers.find("400")->slot == 17);
    CHECK(p.in_a_row());

    weir::lease<int> old;
    while (!old || *old != 123) old = p.turns.pick();
    remove(123);
    CHECK(p.in_a_row());
    p.add(401, 402);
    CHECK(p.servers.find("401")->slot == 123);
    CHECK_FALSE(p.in_a_row());
    CHECK(*old == 123);
    CHECK(p.miscounted() == 0);
    old.complete(weir::outcome::success);
    CHECK(p.miscounted() == 0);
    remove(401);
    CHECK(p.in_a_row());
    p.add(402, 403);
    CHECK(p.in_a_row());
    CHECK(p.miscounted() == 0);
}

TEST_CASE("who replaces all members under their leases gets a new row, and those end where they began") {
    for (int round = 0; round < 2; ++round) {
        weir::registry<mortal> servers;
        weir::round_robin<mortal> turns{servers};
        const auto fill = [&](const std::string& prefix, int n) {
            std::vector<mortal> all;
            for (int i = 0; i < n; ++i) all.emplace_back(prefix + std::to_string(i));
            servers.assign(std::move(all));
        };
        const auto in_a_row = [&] {
            bool result = false;
            turns.inspect([&](const weir::view& v, const auto&) { result = static_cast<bool>(v.roster()->row); });
            return result;
        };
        const int before = mortal::living();
        fill("a", 300);
        std::deque<weir::lease<mortal>> leases;
        for (int i = 0; i < 300; ++i) leases.push_back(turns.pick());
        fill("b", 1'000);
        CHECK(in_a_row());
        CHECK(mortal::living() == before + 1'300);
        int wrong = 0;
        for (auto& l : leases) {
            wrong += l->alive() && l.identity()[0] == 'a' ? 0 : 1;
            l.complete(weir::outcome::failure);
        }
        CHECK(wrong == 0);
        CHECK(mortal::living() == before + 1'000);
        for (const auto& m : servers.members()) wrong += m.in_flight == 0 && m.outcomes.failure == 0 ? 0 : 1;
        CHECK(wrong == 0);
    }
}

TEST_CASE("an update that is refused or only rehearsed leaves the members their row") {
    pool p;
    p.add(0, 100);
    std::vector<weir::backend_id> ids;
    for (const auto& m : p.servers.members()) ids.push_back(m.id);
    const auto all_anew = [&](auto& change) {
        for (const auto id : ids) change.remove(id);
        for (int i = 1'000; i < 2'000; ++i) change.add(int{i});
    };
    bool refuses = false;
    const weir::basic_selector<int, refusing> other{p.servers, refusing{&refuses}};
    refuses = true;
    CHECK_THROWS_AS(p.servers.update(all_anew), refusing::refused);
    refuses = false;
    p.add(100, 101);
    CHECK(p.in_a_row());

    const weir::rendezvous<int> keyed{p.servers};
    CHECK(weir::churn(p.servers, keyed, all_anew, 1'000).moved > 0);
    p.add(101, 102);
    CHECK(p.in_a_row());
    CHECK(p.miscounted() == 0);
}
