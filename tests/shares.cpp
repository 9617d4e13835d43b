#include "catch.hpp"
#include "statistics.hpp"
#include "support/any_selector.hpp"
#include "support/length.hpp"
#include "support/manual_clock.hpp"

#include <weir/adapt/slow_start.hpp>
#include <weir/load/ewma.hpp>
#include <weir/load/reported_utilization.hpp>
#include <weir/random.hpp>
#include <weir/select/choices.hpp>
#include <weir/select/haproxy_leastconn.hpp>
#include <weir/select/ip_hash.hpp>
#include <weir/select/least_load.hpp>
#include <weir/select/least_response_time.hpp>
#include <weir/select/nginx_least_conn.hpp>
#include <weir/select/p2c_peak_ewma.hpp>
#include <weir/select/random.hpp>
#include <weir/select/round_robin.hpp>

#include <algorithm>
#include <numeric>
#include <vector>

// Shares are the weights: for every rotation and draw, and for least and choices at rest (equal loads and latencies), for
// any number of backends, any weights, and whatever happens in between. Each backend is held against its own expectation.
// Under a slow start they are where nobody is warming. Keys have theirs over identities: hashing/laws.cpp, and for 10,000
// members hashing/large.cpp; ip_hash knows 6,271 keys. haproxy_leastconn does not heed weights at rest. first, and the
// bounds of bounded_load, go by other rules.

using weir_test::any_selector;

namespace {

/// What a pick looks at, and so how many of them a test has time for.
enum class looks { at_few, at_all };

struct subject {
    const char* name;
    any_selector<int> (*make)(weir::registry_base<int>&);
    bool rotates;
    looks look = looks::at_few;
    bool warms = false;       ///< who comes, or comes back, has less at first
    bool by_address = false;  ///< a client's, of which there are so many that 100 backends have their share
    bool only_equal = false;  ///< its shares are the weights' where these are equal
};

template <class Selector>
any_selector<int> seeded(weir::registry_base<int>& r) {
    return any_selector<int>{Selector{r, weir::selector_options{.seed = 7}}};
}
any_selector<int> warmed(weir::registry_base<int>& r) {
    using policy = weir::slow_start<weir::round_robin_policy>;
    return any_selector<int>{weir::basic_selector<int, policy>{r, policy{}, {.seed = 7}}};
}
template <class Metric, std::uint32_t D>
any_selector<int> of_choices(weir::registry_base<int>& r) {
    return any_selector<int>{weir::choices<int, Metric, D>{r, Metric{}, {.seed = 7}}};
}
any_selector<int> by_address(weir::registry_base<int>& r) {
    return any_selector<int>{weir::ip_hash<int>{r, {}, {.seed = 7}}};
}

const subject subjects[] = {
    {"round_robin", seeded<weir::round_robin<int>>, true},
    {"round_robin per thread", seeded<weir::round_robin<int, weir::per_thread_cursor>>, true},
    {"random", seeded<weir::random<int>>, false},
    {"least_connections", seeded<weir::least_connections<int>>, false},
    {"power_of_two", seeded<weir::power_of_two<int>>, false},
    {"choices of 3", of_choices<weir::in_flight, 3>, false},
    {"choices by ewma", of_choices<weir::ewma, 2>, false},
    {"choices by reported_utilization", of_choices<weir::reported_utilization, 2>, false},
    {"p2c_peak_ewma", seeded<weir::p2c_peak_ewma<int>>, false},
    {"least_response_time", seeded<weir::least_response_time<int>>, false, looks::at_all},
    {"nginx_least_conn", seeded<weir::nginx_least_conn<int>>, true, looks::at_all},
    {"haproxy_leastconn", seeded<weir::haproxy_leastconn<int>>, true, looks::at_all, false, false, true},
    {"ip_hash", by_address, false, looks::at_few, false, true},
    {"slow_start", warmed, true, looks::at_few, true},
};

std::uint32_t equal(std::size_t, weir::generator&) { return 1; }
std::uint32_t one_two_three(std::size_t i, weir::generator&) { return static_cast<std::uint32_t>(1 + i % 3); }
std::uint32_t one_to_thousand(std::size_t i, weir::generator&) { return i % 2 == 0 ? 1 : 1000; }
std::uint32_t random_weight(std::size_t, weir::generator& random) {
    return static_cast<std::uint32_t>(1 + random.below(1000));
}

/// A registry, and what each backend that ever was in it should have got so far. Backends are numbered as they come.
struct model {
    using weight_of = std::uint32_t (*)(std::size_t, weir::generator&);

    weir::registry<int, weir_test::manual_clock> registry;
    weir::generator random{11};
    weight_of weight;
    std::vector<weir::backend_id> ids;
    std::vector<std::uint32_t> weights;  // 0: not to be chosen
    std::vector<std::uint32_t> up;       // what the weight is, or was before a condition
    std::vector<double> expected;
    std::vector<double> leeway;  // of a rotation: what comings and goings may have moved

    model(std::size_t n, weight_of w) : weight{w} {
        registry.update([&](auto& change) {
            for (std::size_t i = 0; i < n; ++i) add(change);
        });
    }
    template <class Change>
    void add(Change& change) {
        const std::uint32_t w = weight(ids.size(), random);
        ids.push_back(change.add(static_cast<int>(ids.size()), {.weight = w}));
        weights.push_back(w);
        up.push_back(w);
        expected.push_back(0);
        leeway.push_back(3);  // the discrepancy of a rotation
    }
    [[nodiscard]] double total() const { return std::accumulate(weights.begin(), weights.end(), 0.0); }
    [[nodiscard]] std::size_t eligible() const {
        return weights.size() - static_cast<std::size_t>(std::count(weights.begin(), weights.end(), 0u));
    }
    std::size_t anybody() { return random.below(ids.size()); }

    /// One that comes or goes has part of a turn behind or ahead, which the others share.
    void moved(std::size_t who) {
        const double all = total();
        for (std::size_t i = 0; i < weights.size() && all > 0; ++i) leeway[i] += weights[i] / all;
        leeway[who] += 1;
    }

    void change_members() {
        std::size_t who = anybody();
        switch (random.below(3)) {
        case 0:
            if (eligible() < 2 && weights[who] > 0) break;  // somebody stays
            if (!registry.remove(ids[who])) break;
            moved(who);
            weights[who] = 0;
            break;
        case 1:
            registry.update([&](auto& change) { add(change); });
            moved(ids.size() - 1);
            break;
        default:
            if (weights[who] == 0) break;
            weights[who] = weight(random.below(100), random);
            registry.set_weight(ids[who], weights[who]);
        }
    }
    void change_conditions() {
        constexpr weir::condition kinds[] = {weir::condition::failed_check, weir::condition::ejected,
                                             weir::condition::draining, weir::condition::disabled};
        const std::size_t who = anybody();
        const auto one = kinds[who % 4];
        if (weights[who] == 0) {
            registry.clear(ids[who], one);
            weights[who] = up[who];
        } else if (eligible() > 1) {
            registry.set(ids[who], one);
            weights[who] = 0;
        }
        moved(who);
    }
    [[nodiscard]] std::vector<weir::backend_id> exclude_some() {
        std::vector<weir::backend_id> all;
        while (all.size() + 1 < eligible() && random.below(3) != 0) all.push_back(ids[anybody()]);
        return all;
    }
};

enum class phase { at_rest, members, conditions, exclusions };
constexpr const char* phase_names[] = {"at rest", "through membership changes", "through condition changes",
                                       "with exclusions"};

/// Of 10,000 equal ones about 50 each. Where a pick looks at all of them there is time for fewer: enough to miss half of
/// the backends, and at rest the light ones beside heavy ones, too.
std::uint64_t picks_among(std::size_t n, looks look, phase when) {
    if (n <= 100) return 40'000;
    if (look != looks::at_all) return weir_test::repetitions(500'000);
    return when == phase::at_rest ? 12'000 : 2'000;
}

std::string shares(const subject& s, std::size_t n, model::weight_of weight, phase when, std::uint64_t picks) {
    model m{n, weight};
    weir::generator clients{13};
    const any_selector<int> selector = s.make(m.registry);
    const std::uint64_t every = picks / 30 + 1;
    std::vector<std::uint64_t> counts;
    std::vector<weir::backend_id> excluded;
    double choosable = m.total();
    std::uint64_t since = 0;
    const auto settle = [&] {  // what the picks since the last change should have brought
        for (std::size_t i = 0; i < m.weights.size(); ++i)
            if (std::find(excluded.begin(), excluded.end(), m.ids[i]) == excluded.end())
                m.expected[i] += static_cast<double>(since) * m.weights[i] / choosable;
        since = 0;
    };
    for (std::uint64_t i = 0; i < picks; ++i) {
        if (i % every == every / 2 && when != phase::at_rest) {
            settle();
            if (when == phase::members) m.change_members();
            if (when == phase::conditions) m.change_conditions();
            if (when == phase::exclusions) excluded = m.exclude_some();
            if (s.warms) weir_test::manual_clock::advance(std::chrono::hours{1});
            choosable = 0;
            for (std::size_t k = 0; k < m.weights.size(); ++k)
                if (std::find(excluded.begin(), excluded.end(), m.ids[k]) == excluded.end()) choosable += m.weights[k];
        }
        weir::pick_options options{.exclude = excluded};
        if (s.by_address) options.key = clients.below(weir::nginx_ip_hash_table::values);
        const auto lease = selector.pick(options);
        if (!lease) return "nobody was chosen: " + std::string{to_string(lease.error())};
        const auto who = static_cast<std::size_t>(*lease);
        if (who >= counts.size()) counts.resize(who + 1);
        ++counts[who];
        ++since;
    }
    settle();
    counts.resize(m.expected.size());
    if (s.rotates && when != phase::exclusions)
        for (std::size_t i = 0; i < counts.size(); ++i)
            if (std::abs(static_cast<double>(counts[i]) - m.expected[i]) > m.leeway[i])
                return "backend " + std::to_string(i) + " has " + std::to_string(counts[i]) + ", in turn it has " +
                       std::to_string(m.expected[i]) + " +- " + std::to_string(m.leeway[i]);
    return weir_test::unfair(counts, std::span<const double>{m.expected});
}

void check(phase when) {
    struct pattern {
        const char* name;
        model::weight_of weight;
    };
    for (const subject& s : subjects)
        for (const pattern& p : {pattern{"equal", equal},
                                 {"1:2:3", one_two_three},
                                 {"1:1000", one_to_thousand},
                                 {"random", random_weight}}) {
            const bool even = p.weight == equal;
            if (s.only_equal && !even) continue;
            if (s.by_address && !even && p.weight != one_two_three) continue;  // more than it has values
            for (const std::size_t n : {1u, 2u, 3u, 10u, 100u, 10'000u}) {
                if (n > 100 && s.by_address) continue;
                if (n > 100 && p.weight == one_two_three && when != phase::at_rest) continue;  // as random ones
                // Where all are looked at, even and uneven have to do for the many.
                if (n > 100 && s.look == looks::at_all && !even && p.weight != one_to_thousand) continue;
                const bool once_round = s.look != looks::at_all || when == phase::at_rest;
                if (n > 100 && s.rotates && !once_round) continue;
                INFO(s.name << ", " << n << " backends, weights " << p.name << ", "
                            << phase_names[static_cast<int>(when)]);
                CHECK(shares(s, n, p.weight, when, picks_among(n, s.look, when)) == "");
            }
        }
}

}  // namespace

TEST_CASE("shares are the weights at rest") { check(phase::at_rest); }
TEST_CASE("shares are the weights through membership changes") { check(phase::members); }
TEST_CASE("shares are the weights through condition changes") { check(phase::conditions); }
TEST_CASE("shares are the weights among those that are not excluded") { check(phase::exclusions); }
