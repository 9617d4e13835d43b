#pragma once

#include "catch.hpp"
#include "statistics.hpp"
#include "support/any_selector.hpp"
#include "support/backends.hpp"
#include "support/manual_clock.hpp"

#include <weir/random.hpp>
#include <weir/registry.hpp>
#include <weir/select/consistent_hash.hpp>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

// What every selector keeps: the contracts of the library, each held against each entry of laws/every_selector.hpp.
namespace weir_test::law {

enum class kind {
    rotation,    ///< exact over each period
    draw,        ///< in proportion on average
    load_aware,  ///< in proportion at rest
    keyed,       ///< in proportion over identities
    dialect,     ///< keyed by another program's rule: as even, and as calm when members change, as that rule is
    own_rule,    ///< not in proportion, or not by chance: its own test tells
};

/// An entry without its type, so that laws are compiled once, and not for each selector.
struct subject {
    kind is;
    bool history_free = false;  ///< this and the next four: what keyed ones and dialects say
    bool exact = true;
    bool any_weight = true;
    bool ends_unsaid = false;
    std::uint32_t most = weir::weight::max;
    bool heeds_degraded = false;
    bool takes_turns = false;              ///< by load, but ties are not drawn
    std::uint32_t fill = weir::unlimited;  ///< the most leases of one backend, whatever its limit
    double (*overdispersion)(double keys, double total) = nullptr;
    std::string name = {};
    any_selector<std::string> (*make_string)(weir::registry_base<std::string>&,
                                             std::optional<std::uint64_t> seed) = nullptr;
    any_selector<mortal> (*make_mortal)(weir::registry_base<mortal>&, std::optional<std::uint64_t> seed) = nullptr;

    [[nodiscard]] auto make(weir::registry_base<std::string>& r, std::optional<std::uint64_t> seed) const {
        return make_string(r, seed);
    }
    [[nodiscard]] auto make(weir::registry_base<mortal>& r, std::optional<std::uint64_t> seed) const {
        return make_mortal(r, seed);
    }

    /// By how much counts of that many keys vary more than draws do, with weights of `total` in all.
    [[nodiscard]] double spread(std::uint64_t keys, std::uint64_t total) const {
        return overdispersion == nullptr ? 1 : overdispersion(static_cast<double>(keys), static_cast<double>(total));
    }

    /// The options of the n-th pick: with a key of its own where keys count. Dialects take a number for a hash.
    [[nodiscard]] weir::pick_options nth(std::uint64_t n, std::span<const weir::backend_id> exclude = {}) const {
        weir::pick_options o;
        if (is == kind::keyed) o.key = n;
        if (is == kind::dialect) o.key = weir::mix(n);
        o.exclude = exclude;
        return o;
    }
};

/// The list; support/subjects.cpp makes it, and takes longer to compile when the list grows: the laws do not.
[[nodiscard]] const std::vector<subject>& subjects();

/// Holds a law against every selector, or against those of one kind, in a section for each.
inline void each(void (*law)(const subject&), std::optional<kind> only = {}) {
    for (const subject& s : subjects())
        if (!only || s.is == *only) DYNAMIC_SECTION(s.name) {
                law(s);
            }
}

// ---------------------------------------------------------------------------------------------------------------------

using weights = std::vector<std::uint32_t>;

/// A registry of strings on the manual clock.
struct pool {
    weir::registry<std::string, manual_clock> registry;
    std::vector<weir::backend_id> ids;

    explicit pool(const weights& w = {}, const std::string& prefix = "backend-") {
        registry.update([&](auto& change) {
            for (const std::uint32_t one : w)
                ids.push_back(change.add(prefix + std::to_string(ids.size()), {.weight = one}));
        });
    }
    [[nodiscard]] std::size_t index(weir::backend_id id) const {
        return static_cast<std::size_t>(std::find(ids.begin(), ids.end(), id) - ids.begin());
    }
    [[nodiscard]] std::uint64_t in_flight() const {
        std::uint64_t sum = 0;
        for (const auto& m : registry.members()) sum += m.in_flight;
        return sum;
    }
};

/// The patterns of weights that the law of shares is tried with, for n backends.
inline std::vector<weights> patterns(std::size_t n) {
    weights equal(n, 1), one_two_three, skewed(n, 1), with_zero(n, 2);
    for (std::size_t i = 0; i < n; ++i) one_two_three.push_back(static_cast<std::uint32_t>(1 + i % 3));
    skewed.back() = 1000;
    with_zero.insert(with_zero.begin() + static_cast<std::ptrdiff_t>(n / 2), 0);
    return {equal, one_two_three, skewed, with_zero};
}

// ---- Contract 1 -----------------------------------------------------------------------------------------------------

inline void errors_are_distinct_and_in_order(const subject& entry) {
    pool p;
    auto& r = p.registry;
    const auto selector = entry.make(r, 1);
    std::uint64_t n = 0;
    const auto error = [&](std::span<const weir::backend_id> exclude = {}) {
        int calls = 0;
        const auto by_choice = selector.choose(entry.nth(n, exclude), [&](std::string&) { ++calls; });
        const auto lease = selector.pick(entry.nth(n++, exclude));
        CHECK(static_cast<bool>(lease) == (lease.error() == weir::pick_error::none));
        CHECK(by_choice == lease.error());
        CHECK(calls == (lease ? 1 : 0));
        if (!lease) CHECK(lease.id() == weir::backend_id{});
        return lease.error();
    };
    const weir::backend_id nobody[] = {weir::backend_id{}, weir::backend_id{0, 0}};
    CHECK(error() == weir::pick_error::empty);
    CHECK(error(nobody) == weir::pick_error::empty);

    const auto a = r.add("a", {.weight = 0, .max_in_flight = 1});
    const auto b = r.add("b", {.max_in_flight = 1});
    r.set(b, weir::condition::disabled);
    const weir::backend_id both[] = {a, b}, only_a[] = {a}, only_b[] = {b}, twice[] = {b, b, a};
    CHECK(error() == weir::pick_error::none_eligible);
    CHECK(error(both) == weir::pick_error::none_eligible);

    for (unsigned bit = 0; bit < 14; ++bit) {
        const auto one = static_cast<weir::condition>(1u << bit);
        r.clear(b, weir::condition::disabled);
        r.set(b, one);
        CHECK(error() == (one == weir::condition::degraded ? weir::pick_error::none : weir::pick_error::none_eligible));
        r.clear(b, one);
    }
    CHECK(error() == weir::pick_error::none);
    CHECK(error(only_a) == weir::pick_error::none);
    CHECK(error(only_b) == weir::pick_error::all_excluded);  // a has weight 0
    CHECK(error(twice) == weir::pick_error::all_excluded);

    r.set_weight(a, 1);
    CHECK(error(only_b) == weir::pick_error::none);
    CHECK(error(both) == weir::pick_error::all_excluded);
    auto first = selector.pick(entry.nth(n++)), second = selector.pick(entry.nth(n++));
    REQUIRE((first && second));
    CHECK(first.id() != second.id());
    CHECK(error() == weir::pick_error::overloaded);
    CHECK(error(only_a) == weir::pick_error::overloaded);
    CHECK(error(both) == weir::pick_error::all_excluded);  // comes before being full
    r.set(a, weir::condition::draining);
    CHECK(error() == weir::pick_error::overloaded);
    CHECK(error(only_b) == weir::pick_error::all_excluded);
    r.set(b, weir::condition::draining);
    CHECK(error() == weir::pick_error::none_eligible);
    r.remove(a);
    r.remove(b);
    CHECK(error() == weir::pick_error::empty);
}

// ---- Contract 2 -----------------------------------------------------------------------------------------------------

/// A model of what may be chosen, through random conditions, weights, limits, exclusions and leases, while time goes by.
inline void never_what_may_not_be_chosen(const subject& entry) {
    struct model {
        weir::backend_id id;
        std::uint32_t weight = 1, limit = weir::unlimited, held = 0;
        weir::conditions conditions;
    };
    weir::registry<std::string, manual_clock> r;
    const auto selector = entry.make(r, 3);
    weir::generator random{7};
    std::vector<model> all;
    for (int i = 0; i < 8; ++i) {
        model m;
        if (i % 3 == 0) m.limit = 1 + static_cast<std::uint32_t>(i);
        m.id = r.add("b" + std::to_string(i), {.max_in_flight = m.limit});
        m.limit = std::min(m.limit, entry.fill);
        all.push_back(m);
    }
    std::deque<std::pair<std::size_t, weir::lease<std::string>>> held;
    int wrong = 0, missed = 0, picked = 0, refused = 0;
    for (std::uint64_t i = 0; i < 6000; ++i) {
        manual_clock::advance(std::chrono::milliseconds{random.below(200)});
        auto& m = all[random.below(all.size())];
        const auto one = static_cast<weir::condition>(1u << random.below(14));
        switch (random.below(12)) {
        case 0: r.set(m.id, one), m.conditions = m.conditions.with(one); break;
        case 1:
        case 2: {
            auto calmer = m.conditions;
            for (unsigned bit = 0; bit < 14; ++bit)
                if (random.below(2) == 0) {
                    calmer = calmer.without(static_cast<weir::condition>(1u << bit));
                    r.clear(m.id, static_cast<weir::condition>(1u << bit));
                }
            m.conditions = calmer;
            break;
        }
        case 3: m.weight = static_cast<std::uint32_t>(random.below(4)), r.set_weight(m.id, m.weight); break;
        default: break;
        }
        while (!held.empty() && (held.size() > 20 || random.below(3) == 0)) {
            --all[held.front().first].held;
            held.pop_front();
        }
        std::vector<weir::backend_id> exclude;
        while (random.below(2) == 0) exclude.push_back(all[random.below(all.size())].id);
        const auto acceptable = [&](const model& candidate) {
            return candidate.weight > 0 && !candidate.conditions.exclude() && candidate.held < candidate.limit &&
                   std::find(exclude.begin(), exclude.end(), candidate.id) == exclude.end();
        };
        const bool any = std::any_of(all.begin(), all.end(), acceptable);
        auto lease = selector.pick(entry.nth(i, exclude));
        missed += any && !lease ? 1 : 0;
        (lease ? picked : refused) += 1;
        if (!lease) continue;
        const auto at = static_cast<std::size_t>(
            std::find_if(all.begin(), all.end(), [&](const model& x) { return x.id == lease.id(); }) - all.begin());
        wrong += acceptable(all[at]) ? 0 : 1;
        ++all[at].held;
        held.emplace_back(at, std::move(lease));
    }
    CHECK(wrong == 0);
    CHECK(missed == 0);
    CHECK(picked > 1000);
    CHECK(refused > 0);
    held.clear();
    for (const auto& m : r.members()) CHECK(m.in_flight == 0);
}

/// Without a seed and with nothing excluded a pick may go by the shortest way, where nobody asks who is out.
inline void who_is_out_is_never_picked(const subject& entry) {
    weir::registry<std::string> r;
    std::vector<weir::backend_id> ids;
    for (std::uint32_t i = 0; i < 40; ++i) ids.push_back(r.add("b" + std::to_string(i), {.weight = 1 + i % 3}));
    const auto selector = entry.make(r, std::nullopt);
    std::set<weir::backend_id> out;
    const auto check = [&] {
        std::set<weir::backend_id> seen;
        std::uint64_t wrong = 0;
        for (std::uint64_t i = 0; i < 4'000; ++i) {
            const auto lease = selector.pick(entry.nth(i));
            wrong += !lease || out.contains(lease.id()) ? 1 : 0;
            seen.insert(lease.id());
        }
        CHECK(wrong == 0);
        if (entry.is == kind::rotation || entry.is == kind::draw) CHECK(seen.size() == ids.size() - out.size());
    };
    check();
    using weir::condition;
    const auto leaves = [&](std::size_t i, auto&& how) {
        how(ids[i]);
        out.insert(ids[i]);
        check();
    };
    leaves(39, [&](auto id) { r.remove(id); });  // the last slot, the first, one between
    leaves(0, [&](auto id) { r.remove(id); });
    leaves(20, [&](auto id) { r.set(id, condition::ejected); });
    leaves(7, [&](auto id) { r.set_weight(id, 0); });
    for (const std::size_t i : {1u, 2u, 3u, 5u, 8u, 13u, 21u, 34u}) {  // fewer than an index or a draw of two expects
        r.set(ids[i], condition::disabled);
        out.insert(ids[i]);
    }
    check();
    for (std::size_t i = 0; i < ids.size() - 1; ++i) {
        r.set(ids[i], condition::draining);
        if (i != 30) out.insert(ids[i]);
        if (i == 30) r.clear(ids[i], condition::draining);
    }
    check();  // the only one
}

/// The first of the two exceptions: panic ignores what is known of health and nothing else, and the lease says so.
inline void panic_ignores_health_alone(const subject& entry) {
    constexpr auto of_health = weir::condition::failed_check | weir::condition::unreachable | weir::condition::ejected;
    pool p{weights(8, 1)};
    auto& r = p.registry;
    const auto selector = entry.make(r, 3);
    weir::generator random{11};
    int wrong = 0, missed = 0, panics = 0, calm = 0, unsaid = 0;
    for (std::uint64_t i = 0; i < 3000; ++i) {
        const auto id = p.ids[random.below(p.ids.size())];
        const auto one = static_cast<weir::condition>(1u << random.below(6));
        random.below(3) == 0 ? r.set(id, one) : r.clear(id, one);
        if (random.below(20) == 0)
            r.set_panic(
                {.threshold_percent = static_cast<int>(random.below(101)), .fail_closed = random.below(4) == 0});
        const std::vector<weir::backend_id> exclude{p.ids[random.below(p.ids.size())]};
        const weir::panic_options& o = r.hub()->seen()->panic();
        int able = 0, eligible = 0;
        for (const auto& m : r.members()) {
            able += m.conditions.without(of_health).exclude() ? 0 : 1;
            eligible += m.conditions.exclude() ? 0 : 1;
        }
        const bool panic = 100 * eligible < o.threshold_percent * able;
        const auto acceptable = [&](const weir::member& m) {
            const auto heeded = panic ? m.conditions.without(of_health) : m.conditions;
            return !(panic && o.fail_closed) && !heeded.exclude() && m.id != exclude[0];
        };
        const auto members = r.members();
        const bool any = std::any_of(members.begin(), members.end(), acceptable);
        const auto lease = selector.pick(entry.nth(i, exclude));
        missed += any && !lease ? 1 : 0;
        if (!lease) continue;
        (panic ? panics : calm) += 1;
        wrong += acceptable(*r.inspect(lease.id())) ? 0 : 1;
        unsaid += (lease.reason() == weir::pick_reason::panic) == panic ? 0 : 1;
    }
    CHECK(wrong == 0);
    CHECK(missed == 0);
    CHECK(unsaid == 0);
    CHECK(panics > 300);
    CHECK(calm > 300);
    CHECK(selector.counts()[weir::pick_reason::panic] == static_cast<std::uint64_t>(panics));
}

/// Leases that are held, counted by the holders themselves, never exceed the limit.
inline void limits_hold_under_two_threads(const subject& entry) {
    pool p;
    constexpr int limits[] = {3, 1, 2};
    std::vector<weir::backend_id> ids;
    for (const int limit : limits)
        ids.push_back(
            p.registry.add("b" + std::to_string(ids.size()), {.max_in_flight = static_cast<std::uint32_t>(limit)}));
    const auto selector = entry.make(p.registry, 1);
    std::atomic<int> held[3]{};
    std::atomic<int> over{0}, picked{0};
    const auto hammer = [&](std::uint64_t seed) {
        weir::generator random{seed};
        std::deque<std::pair<int, weir::lease<std::string>>> mine;
        const auto give_back = [&] {
            held[mine.front().first].fetch_sub(1);
            mine.pop_front();
        };
        for (std::uint64_t i = 0; i < 20'000; ++i) {
            if (auto lease = selector.pick(entry.nth(i))) {
                const int at = lease.id() == ids[0] ? 0 : lease.id() == ids[1] ? 1 : 2;
                if (held[at].fetch_add(1) + 1 > limits[at]) over.fetch_add(1);
                picked.fetch_add(1);
                mine.emplace_back(at, std::move(lease));
            }
            while (!mine.empty() && (mine.size() > 4 || random.below(2) == 0)) give_back();
        }
        while (!mine.empty()) give_back();
    };
    std::thread other{hammer, 2};
    hammer(1);
    other.join();
    CHECK(over == 0);
    CHECK(picked > 0);
    CHECK(p.in_flight() == 0);
    std::uint64_t counted = 0;
    for (const auto& m : p.registry.members()) counted += m.outcomes.cancelled;
    CHECK(counted == static_cast<std::uint64_t>(picked.load()));
}

/// Sleeping until the next call of `on_capacity` is never sleeping for ever, with fewer places than threads.
inline void whoever_is_refused_is_told_of_room(const subject& entry) {
    pool p;
    for (int i = 0; i < 2; ++i) p.registry.add("b" + std::to_string(i), {.max_in_flight = 1});
    const auto selector = entry.make(p.registry, 1);
    std::atomic<std::uint32_t> calls{0};
    const auto watching = p.registry.on_capacity([&] {
        calls.fetch_add(1);
        calls.notify_all();
    });
    std::atomic<int> ready{0}, served{0};
    const auto work = [&] {
        ready.fetch_add(1);
        while (ready.load() < 3) std::this_thread::yield();
        for (std::uint64_t i = 0; i < 5'000; ++i) {
            for (;;) {
                const std::uint32_t before = calls.load();
                if (const auto lease = selector.pick(entry.nth(i))) break;
                calls.wait(before);
            }
            served.fetch_add(1);
        }
    };
    std::thread second{work}, third{work};
    work();
    second.join();
    third.join();
    CHECK(served == 15'000);
    CHECK(p.in_flight() == 0);
    // And in one thread, where it is sure to happen.
    auto a = selector.pick(entry.nth(1)), b = selector.pick(entry.nth(2));
    CHECK(selector.pick(entry.nth(3)).error() == weir::pick_error::overloaded);
    const auto before = calls.load();
    a = {};
    CHECK(calls == before + 1);
    CHECK(selector.pick(entry.nth(4)));
}

// ---- Contract 3 -----------------------------------------------------------------------------------------------------

inline void shares_are_the_weights(const subject& entry) {
    if (entry.is == kind::own_rule) return;
    for (const std::size_t n : {1u, 2u, 3u, 10u, 100u}) {
        for (const auto& w : patterns(n)) {
            if (*std::max_element(w.begin(), w.end()) > entry.most) continue;
            INFO(n << " backends, the last of weight " << w.back());
            const std::uint64_t total = std::accumulate(w.begin(), w.end(), std::uint64_t{0});
            std::vector<std::uint64_t> counts(w.size());
            if (entry.is == kind::rotation) {
                const pool p{w};
                const auto selector = entry.make(const_cast<pool&>(p).registry, 1);
                std::uint32_t divisor = 0;
                for (const auto one : w) divisor = std::gcd(divisor, one);
                std::vector<std::uint64_t> each;
                for (const auto one : w) each.push_back(one / divisor);
                for (int period = 0; period < 3; ++period) {
                    counts.assign(w.size(), 0);
                    for (std::uint64_t i = 0; i < total / divisor; ++i)
                        ++counts[p.index(selector.pick(entry.nth(i)).id())];
                    CHECK(counts == each);
                }
            } else if (entry.is == kind::keyed) {
                // Over many sets of identities, as far as their points fit into a second, with 20 keys for the lightest.
                const std::uint64_t sets = std::clamp<std::uint64_t>(4000 / total, 3, 40);
                const std::uint64_t keys = std::max<std::uint64_t>(1500, 20 * total / sets);
                for (std::uint64_t s = 0; s < sets; ++s) {
                    pool p{w, "set" + std::to_string(s) + '-'};
                    const auto selector = entry.make(p.registry, 1);
                    // Other keys in each: the buckets of jump and its like do not depend on names.
                    for (std::uint64_t i = 0; i < keys; ++i)
                        ++counts[p.index(selector.pick(entry.nth(s * keys + i)).id())];
                }
                CHECK(unfair(counts, w, entry.spread(keys, total)) == "");
            } else {
                pool p{w};
                const auto selector = entry.make(p.registry, 1);
                constexpr std::uint64_t picks = 20'000;
                for (std::uint64_t i = 0; i < picks; ++i) ++counts[p.index(selector.pick(entry.nth(i)).id())];
                CHECK(unfair(counts, w, entry.spread(picks, total)) == "");
            }
        }
    }
}

/// The first pick of many fresh selectors is distributed as all picks are. (A rotation's first is the first in turn.)
inline void shares_are_right_from_the_first_pick(const subject& entry) {
    if (entry.is == kind::own_rule) return;
    const weights w{1, 2, 3};
    std::vector<std::uint64_t> counts(3);
    // A dialect may go by places, not by names: then the points are the same in each round.
    const std::uint64_t rounds = entry.is == kind::dialect ? 500 : 1500;
    const double spread = entry.is == kind::dialect ? entry.spread(rounds, 6) : 1;
    if (entry.is == kind::rotation || entry.takes_turns) {
        // The first cycle is as exact as any; its order is that of the first selector for each.
        std::vector<std::size_t> first;
        for (int round = 0; round < 10; ++round) {
            pool p{w};
            const auto selector = entry.make(p.registry, 1);
            std::vector<std::size_t> order;
            for (std::uint64_t i = 0; i < 6; ++i) order.push_back(p.index(selector.pick().id()));
            if (round == 0) first = order;
            CHECK(order == first);
        }
        for (const auto i : first) ++counts[i];
        CHECK(counts == std::vector<std::uint64_t>{1, 2, 3});
    } else {
        for (std::uint64_t round = 0; round < rounds; ++round) {
            pool p{w, "round" + std::to_string(round) + '-'};
            ++counts[p.index(entry.make(p.registry, round).pick(entry.nth(round)).id())];
        }
        CHECK(unfair(counts, w, spread) == "");
    }
}

// ---- Contract 4 -----------------------------------------------------------------------------------------------------

/// hardening 10: weights 99:1 with an update every 10 picks are still 99:1 within 1 point.
inline void shares_survive_updates(const subject& entry) {
    if (entry.is == kind::own_rule) return;
    pool p{{99, 1}};
    auto& r = p.registry;
    const auto selector = entry.make(r, 1);
    const auto bystander = r.add("bystander", {.weight = 0});
    const auto less_wanted = entry.heeds_degraded ? bystander : p.ids[0];
    constexpr int picks = 10'000;
    int rare = 0;
    for (int i = 0; i < picks; ++i) {
        if (i % 10 == 0) {
            const auto turn = i / 10;
            switch (turn % 4) {  // each of these publishes
            case 0: r.set(bystander, weir::condition::draining); break;
            case 1: r.set(less_wanted, weir::condition::degraded); break;
            case 2: r.clear(bystander, weir::condition::draining); break;
            default: r.clear(less_wanted, weir::condition::degraded);
            }
            // The members change, too; not every time, for the sake of large tables.
            if (turn % 16 == 5) r.add("passer-by " + std::to_string(i), {.weight = 0});
            if (turn % 16 == 9) r.remove(*r.find("passer-by " + std::to_string(i - 40)));
        }
        rare += selector.pick(entry.nth(static_cast<std::uint64_t>(i))).id() == p.ids[1] ? 1 : 0;
    }
    CHECK(std::abs(rare - picks / 100) <= picks / 100);
    CHECK(rare > 0);
    if (entry.is == kind::rotation) CHECK(std::abs(rare - picks / 100) <= 1);
}

/// Whoever stays eligible has its turn, whatever the others do: never two picks apart.
inline void rotation_goes_on_through_random_flapping(const subject& entry) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        pool p{weights(6, 1)};
        auto& r = p.registry;
        const auto selector = entry.make(r, seed);
        weir::generator random{seed};
        std::map<weir::backend_id, int> counts;
        std::optional<weir::backend_id> guest;
        int worst = 0;
        for (int i = 0; i < 12'000; ++i) {
            if (random.below(3) == 0) {  // 4 and 5 flap, a guest comes and goes, 0 to 3 stay
                const auto flapping = p.ids[4 + random.below(2)];
                switch (random.below(3)) {
                case 0: r.set(flapping, weir::condition::failed_check); break;
                case 1: r.clear(flapping, weir::condition::failed_check); break;
                default:
                    if (guest)
                        r.remove(*std::exchange(guest, std::nullopt));
                    else
                        guest = r.add("guest " + std::to_string(i));
                }
            }
            ++counts[selector.pick().id()];
            const auto [least,
                        most] = std::minmax({counts[p.ids[0]], counts[p.ids[1]], counts[p.ids[2]], counts[p.ids[3]]});
            worst = std::max(worst, most - least);
        }
        CHECK(worst <= 1);
        // Up half of the time, at random: a pick in half of the rounds.
        const double rounds = counts[p.ids[0]];
        for (const std::size_t flapping : {4u, 5u}) {
            // A state lasts 9 picks on average, about two rounds: neighbouring rounds are correlated, so four times the variance.
            CHECK(std::abs(counts[p.ids[flapping]] - rounds / 2) <= five_sigma(rounds, 0.5, 4));
        }
    }
}

/// Weights that change all the time: everybody stays within two picks of what the weights of each moment promised.
inline void rotation_keeps_credit_when_weights_change(const subject& entry) {
    pool p{{3, 2, 1, 7}};
    const auto selector = entry.make(p.registry, 1);
    weir::generator random{5};
    weights w{3, 2, 1, 7};
    std::vector<double> owed(4);
    double worst = 0;
    for (int i = 0; i < 20'000; ++i) {
        if (random.below(3) == 0) {
            const auto at = random.below(4);
            w[at] = 1 + static_cast<std::uint32_t>(random.below(9));
            p.registry.set_weight(p.ids[at], w[at]);
        }
        const double total = std::accumulate(w.begin(), w.end(), 0.0);
        for (std::size_t k = 0; k < 4; ++k) owed[k] += w[k] / total;
        owed[p.index(selector.pick().id())] -= 1;
        for (const double one : owed) worst = std::max(worst, std::abs(one));
    }
    CHECK(worst <= 2);
}

inline void leases_in_flight_survive_updates(const subject& entry) {
    pool p{{1, 2, 3}};
    auto& r = p.registry;
    const auto selector = entry.make(r, 1);
    std::vector<weir::lease<std::string>> held;
    std::map<weir::backend_id, std::uint32_t> expected;
    for (std::uint64_t i = 0; i < 30; ++i) {
        held.push_back(selector.pick(entry.nth(i)));
        REQUIRE(held.back());
        ++expected[held.back().id()];
    }
    const auto as_expected = [&] {
        for (const auto id : p.ids) CHECK(r.inspect(id)->in_flight == expected[id]);
    };
    as_expected();
    r.set_weight(p.ids[0], 9);
    r.set(p.ids[1], weir::condition::draining);
    const auto fresh = r.add("fresh");
    CHECK(r.inspect(fresh)->in_flight == 0);
    r.assign(std::vector<std::string>{"backend-2", "backend-1", "backend-0"});
    as_expected();
    while (!held.empty()) {
        --expected[held.back().id()];
        held.pop_back();
        as_expected();
    }
    CHECK(p.in_flight() == 0);
}

// ---- Contract 4 and hardening 6: updates are accepted whole or refused whole ----------------------------------------

inline void a_refused_update_changes_nothing(const subject& entry) {
    weir::registry<std::string, manual_clock> r, twin;
    const auto set_up = [](auto& registry) {
        std::vector<weir::backend_id> ids;
        for (int i = 0; i < 5; ++i) ids.push_back(registry.add("b" + std::to_string(i), {.weight = 1 + i % 3}));
        return ids;
    };
    const auto ids = set_up(r);
    set_up(twin);
    const auto selector = entry.make(r, 9), undisturbed = entry.make(twin, 9);
    const weir::ring_hash<std::string> refusing{r};  // weights that make too many points
    int events = 0;
    const auto watching = r.observe([&](const weir::change_event&) { ++events; });
    const auto version = r.hub()->seen()->version();

    int different = 0;
    for (std::uint64_t i = 0; i < 600; ++i) {
        switch (i % 40) {
        case 7: CHECK_THROWS_AS(r.add("too much", {.weight = weir::weight::max}), std::invalid_argument); break;
        case 17: CHECK_THROWS_AS(r.set_weight(ids[2], weir::weight::max), std::invalid_argument); break;
        case 27:
            CHECK_THROWS_AS(r.update([&](auto& change) {
                change.remove(ids[0]);
                change.set(ids[1], weir::condition::draining);
                change.add("b0");
                change.set_weight(ids[3], weir::weight::max);
            }),
                            std::invalid_argument);
            break;
        default: break;
        }
        const auto lease = selector.pick(entry.nth(i)), expected = undisturbed.pick(entry.nth(i));
        different += *lease != *expected || lease.reason() != expected.reason() ? 1 : 0;
    }
    CHECK(different == 0);
    CHECK(events == 0);
    CHECK(r.hub()->seen()->version() == version);
    CHECK(r.size() == 5);
    const auto members = r.members();
    for (std::size_t i = 0; i < ids.size(); ++i) {
        CHECK(members[i].id == ids[i]);
        CHECK(members[i].eligible);
        CHECK(members[i].weight == 1 + i % 3);
        CHECK(r.find("b" + std::to_string(i)) == ids[i]);
    }
    // And it goes on from there.
    CHECK(r.add("b5").slot == 5);
    CHECK(events == 1);
}

// ---- Contract 5 -----------------------------------------------------------------------------------------------------
// Safe from any thread, under any interleaving: limits_hold_under_two_threads, whoever_is_refused_is_told_of_room, and
// torture (registry_torture.cpp).

/// What one thread has done so far, as laws/claims.cpp counts it.
struct costs {
    int allocations = 0, locks = 0;
    bool operator==(const costs&) const = default;
};

/// Each way to use a selector, on pools whose members are partly excluded, ineligible, limited, weighted and new.
inline void picks_allocate_nothing_and_take_no_lock(const subject& entry, costs (*so_far)()) {
    for (const bool seeded : {true, false})
        for (const bool simple : {true, false}) {
            weir::registry<std::string, manual_clock> r;
            std::vector<weir::backend_id> ids;
            const auto add = [&](auto& to, int i) {
                ids.push_back(
                    to.add("b" + std::to_string(i), {.weight = simple ? 1 : 1 + i % 3,
                                                     .max_in_flight = simple ? weir::unlimited : std::uint32_t{5}}));
            };
            r.update([&](auto& change) {
                for (int i = 0; i < 40; ++i) add(change, i);
                if (!simple) change.set(ids[3], weir::condition::draining);
            });
            const auto selector = entry.make(r, seeded ? std::optional<std::uint64_t>{1} : std::nullopt);
            add(r, 40);             // which may be warming up
            (void)selector.pick();  // a thread's first pick may register itself
            const std::vector<weir::backend_id> exclude{ids[0], ids[5]};
            const std::function<void(std::string&)> nothing = [](std::string&) {};
            const costs before = so_far();
            for (std::uint64_t i = 0; i < 500; ++i) {
                auto plain = selector.pick();
                auto keyed = selector.pick({.key = i});
                auto other = selector.pick({.key = i, .exclude = exclude});
                plain.complete(weir::outcome::success);
                keyed.complete(weir::outcome::failure, std::chrono::milliseconds{1});
                selector.choose(nothing);
                selector.choose({.key_text = "somebody"}, nothing);
            }
            const costs after = so_far();
            CHECK(after.allocations == before.allocations);
            CHECK(after.locks == before.locks);
        }
}

// ---- Contract 6 -----------------------------------------------------------------------------------------------------

inline void a_removed_backend_goes_with_its_last_lease(const subject& entry) {
    REQUIRE(mortal::living() == 0);
    weir::registry<mortal, manual_clock> r;
    const auto selector = entry.make(r, 1);

    r.remove(r.add(mortal{"unused"}));
    CHECK(mortal::living() == 0);

    const auto id = r.add(mortal{"used"});
    auto first = selector.pick(entry.nth(1)), second = selector.pick(entry.nth(2));
    r.remove(id);
    CHECK(mortal::living() == 1);
    CHECK(first->alive());
    first.complete(weir::outcome::success);
    CHECK(mortal::living() == 1);
    CHECK(second->alive());
    auto moved = std::move(second);
    CHECK(mortal::living() == 1);
    moved = weir::lease<mortal>{};
    CHECK(mortal::living() == 0);

    // A thread that has picked and now sleeps pins nothing.
    const auto seen = r.add(mortal{"seen by a sleeper"});
    std::atomic<int> stage{0};
    std::thread sleeper{[&] {
        CHECK(selector.pick(entry.nth(3)));
        CHECK(selector.choose(entry.nth(3), [](mortal&) {}) == weir::pick_error::none);
        stage.store(1);
        stage.notify_one();
        stage.wait(1);
    }};
    stage.wait(0);
    r.remove(seen);
    CHECK(mortal::living() == 0);
    stage.store(2);
    stage.notify_one();
    sleeper.join();
}

// ---- Contract 7 -----------------------------------------------------------------------------------------------------

/// Everything that one may do, driven by one seed; what was picked.
inline std::vector<std::string> story(const subject& entry, std::uint64_t selector_seed) {
    manual_clock::set(std::chrono::hours{1});
    pool p{{1, 2, 3, 1, 1}};
    auto& r = p.registry;
    const auto selector = entry.make(r, selector_seed);
    weir::generator random{99};
    std::vector<std::string> picks;
    std::deque<weir::lease<std::string>> held;
    for (std::uint64_t i = 0; i < 2000; ++i) {
        const auto id = p.ids[random.below(5)];
        switch (random.below(10)) {
        case 0: r.set(id, weir::condition::ejected); break;
        case 1: r.clear(id, weir::condition::ejected); break;
        case 2: r.set_weight(id, 1 + random.below(3)); break;
        default: break;
        }
        manual_clock::advance(std::chrono::milliseconds{random.below(50)});
        const std::vector<weir::backend_id> exclude(random.below(2), p.ids[random.below(5)]);
        held.push_back(selector.pick(entry.nth(random.below(300), exclude)));
        picks.push_back(held.back() ? *held.back() + '/' + std::string{to_string(held.back().reason())}
                                    : std::string{to_string(held.back().error())});
        while (held.size() > random.below(8)) {
            held.front().complete(static_cast<weir::outcome>(random.below(5)));
            held.pop_front();
        }
    }
    return picks;
}

inline void same_seed_same_picks(const subject& entry) {
    const auto first = story(entry, 1);
    CHECK(first == story(entry, 1));
    // What happens there leaves room for chance, so the seed counts; where a draw decides, it must.
    if (entry.is == kind::draw || (entry.is == kind::load_aware && !entry.takes_turns)) CHECK(first != story(entry, 2));
    if (entry.is == kind::keyed) CHECK(first == story(entry, 2));
}

// ---- Contract 8 (keyed selectors) -----------------------------------------------------------------------------------

template <class Selector>
std::vector<std::string> mapping(const Selector& selector) {
    std::vector<std::string> homes;
    for (std::uint64_t key = 0; key < 1500; ++key) {
        const auto lease = selector.pick({.key = weir::mix(key)});  // as dialects need it
        homes.push_back(lease ? *lease : std::string{});
    }
    return homes;
}

inline void a_mapping_has_no_history(const subject& entry) {
    if (entry.history_free) {
        std::vector<std::pair<std::string, weir::backend_options>> list;
        for (int i = 0; i < 12; ++i)
            list.emplace_back("node-" + std::to_string(i), weir::backend_options{.weight = 1 + i % 3});
        weir::generator random{1};
        std::optional<std::vector<std::string>> first;
        for (int round = 0; round < 6; ++round) {
            std::shuffle(list.begin(), list.end(), random);
            weir::registry<std::string, manual_clock> r;
            // A past: others came and went, weights were different, backends flapped.
            std::vector<weir::backend_id> passing;
            for (std::uint64_t i = 0; i < random.below(5); ++i)
                passing.push_back(r.add("passer-by-" + std::to_string(i)));
            for (const auto& [name, options] : list) {
                const auto id = r.add(name, {.weight = 1 + random.below(5)});
                r.set(id, weir::condition::ejected);
                r.clear(id, weir::condition::ejected);
                r.set_weight(id, options.weight);
            }
            for (const auto id : passing) r.remove(id);
            const auto now = mapping(entry.make(r, 1));
            if (!first) first = now;
            CHECK(now == *first);
        }
    }
}

inline void losing_a_backend_moves_exactly_its_keys(const subject& entry) {
    pool p{{1, 2, 1, 3, 1, 1}};
    auto& r = p.registry;
    const auto selector = entry.make(r, 1);
    const auto before = mapping(selector);
    for (std::size_t lost = 0; lost < p.ids.size(); ++lost) {
        const std::string name = "backend-" + std::to_string(lost);
        const auto only_its_keys_moved = [&] {
            const auto now = mapping(selector);
            int strays = 0, moved = 0;
            for (std::size_t key = 0; key < now.size(); ++key) {
                strays += (before[key] == name) != (now[key] != before[key]) || now[key] == name || now[key].empty()
                              ? 1
                              : 0;
                moved += now[key] != before[key] ? 1 : 0;
            }
            CHECK(strays == 0);
            CHECK(moved > 0);
        };
        const std::uint32_t weight = r.inspect(p.ids[lost])->weight;
        r.set(p.ids[lost], weir::condition::failed_check);
        only_its_keys_moved();
        r.clear(p.ids[lost], weir::condition::failed_check);
        CHECK(mapping(selector) == before);
        if (entry.exact) {
            r.set_weight(p.ids[lost], 0);
            only_its_keys_moved();
            r.set_weight(p.ids[lost], weight);
            CHECK(mapping(selector) == before);
            r.remove(p.ids[lost]);
            only_its_keys_moved();
            p.ids[lost] = r.add(name, {.weight = weight});
            CHECK(mapping(selector) == before);
        }
    }
}

/// Also with nearly everybody out, where the key's own order ends in a draw.
inline void any_number_of_losses_moves_only_the_keys_of_the_lost(const subject& entry) {
    pool p{weights(60, 1)};
    auto& r = p.registry;
    const auto selector = entry.make(r, 1);
    const auto homes = [&] {
        std::vector<weir::backend_id> all;
        for (std::uint64_t key = 0; key < 400; ++key) all.push_back(selector.pick({.key = key}).id());
        return all;
    };
    const auto at_first = homes();
    weir::generator random{3};
    auto order = p.ids;
    std::shuffle(order.begin(), order.end(), random);
    auto before = at_first;
    for (std::size_t lost = 0; lost + 1 < order.size(); ++lost) {
        r.set(order[lost], weir::condition::unreachable);
        const auto now = homes();
        int strays = 0;
        for (std::size_t key = 0; key < now.size(); ++key)
            strays += now[key] != before[key] && before[key] != order[lost] ? 1 : 0;
        CHECK(strays == 0);
        before = now;
    }
    for (const auto id : order) r.clear(id, weir::condition::unreachable);
    CHECK(homes() == at_first);
}

inline void text_keys_and_no_keys(const subject& entry) {
    pool p{weights(4, 10)};
    const auto selector = entry.make(p.registry, 1);
    std::vector<std::uint64_t> counts(4);
    for (int i = 0; i < 4000; ++i) {
        const std::string text = "/path/" + std::to_string(i % 100);
        auto by_text = selector.pick({.key_text = text});
        const auto home = by_text.id();
        CHECK(by_text.reason() == weir::pick_reason::chosen);
        by_text.complete(weir::outcome::success);
        CHECK(selector.pick({.key = weir::hash(text)}).id() == home);
        const auto keyless = selector.pick();
        CHECK(keyless.reason() == weir::pick_reason::keyless);
        ++counts[p.index(keyless.id())];
    }
    CHECK(unfair(counts, weights(4, 1), entry.overdispersion(4000, 40)) == "");
}

// ---- Contract 9 -----------------------------------------------------------------------------------------------------

inline void any_order_of_destruction_is_safe(const subject& entry) {
    std::vector<int> order{0, 1, 2};
    do {
        REQUIRE(mortal::living() == 0);
        auto registry = std::make_unique<weir::registry<mortal, manual_clock>>();
        registry->add(mortal{"a"});
        registry->add(mortal{"b"});
        auto selector = std::make_unique<any_selector<mortal>>(entry.make(*registry, 1));
        auto lease = std::make_unique<weir::lease<mortal>>(selector->pick(entry.nth(1)));
        for (const int what : order) {
            if (what == 0) registry.reset();
            if (what == 1) selector.reset();
            if (what == 2) lease.reset();
            if (lease) CHECK((*lease)->alive());
            if (selector) {
                const auto another = selector->pick(entry.nth(2));
                CHECK(another.error() == (registry ? weir::pick_error::none : weir::pick_error::empty));
                const auto copy = *selector;
                CHECK(copy.choose(entry.nth(2), [](mortal& m) { CHECK(m.alive()); }) == another.error());
            }
            if (!registry) CHECK(mortal::living() == (lease ? 1 : 0));
        }
        CHECK(mortal::living() == 0);
    } while (std::next_permutation(order.begin(), order.end()));
}

inline void updates_from_anywhere_do_not_deadlock(const subject& entry) {
    REQUIRE(mortal::living() == 0);
    {
        weir::registry<mortal, manual_clock> r;
        const auto selector = entry.make(r, 1);
        const auto a = r.add(mortal{"a"});

        // Inside choose's function: also the very backend that it is looking at.
        CHECK(selector.choose(entry.nth(1), [&](mortal& m) {
            r.add(mortal{"b"});
            r.set_weight(a, 2);
            CHECK(r.remove(a));
            CHECK(m.alive());
            CHECK(mortal::living() == 2);
            const auto nested = selector.pick(entry.nth(2));
            REQUIRE(nested);
            CHECK(nested->identity() == "b");
        }) == weir::pick_error::none);
        CHECK(mortal::living() == 1);

        // Inside an observer, whose own changes are told afterwards, in order.
        std::vector<std::string> told;
        auto watching = r.observe([&](const weir::change_event& e) {
            told.push_back(e.identity + ' ' + std::to_string(e.version));
            if (e.identity == "c" && e.kind == weir::change_kind::added) {
                r.set(e.id, weir::condition::degraded);
                CHECK(told.size() == 1);  // not told while this one runs
                CHECK(selector.pick(entry.nth(3)));
            }
            if (e.kind == weir::change_kind::conditions) r.remove(e.id);
        });
        const auto version = r.hub()->seen()->version();
        r.add(mortal{"c"});
        CHECK(told == std::vector<std::string>{"c " + std::to_string(version + 1), "c " + std::to_string(version + 2),
                                               "c " + std::to_string(version + 3)});
        CHECK_FALSE(r.find("c"));
        watching = {};

        // In a backend's destructor: after a lease, and after a lease that is dropped inside choose.
        int died = 0;
        const auto dying = [&](const std::string& name) {
            return r.add(mortal{name, [&r, &died] {
                                    ++died;
                                    r.add(mortal{"child " + std::to_string(died)});
                                }});
        };
        r.remove(*r.find("b"));
        auto id = dying("d");
        auto lease = selector.pick(entry.nth(4));
        r.remove(id);
        CHECK(died == 0);
        lease.complete(weir::outcome::success);
        CHECK(died == 1);
        CHECK(r.find("child 1"));
        r.remove(*r.find("child 1"));

        id = dying("e");
        lease = selector.pick(entry.nth(5));
        r.remove(id);
        r.add(mortal{"f"});
        CHECK(selector.choose(entry.nth(6), [&](mortal& m) {
            lease.complete(weir::outcome::failure);
            CHECK(died == 1);  // destructors run outside read sections
            CHECK(m.alive());
        }) == weir::pick_error::none);
        CHECK(died == 2);
        CHECK(r.find("child 2"));
    }
    CHECK(mortal::living() == 0);
}

// ---- Contract 10 ----------------------------------------------------------------------------------------------------

inline void reasons_and_errors_are_counted(const subject& entry) {
    pool p{{1, 1, 1}};
    auto& r = p.registry;
    const auto selector = entry.make(r, 1);
    const auto copy = selector;
    weir::selector_counts expected;
    weir::generator random{1};
    std::deque<weir::lease<std::string>> held;
    for (std::uint64_t i = 0; i < 3000; ++i) {
        if (i % 50 == 0) {
            const bool down = i % 100 == 0;
            for (std::size_t k = 0; k < 1 + random.below(3); ++k)
                down ? r.set(p.ids[k], weir::condition::ejected) : r.clear(p.ids[k], weir::condition::ejected);
        }
        std::vector<weir::backend_id> exclude;
        for (const auto id : p.ids)
            if (random.below(3) == 0) exclude.push_back(id);
        auto options = entry.nth(i, exclude);
        if (random.below(4) == 0) options.key = std::nullopt;
        auto lease = (i % 2 == 0 ? selector : copy).pick(options);
        if (lease)
            ++expected.by_reason[static_cast<std::size_t>(lease.reason())];
        else
            ++expected.by_error[static_cast<std::size_t>(lease.error())];
        held.push_back(std::move(lease));
        if (held.size() > 6) held.pop_front();
    }
    const auto counted = selector.counts();
    for (std::size_t i = 0; i < weir::pick_reason_count; ++i) {
        INFO(to_string(static_cast<weir::pick_reason>(i)));
        CHECK(counted.by_reason[i] == expected.by_reason[i]);
    }
    for (std::size_t i = 0; i < weir::pick_error_count; ++i) {
        INFO(to_string(static_cast<weir::pick_error>(i)));
        CHECK(counted.by_error[i] == expected.by_error[i]);
    }
    CHECK(counted[weir::pick_reason::chosen] > 0);
    CHECK(counted[weir::pick_reason::panic] == 0);
    CHECK(counted[weir::pick_error::all_excluded] > 0);
    (void)selector.choose([](std::string&) {});
    CHECK(selector.counts()[weir::pick_reason::chosen] == counted[weir::pick_reason::chosen]);  // only picks count
}

/// hardening 8: with all of many down every pick ends with an error.
inline void all_down_is_an_error_not_a_loop(const subject& entry) {
    pool p{weights(300, 1)};
    p.registry.update([&](auto& change) {
        for (const auto id : p.ids) change.set(id, weir::condition::failed_check);
    });
    const auto selector = entry.make(p.registry, 1);
    for (std::uint64_t i = 0; i < 100; ++i)
        CHECK(selector.pick(entry.nth(i)).error() == weir::pick_error::none_eligible);
    p.registry.clear(p.ids[299], weir::condition::failed_check);
    for (std::uint64_t i = 0; i < 100; ++i) CHECK(selector.pick(entry.nth(i)).id() == p.ids[299]);
}

/// hardening 5: the largest weights, alone and beside the smallest. Tables of points or buckets refuse them in words.
inline void the_largest_weights_are_exact_or_refused(const subject& entry) {
    if (entry.is == kind::own_rule || entry.ends_unsaid) return;
    constexpr auto most = weir::weight::max;
    const weights w{most, 1, most, 0};
    pool p{w};
    if (!entry.any_weight) {
        CHECK_THROWS_AS(entry.make(p.registry, 1), std::invalid_argument);
    } else {
        const auto selector = entry.make(p.registry, 1);
        std::vector<std::uint64_t> counts(w.size());
        for (std::uint64_t i = 0; i < 3000; ++i) ++counts[p.index(selector.pick(entry.nth(i)).id())];
        const std::vector<double> expected{1500, 1500.0 / most, 1500, 0};
        CHECK(unfair(counts, expected) == "");
        if (entry.is == kind::rotation) CHECK(counts[0] + 5 > counts[2]);
    }
}

}  // namespace weir_test::law
