#include <weir/select/least_load.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/length.hpp"
#include "support/manual_clock.hpp"

#include <weir/load/peak_ewma.hpp>
#include <weir/select/choices.hpp>
#include <weir/select/random.hpp>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <thread>

using weir_test::unfair;

static_assert(std::same_as<weir::weighted_least_connections<int>, weir::least_connections<int>>);

namespace {

/// Whether `chosen` has the least in flight / weight of all that may be chosen, by looking at all of them.
bool least_of_all(const weir::registry_base<int>& r, weir::backend_id chosen,
                  const std::vector<weir::backend_id>& exclude = {}) {
    const weir::view& v = *r.hub()->seen();  // nobody updates meanwhile
    const auto acceptable = [&](std::uint32_t i) {
        return v.in_flight(i) < v.limit(i) && std::find(exclude.begin(), exclude.end(), v.id(i)) == exclude.end();
    };
    if (!v.is_eligible(chosen.slot) || v.id(chosen.slot) != chosen || !acceptable(chosen.slot)) return false;
    return std::none_of(v.eligible().begin(), v.eligible().end(), [&](std::uint32_t i) {
        return acceptable(i) && std::uint64_t{v.in_flight(i)} * v.weight(chosen.slot) <
                                    std::uint64_t{v.in_flight(chosen.slot)} * v.weight(i);
    });
}

/// Chooses without a lease, and asks whether that was the least.
bool without_a_lease_too(const weir::registry_base<int>& r, const weir::least_connections<int>& least,
                         const std::vector<weir::backend_id>& exclude = {}) {
    weir::pick_options options;
    options.exclude = exclude;
    std::optional<int> chosen;
    return least.choose(options, [&](int& b) { chosen = b; }) == weir::pick_error::none &&
           least_of_all(r, r.find(std::to_string(chosen.value())).value(), exclude);
}

/// Picks, gives the lease back, and asks whether that was the least; then the same without a lease.
bool chooses_the_least(const weir::registry_base<int>& r, const weir::least_connections<int>& least,
                       const std::vector<weir::backend_id>& exclude = {}) {
    weir::pick_options options;
    options.exclude = exclude;
    const auto id = least.pick(options).id();
    return least_of_all(r, id, exclude) && without_a_lease_too(r, least, exclude);
}

}  // namespace

namespace {

/// Calls whoever waits for it when a backend leaves: in the middle of an update, when it is published but not yet over.
struct calls_on_leaving {
    static constexpr bool timed = false;
    std::function<void()>* call = nullptr;
    struct pool {};
    struct state {};
    void join(pool&, state&) const noexcept {}
    void leave(pool&, state&) const noexcept { (*call)(); }
    void on_end(pool&, state&, weir::outcome, std::chrono::nanoseconds, std::chrono::nanoseconds) const noexcept {}
    [[nodiscard]] int score(const pool&, const state&, const weir::load_reading&) const noexcept { return 0; }
    bool operator==(const calls_on_leaving&) const = default;
};

}  // namespace

TEST_CASE("who is published as ineligible is not chosen, also before the index of loads has followed") {
    weir::registry<int> r;
    for (int i = 0; i < 64; ++i) r.add(i);
    const weir::least_connections<int> least{r};
    std::function<void()> look;
    const weir::choices<int, calls_on_leaving> watching{r, calls_on_leaving{&look}};
    std::vector<weir::lease<int>> held;
    for (int i = 0; i < 63; ++i) held.push_back(least.pick());
    const weir::backend_id idle = least.pick().id();  // the only one without a lease
    int looks = 0;
    look = [&] {
        ++looks;
        CHECK(least.inspect([&](const weir::view& v, const auto&) { CHECK(!v.is_eligible(idle.slot)); }));
        CHECK(least.pick().id() != idle);
        CHECK(least.choose([&](int& b) { CHECK(r.find(std::to_string(b)) != idle); }) == weir::pick_error::none);
    };
    r.set(idle, weir::condition::ejected);
    CHECK(looks == 1);
    look = [] {};
}

TEST_CASE("the least loaded of all is chosen, by load / weight") {
    weir::registry<int> r;
    const std::vector<std::uint32_t> weights{1, 2, 3};
    for (const auto w : weights) r.add(static_cast<int>(r.size()), {.weight = w});
    const weir::least_connections least{r, {.seed = 1}};
    std::vector<weir::lease<int>> held;
    for (int i = 0; i < 600; ++i) {
        const auto before = r.members();
        held.push_back(least.pick());
        const auto& chosen = before[held.back().id().slot];
        for (const auto& m : before)
            CHECK(std::uint64_t{chosen.in_flight} * m.weight <= std::uint64_t{m.in_flight} * chosen.weight);
    }
    for (const auto& m : r.members()) CHECK(m.in_flight == 100 * m.weight);
}

TEST_CASE("ties are drawn by weight, never the first") {
    weir::registry<int, weir_test::manual_clock> r;
    const std::vector<std::uint32_t> weights{1, 1, 8, 2, 0};
    for (const auto w : weights) r.add(static_cast<int>(r.size()), {.weight = w});
    const weir::least_connections least{r, {.seed = 2}};
    const weir::least_load by_latency{r, weir::peak_ewma{}, weir::selector_options{.seed = 2}};
    std::vector<std::uint64_t> counts(5), by_latency_counts(5);
    for (int i = 0; i < 30'000; ++i) {
        ++counts[least.pick().id().slot];
        ++by_latency_counts[by_latency.pick().id().slot];
    }
    CHECK(unfair(counts, weights) == "");
    CHECK(unfair(by_latency_counts, weights) == "");
}

TEST_CASE("a tie among some is drawn among those alone") {
    weir::registry<int> r;
    std::vector<weir::backend_id> ids;
    for (int i = 0; i < 4; ++i) ids.push_back(r.add(i));
    const weir::least_connections least{r, {.seed = 3}};
    const weir::backend_id not_first[] = {ids[1], ids[2], ids[3]}, not_third[] = {ids[0], ids[1], ids[3]};
    const auto first = least.pick({.exclude = not_first}), third = least.pick({.exclude = not_third});
    std::vector<std::uint64_t> counts(4);
    for (int i = 0; i < 10'000; ++i) ++counts[least.pick().id().slot];
    CHECK(unfair(counts, std::vector<std::uint32_t>{0, 1, 0, 1}) == "");
}

TEST_CASE("hardening 4: a lease counts from the pick on, and until it ends in whatever way") {
    weir::registry<int> r;
    r.add(0);
    r.add(1);
    const weir::least_connections least{r, {.seed = 4}};
    for (int how = 0; how < 5; ++how) {
        auto first = least.pick();
        const auto id = first.id();
        CHECK(r.inspect(id)->in_flight == 1);
        auto second = least.pick();
        CHECK(second.id() != id);
        first.complete(static_cast<weir::outcome>(how));
        CHECK(r.inspect(id)->in_flight == 0);
        CHECK(least.pick().id() == id);
        second.complete(static_cast<weir::outcome>(how));
    }
    for (const auto& m : r.members()) CHECK(m.in_flight == 0);
}

TEST_CASE("latency decides among the idle, and the queue among the fast") {
    using namespace std::chrono_literals;
    weir_test::manual_clock::set(1h);
    weir::registry<int, weir_test::manual_clock> r;
    const auto fast = r.add(0), slow = r.add(1);
    const weir::least_load least{r, weir::peak_ewma{}, weir::selector_options{.seed = 5}};
    const weir::backend_id only_slow[] = {fast}, only_fast[] = {slow};
    for (int i = 0; i < 8; ++i) {
        least.pick({.exclude = only_fast}).complete(weir::outcome::success, 10ms);
        least.pick({.exclude = only_slow}).complete(weir::outcome::success, 35ms);
    }
    std::vector<weir::lease<int>> held;
    for (int i = 0; i < 3; ++i) {
        held.push_back(least.pick());
        CHECK(held.back().id() == fast);
    }
    held.push_back(least.pick());  // 10 ms x 4 against 35 ms x 1
    CHECK(held.back().id() == slow);
}

TEST_CASE("in pools of any size, whatever happens to them, the choice is that of a literal scan") {
    for (const std::size_t n : {5u, 31u, 32u, 33u, 200u}) {
        for (const std::uint32_t weights : {1u, 3u, 40u}) {
            INFO(n << " backends, " << weights << " weights");
            weir::registry<int> r;
            weir::generator random{n + weights};
            const weir::random other{r, weir::selector_options{.seed = 1}};
            std::vector<weir::backend_id> ids;
            int number = 0;
            const auto options = [&] {
                return weir::backend_options{.weight = random.below(20) == 0 ? 0 : 1 + random.below(weights),
                                             .max_in_flight = random.below(4) == 0
                                                                  ? 1 + static_cast<std::uint32_t>(random.below(3))
                                                                  : weir::unlimited};
            };
            for (std::size_t i = 0; i < n; ++i) ids.push_back(r.add(number++, options()));
            std::deque<weir::lease<int>> held;
            for (std::size_t i = 0; i < n; ++i) held.push_back(other.pick());  // older than the index
            const weir::least_connections least{r, {.seed = 2}};
            int wrong = 0, picked = 0;
            for (int i = 0; i < 3000; ++i) {
                const auto at = random.below(ids.size());
                switch (random.below(24)) {
                case 0: r.set(ids[at], weir::condition::failed_check); break;
                case 1:
                case 2: r.clear(ids[at], weir::condition::failed_check); break;
                case 3: r.set_weight(ids[at], 1 + random.below(weights)); break;
                case 4:
                    r.remove(ids[at]);  // its leases live on, and count for nobody
                    ids[at] = r.add(number++, options());
                    break;
                case 5: ids.push_back(r.add(number++, options())); break;
                case 6:
                    if (ids.size() > 3) {
                        r.remove(ids[at]);
                        ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at));
                    }
                    break;
                default: break;
                }
                if (random.below(3) == 0) held.push_back(other.pick());
                while (held.size() > random.below(4 * n)) {
                    std::swap(held.front(), held[random.below(held.size())]);
                    held.pop_front();
                }
                std::vector<weir::backend_id> exclude;
                while (random.below(3) == 0 && exclude.size() < 12) exclude.push_back(ids[random.below(ids.size())]);
                auto lease = least.pick({.exclude = exclude});
                if (!lease) continue;
                // As it was a moment ago, without this lease.
                const auto id = lease.id();
                lease.complete(weir::outcome::success);
                wrong += least_of_all(r, id, exclude) && without_a_lease_too(r, least, exclude) ? 0 : 1;
                ++picked;
                held.push_back(other.pick());
            }
            CHECK(wrong == 0);
            CHECK(picked > 1000);
        }
    }
}

TEST_CASE("10,000 backends: exact all the same, through leases, limits and exclusions") {
    const std::uint32_t weights = GENERATE(3u, 1'000u);
    weir::registry<int> r;
    std::vector<weir::backend_id> ids;
    r.update([&](auto& change) {
        for (std::uint32_t i = 0; i < 10'000; ++i)
            ids.push_back(change.add(static_cast<int>(i),
                                     {.weight = 1 + i % weights, .max_in_flight = i % 10 == 0 ? 1 : weir::unlimited}));
    });
    // An index, or picks would take their hundred microseconds each.
    CHECK(weir::load_index::make(*r.hub()->seen()) != nullptr);
    const weir::least_connections least{r, {.seed = 1}};
    std::deque<weir::lease<int>> held;
    int wrong = 0;
    weir::generator random{2};
    for (int i = 0; i < 60'000; ++i) {
        auto lease = least.pick();
        if (i % 500 == 0) {
            const auto id = lease.id();
            lease.complete(weir::outcome::success);
            wrong += least_of_all(r, id) ? 0 : 1;
            // Those that come next are excluded, as in a retry.
            const std::vector<weir::backend_id> exclude{id, ids[random.below(10'000)]};
            wrong += chooses_the_least(r, least, exclude) ? 0 : 1;
        }
        held.push_back(std::move(lease));
        while (held.size() > 35'000) held.pop_front();
    }
    CHECK(wrong == 0);
}

TEST_CASE("ties are drawn by weight in large pools, too: of all, and of those that are left") {
    for (const bool limited : {false, true}) {  // each has a path of its own
        weir::registry<int> r;
        std::vector<std::uint32_t> weights;
        std::vector<weir::backend_id> ids;
        r.update([&](auto& change) {
            for (std::uint32_t i = 0; i < 100; ++i) {
                weights.push_back(i == 50 ? 0 : 1 + i % 4);
                ids.push_back(change.add(static_cast<int>(i),
                                         {.weight = weights.back(), .max_in_flight = limited ? 5 : weir::unlimited}));
            }
        });
        const weir::least_connections least{r, {.seed = 3}};
        const auto counts = [&](const std::vector<weir::backend_id>& exclude) {
            std::vector<std::uint64_t> drawn(100);
            for (int i = 0; i < 50'000; ++i) ++drawn[least.pick({.exclude = exclude}).id().slot];
            return drawn;
        };
        CHECK(unfair(counts({}), weights) == "");
        std::vector<weir::lease<int>> held;
        auto left = weights;
        for (int i = 0; i < 30; ++i) {
            held.push_back(least.pick());
            left[held.back().id().slot] = 0;
        }
        CHECK(unfair(counts({}), left) == "");
        // More are excluded than the index passes over: then all are looked at.
        std::vector<weir::backend_id> exclude;
        for (std::uint32_t i = 0; i < 60; i += 4) {
            exclude.push_back(ids[i]);
            left[i] = 0;
        }
        CHECK(unfair(counts(exclude), left) == "");
    }
}

TEST_CASE("after any storm of leases and updates in two threads, the choice is exact again", "[threads]") {
    const std::uint32_t weights = GENERATE(2u, 50u);  // a tree for each, and one for all
    weir::registry<int> r;
    std::vector<weir::backend_id> ids;
    for (std::uint32_t i = 0; i < 60; ++i)
        ids.push_back(r.add(static_cast<int>(i), {.weight = 1 + i % weights, .max_in_flight = 20}));
    const weir::least_connections least{r, {.seed = 4}};
    const weir::random other{r};
    int wrong = 0, number = 100;
    for (std::uint64_t round = 0; round < weir_test::repetitions(60); ++round) {
        std::deque<weir::lease<int>> left[2];
        std::atomic<bool> done{false};
        const auto storm = [&](std::size_t which) {
            weir::generator random{2 * round + which};
            auto& mine = left[which];
            for (int i = 0; i < 400; ++i) {
                mine.push_back(random.below(3) == 0 ? other.pick() : least.pick());
                while (mine.size() > random.below(60)) {
                    std::swap(mine.front(), mine[random.below(mine.size())]);
                    mine.pop_front();
                }
            }
        };
        std::thread second{[&] {
            storm(1);
            done.store(true);
        }};
        std::thread updates{[&] {
            weir::generator random{round};
            do {
                const auto at = random.below(ids.size());
                switch (random.below(4)) {
                case 0: r.set(ids[at], weir::condition::ejected); break;
                case 1: r.set_weight(ids[at], 1 + random.below(weights)); break;
                case 2:
                    r.remove(ids[at]);
                    ids[at] = r.add(number++, {.max_in_flight = 20});
                    break;
                default: r.clear(ids[at], weir::condition::ejected); break;
                }
            } while (!done.load());
        }};
        storm(0);
        second.join();
        updates.join();
        // At rest, with what is left in flight: fill the valleys one by one.
        for (int i = 0; i < 100; ++i) {
            auto lease = least.pick();
            if (!lease) break;
            const auto id = lease.id();
            lease.complete(weir::outcome::success);
            wrong += least_of_all(r, id) && without_a_lease_too(r, least) ? 0 : 1;
            left[0].push_back(least.pick());
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("a pool that grows and shrinks past the size that has an index goes on without a mistake") {
    weir::registry<int> r;
    std::vector<weir::backend_id> ids;
    const weir::least_connections least{r, {.seed = 5}}, second{r, {.seed = 6}};
    const weir::random other{r, {.seed = 7}};
    std::vector<weir::lease<int>> held;
    int wrong = 0;
    for (int i = 0; i < 200; ++i) {
        if (i % 80 < 40) {
            ids.push_back(r.add(i));
        } else {
            r.remove(ids.back());
            ids.pop_back();
        }
        if (ids.empty()) continue;
        held.push_back(i % 2 == 0 ? least.pick() : other.pick());
        wrong += chooses_the_least(r, least) && chooses_the_least(r, second) ? 0 : 1;
    }
    CHECK(wrong == 0);
}

TEST_CASE("a registry whose update was refused still knows its loads") {
    weir::registry<int> r;
    for (int i = 0; i < 40; ++i) r.add(i);
    const weir::least_connections least{r, {.seed = 8}};
    std::vector<weir::lease<int>> held;
    for (int i = 0; i < 100; ++i) {
        CHECK_THROWS_AS(r.update([&](auto& change) {
            change.add(100 + i);
            change.add(1, {.max_in_flight = 0});
        }),
                        std::invalid_argument);
        held.push_back(least.pick());
        const weir::least_connections late{r};
        CHECK(chooses_the_least(r, late));
    }
    for (const auto& m : r.members()) CHECK((m.in_flight == 2 || m.in_flight == 3));
}
