#include <weir/registry.hpp>

#include "catch.hpp"
#include "support/fence.hpp"
#include "support/length.hpp"
#include "support/mortal.hpp"

#include <weir/random.hpp>
#include <weir/select/least_load.hpp>
#include <weir/select/round_robin.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

// Two threads pick and one updates as fast as it can: nobody sees a backend after its death, a version that was over
// before the section began, or a count that does not come back to zero.

namespace {

using weir_test::mortal;

/// Notes the version that each pick read, and the one that the writer has made last.
struct version_witness {
    struct table {};
    struct state {};
    static inline thread_local std::uint64_t seen = 0, built = 0;

    [[nodiscard]] table build(const weir::view& v, const weir::before<table>*, const state&) const {
        built = v.version();
        return {};
    }
    template <class Accept>
    [[nodiscard]] weir::choice choose(const weir::view& v, const table&, state&, const weir::query& q,
                                      Accept accept) const noexcept {
        seen = v.version();
        const std::uint32_t i = v.eligible()[q.random_below(v.eligible().size())];
        return accept(i) ? weir::choice{.index = i} : weir::choice{};
    }
};

constexpr std::uint64_t pool_size = 100;

}  // namespace

TEST_CASE("picks by two threads survive updates as fast as they come", "[threads]") {
    mortal::alive = 0;
    {
        weir::registry<mortal> backends;
        std::vector<weir::backend_id> ids;
        backends.update([&](auto& change) {
            for (std::uint64_t i = 0; i < pool_size; ++i) ids.push_back(change.add(mortal{i}));
        });
        weir::round_robin turns{backends};
        weir::least_connections least{backends};
        weir::basic_selector witness{backends, version_witness{}};

        std::atomic<bool> done{false};
        // Every section that begins from now on sees at least this version.
        std::atomic<std::uint64_t> published{version_witness::built};
        std::atomic<std::uint64_t> dead{0}, stale{0}, backwards{0}, missing{0}, picks{0};

        const auto pick = [&](std::uint64_t seed) {
            weir::generator random{seed};
            std::vector<weir::lease<mortal>> held(8);
            std::uint64_t count = 0, latest = 0;
            while (!done.load(std::memory_order_relaxed)) {
                auto& slot = held[random.below(held.size())];
                slot = random.below(2) == 0 ? turns.pick() : least.pick();
                if (!slot) ++missing;
                for (const auto& lease : held)
                    if (lease && !lease->lives()) ++dead;
                if (random.below(4) == 0) slot.complete(weir::outcome::success);
                turns.choose([&](mortal& m) { dead += m.lives() ? 0 : 1; });

                const std::uint64_t at_least = published.load(std::memory_order_acquire);
                witness.choose([&](mortal& m) { dead += m.lives() ? 0 : 1; });
                if (version_witness::seen < at_least) ++stale;
                if (version_witness::seen < latest) ++backwards;
                latest = version_witness::seen;
                ++count;
            }
            picks += count;
        };
        std::thread first{pick, 1}, second{pick, 2};

        weir::generator random{3};
        const std::uint64_t updates = weir_test::repetitions(200'000);
        std::uint64_t next_name = pool_size;
        const std::uint64_t first_version = version_witness::built;
        const auto begin = std::chrono::steady_clock::now();
        for (std::uint64_t i = 0; i < updates; ++i) {
            auto& id = ids[random.below(ids.size())];
            switch (random.below(4)) {
            case 0:
                backends.update([&](auto& change) {
                    change.remove(id);
                    id = change.add(mortal{next_name++});
                });
                break;
            case 1: backends.set(id, weir::condition::draining); break;
            case 2: backends.clear(id, weir::condition::draining); break;
            default:
                backends.update([&](auto& change) {
                    change.set(id, weir::condition::user_1);
                    change.clear(id, weir::condition::user_1);
                    change.clear(id, weir::condition::draining);
                    change.set_weight(id, 1 + i % 3);
                });
                break;
            }
            // This thread alone updates: what it has built, if anything, is what it has just published.
            published.store(version_witness::built, std::memory_order_release);
        }
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        done = true;
        first.join();
        second.join();
        WARN(updates << " updates, " << static_cast<std::uint64_t>(static_cast<double>(updates) / took.count())
                     << " a second, during " << picks << " rounds of picks");
        CHECK(dead == 0);
        CHECK(stale == 0);
        CHECK(backwards == 0);
        CHECK(missing == 0);
        CHECK(picks > 0);
        CHECK(version_witness::built >
              first_version + updates / 4);  // each fourth is a new backend; draining comes beside
        CHECK(mortal::alive == static_cast<std::int64_t>(pool_size));
        for (const auto& m : backends.members()) CHECK(m.in_flight == 0);
    }
    CHECK(mortal::alive == 0);
}

TEST_CASE("leases end on other threads while their backends are removed", "[threads]") {
    mortal::alive = 0;
    {
        weir::registry<mortal> backends;
        backends.add(mortal{0});
        weir::round_robin turns{backends};
        std::atomic<bool> done{false};
        std::atomic<std::uint64_t> dead{0};
        std::atomic<weir::lease<mortal>*> handed{nullptr};  // a mailbox for one lease
        std::thread picker{[&] {
            while (!done.load(std::memory_order_relaxed)) {
                auto* mine = new weir::lease<mortal>{turns.pick()};
                delete handed.exchange(mine, std::memory_order_acq_rel);
            }
        }};
        std::thread finisher{[&] {
            std::uint64_t i = 0;
            while (!done.load(std::memory_order_relaxed)) {
                auto* got = handed.exchange(nullptr, std::memory_order_acq_rel);
                if (got == nullptr) continue;
                if (*got && !(*got)->lives()) ++dead;
                got->complete(static_cast<weir::outcome>(i++ % weir::outcome_count));
                delete got;
            }
        }};
        const std::uint64_t rounds = weir_test::repetitions(50'000);
        weir::backend_id last = *backends.find("0");
        for (std::uint64_t i = 1; i <= rounds; ++i) {
            const auto fresh = backends.add(mortal{i});
            backends.remove(last);
            last = fresh;
        }
        done = true;
        picker.join();
        finisher.join();
        delete handed.exchange(nullptr);
        CHECK(dead == 0);
        CHECK(mortal::alive == 1);
        CHECK(backends.members().front().in_flight == 0);
    }
    CHECK(mortal::alive == 0);
}
