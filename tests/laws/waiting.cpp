#include "laws.hpp"

#include <latch>

using namespace weir_test;
using namespace weir_test::law;

namespace {

/// Holds up the writer while it builds tables.
struct slow_builder {
    struct table {};
    struct state {};
    std::function<void()>* building;
    [[nodiscard]] table build(const weir::view&, const weir::before<table>*, const state&) const {
        if (*building) (*building)();
        return {};
    }
    template <class Accept>
    weir::choice choose(const weir::view&, const table&, state&, const weir::query&, Accept) const noexcept {
        return {};
    }
};

/// The writer stands inside its function, then between its tables: picks go on by what was published before.
void picks_wait_for_no_writer(const subject& entry) {
    weir::registry<mortal, manual_clock> r;
    const auto old = r.add(mortal{"old"});
    std::function<void()> building;
    const weir::basic_selector before{r, slow_builder{&building}};
    const auto selector = entry.make(r, 1);
    const weir::basic_selector after{r,
                                     slow_builder{&building}};  // tables are built before and after the selector's own
    const auto picks_find = [&](const std::string& name) {
        for (std::uint64_t i = 0; i < 10; ++i) {
            auto lease = selector.pick(entry.nth(i));
            REQUIRE(lease);
            CHECK(lease->identity() == name);
            lease.complete(weir::outcome::success);
            CHECK(selector.choose(entry.nth(i), [](mortal&) {}) == weir::pick_error::none);
        }
    };

    std::latch inside{1}, between{2}, on{1}, back{1};
    std::atomic<int> tables{0};
    std::thread writer{[&] {
        r.update([&](auto& change) {
            change.remove(old);
            change.add(mortal{"new"});
            building = [&] {
                between.count_down();
                if (++tables == 2) back.wait();
            };
            inside.count_down();
            on.wait();
        });
    }};
    inside.wait();
    picks_find("old");
    on.count_down();
    between.wait();
    picks_find("old");
    back.count_down();
    writer.join();
    building = nullptr;
    picks_find("new");
}

/// A thread stands inside `choose`: what it sees stays, and everybody else goes on.
void updates_wait_for_no_reader(const subject& entry) {
    REQUIRE(mortal::living() == 0);
    {
        weir::registry<mortal, manual_clock> r;
        auto id = r.add(mortal{"seen"});
        const auto selector = entry.make(r, 1);
        std::latch inside{1}, leave{1};
        bool stayed = false;
        std::thread reader{[&] {
            (void)selector.choose(entry.nth(1), [&](mortal& seen) {
                inside.count_down();
                leave.wait();
                stayed = seen.alive() && seen.identity() == "seen";
            });
        }};
        inside.wait();
        for (int i = 0; i < 20; ++i) {
            const auto next = r.add(mortal{std::to_string(i)});
            CHECK(r.remove(id));
            CHECK(r.set_weight(next, 1 + i % 2));
            auto lease = selector.pick(entry.nth(2));
            REQUIRE(lease);
            CHECK(lease.id() == next);
            id = next;
        }
        CHECK(r.size() == 1);
        leave.count_down();
        reader.join();
        CHECK(stayed);
        CHECK(mortal::living() == 1);  // the last reader has freed what was kept for it
    }
    CHECK(mortal::living() == 0);
}

}  // namespace

TEST_CASE("law 5: a pick never waits for a writer", "[threads]") { each(picks_wait_for_no_writer); }
TEST_CASE("law 5: an update never waits for a reader", "[threads]") { each(updates_wait_for_no_reader); }
