#include <weir/registry/membership.hpp>

#include "catch.hpp"
#include "support/backends.hpp"

#include <weir/registry.hpp>
#include <weir/select/churn.hpp>
#include <weir/select/rendezvous.hpp>
#include <weir/select/round_robin.hpp>

#include <cstdint>
#include <deque>
#include <map>
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
    /// How many members have another number of leases in flight than is expected of their slots: by the view, alone and two
    /// at once, and by the registry.
    [[nodiscard]] int wrong(std::map<std::uint32_t, std::uint32_t>& expected) const {
        int count = 0;
        turns.inspect([&](const weir::view& v, const auto&) {
            const auto all = v.eligible();
            for (std::size_t k = 0; k < all.size(); ++k) {
                const std::uint32_t one = all[k], other = all[(k + 1) % all.size()];
                const auto [a, b] = v.in_flight(one, other);
                count += v.in_flight(one) == expected[one] && a == expected[one] && b == expected[other] ? 0 : 1;
            }
        });
        for (const auto& m : servers.members()) count += m.in_flight == expected[m.id.slot] ? 0 : 1;
        return count;
    }
    /// Leases until some members have two, the others one, and ends them: how often a count is wrong, or a lease's backend.
    [[nodiscard]] int miscounted() {
        std::map<std::uint32_t, std::uint32_t> expected;
        int count = wrong(expected);
        std::deque<weir::lease<int>> leases;
        for (std::size_t i = servers.size() + (servers.size() + 1) / 2; i > 0; --i) {
            leases.push_back(turns.pick());
            const auto& lease = leases.back();
            if (!lease) return count + 1;
            // The lease's record is that of its id: both were found by the slot.
            count += servers.inspect(lease.id())->identity == lease.identity() ? 0 : 1;
            count += lease.identity() == std::to_string(*lease) ? 0 : 1;
            ++expected[lease.id().slot];
        }
        count += wrong(expected);
        leases.clear();
        expected.clear();
        return count + wrong(expected);
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

TEST_CASE("a slot whose word leases or picks still look at waits, while the row has room; so the members stay in it") {
    pool p;
    p.add(0, 300);
    const auto remove = [&](int name) { p.servers.remove(*p.servers.find(std::to_string(name))); };
    const auto slot_of = [&](int name) { return p.servers.find(std::to_string(name))->slot; };
    remove(17);
    p.add(400, 401);
    CHECK(slot_of(400) == 17);

    weir::lease<int> old;
    while (!old || *old != 123) old = p.turns.pick();
    remove(123);
    p.add(401, 402);
    CHECK(slot_of(401) == 300);
    CHECK(p.in_a_row());
    CHECK(*old == 123);
    old.complete(weir::outcome::success);
    p.add(402, 403);
    CHECK(slot_of(402) == 123);

    // Inside a pick nobody goes.
    CHECK(p.turns.choose([&](int&) {
        remove(5);
        p.add(403, 404);
    }) == weir::pick_error::none);
    CHECK(slot_of(403) == 301);
    p.add(404, 405);
    CHECK(slot_of(404) == 5);
    // In one update: who goes has not gone yet.
    p.servers.update([&](auto& change) {
        change.remove(*p.servers.find("7"));
        change.add(405);
    });
    CHECK(slot_of(405) == 302);
    CHECK(p.in_a_row());
    CHECK(p.miscounted() == 0);
}

TEST_CASE("while the last few that went are leased, so many slots more are used, however many that are") {
    for (const std::size_t held : {std::size_t{3}, std::size_t{15}, std::size_t{40}, std::size_t{150}}) {
        pool p;
        constexpr int members = 300;
        p.add(0, members);
        std::deque<weir::lease<int>> leases;
        std::uint32_t slots = 0;
        int lost = 0;
        for (int name = 0; name < 2'000; ++name) {
            weir::lease<int> last;
            while (!last || *last != name) last = p.turns.pick();
            leases.push_back(std::move(last));
            if (leases.size() > held) leases.pop_front();
            p.servers.remove(*p.servers.find(std::to_string(name)));
            p.add(members + name, members + name + 1);
            p.turns.inspect([&](const weir::view& v, const auto&) { slots = v.slots(); });
            lost += p.in_a_row() ? 0 : 1;
        }
        CAPTURE(held);
        CHECK(lost == 0);
        // Of very many, 64 are looked at each time, and a new slot may be taken though one is free.
        CHECK(slots <= members + (held < 64 ? held + 1 : 2 * held));
    }
}

TEST_CASE(
    "where a row has no room, a slot is used again with a word elsewhere, and the row is whole when that one goes") {
    pool p;
    p.add(0, 300);
    std::deque<weir::lease<int>> held;
    const auto lease = [&](int name) {
        do held.push_back(p.turns.pick());
        while (*held.back() != name);
    };
    // Whoever goes is leased. The members, and as many more, have room in the row.
    const auto replace = [&](int name) {
        lease(name);
        p.servers.remove(*p.servers.find(std::to_string(name)));
        p.add(name + 300, name + 301);
        return p.servers.find(std::to_string(name + 300))->slot;
    };
    std::uint32_t expected = 300;
    int name = 0;
    while (replace(name++) == expected && p.in_a_row() && expected < 1'000) ++expected;
    CHECK(expected >= 600);
    CHECK(expected < 700);
    CHECK_FALSE(p.in_a_row());
    p.servers.remove(*p.servers.find(std::to_string(name + 299)));
    CHECK(p.in_a_row());
    held.clear();
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
