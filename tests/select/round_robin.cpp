#include <weir/select/round_robin.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/vectors.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <thread>
#include <utility>

using weir::pick_reason;

static_assert(std::same_as<weir::weighted_round_robin<int>, weir::round_robin<int>>);

namespace {

struct rotation {
    weir::registry<std::string> registry;
    std::vector<weir::backend_id> ids;
    weir::round_robin<std::string> next{registry, {.seed = 1}};

    explicit rotation(const std::vector<std::uint32_t>& weights) {
        registry.update([&](auto& change) {
            for (const auto w : weights) ids.push_back(change.add("b" + std::to_string(ids.size()), {.weight = w}));
        });
    }
    std::string picks(int n) {
        std::string all;
        for (int i = 0; i < n; ++i) all += (*next.pick()).back();
        return all;
    }
};

/// The upstream block of a case in nginx_smooth_wrr.json. A server that is "down" there is disabled here.
struct upstream {
    struct server {
        weir::backend_id id;
        std::uint32_t weight;
        std::uint32_t max_fails = 1;
        bool refuses = false;
    };
    weir::registry<int> registry;
    std::vector<server> servers;
    weir::round_robin<int> next{registry};

    explicit upstream(const std::string& line) {
        registry.update([&](auto& change) {
            for (const std::string& text : weir_test::split(weir_test::json_list(line, "servers"), ',')) {
                const auto number = [&](const std::string& name, unsigned long fallback) {
                    const auto at = text.find(name);
                    return at == std::string::npos ? fallback : std::stoul(text.substr(at + name.size()));
                };
                server s{.id = {}, .weight = static_cast<std::uint32_t>(number(" weight=", 1))};
                s.id = change.add(static_cast<int>(servers.size()), {.weight = s.weight});
                s.max_fails = static_cast<std::uint32_t>(number(" max_fails=", 1));
                s.refuses = text.find(":19900") != std::string::npos;
                if (text.find(" down") != std::string::npos) change.set(s.id, weir::condition::disabled);
                servers.push_back(s);
            }
        });
    }
};

}  // namespace

TEST_CASE("the order is nginx's, also with servers that are down") {
    int cases = 0;
    for (const std::string& line : weir_test::vector_cases("nginx_smooth_wrr.json", "case")) {
        const auto expected = weir_test::json_numbers(line, "sequence");
        if (expected.empty()) continue;
        INFO(line);
        upstream u{line};
        std::vector<double> ours;
        for (std::size_t i = 0; i < expected.size(); ++i) ours.push_back(*u.next.pick());
        CHECK(ours == expected);
        ++cases;
    }
    CHECK(cases == 15);
}

TEST_CASE("the order is nginx's, also where one refuses connections and health says so as nginx does") {
    // What nginx does in its rotation is said to weir in its own verbs: a failed try lowers the weight by weight /
    // max_fails, each request raises it by 1; max_fails failures are a condition; a server that this request has tried
    // is out while the request goes on.
    int cases = 0, apply = 0;
    for (const std::string& line : weir_test::vector_cases("nginx_smooth_wrr.json", "case")) {
        const std::size_t tried = line.find("\"tried\": ");
        if (tried == std::string::npos) continue;
        ++cases;
        // A try that leaves the server in the rotation, beside two others: nginx keeps the others' credits as numbers
        // while it is out, weir as picks, so they are another part of a turn when it is back. Its order from then on is
        // another one, with the same shares.
        if (line.find("rr_refused_w_3_2_1_second_maxfails3") != std::string::npos) continue;
        ++apply;
        INFO(line);
        upstream u{line};
        auto& bad = *std::find_if(u.servers.begin(), u.servers.end(), [](const auto& s) { return s.refuses; });
        std::uint32_t weight = bad.weight, fails = 0;
        std::string ours;
        for (int request = 0; request < 44; ++request) {
            ours += request == 0 ? "[[" : ", [";
            int picked = *u.next.pick();
            if (weight < bad.weight) u.registry.set_weight(bad.id, ++weight);
            if (u.servers[static_cast<std::size_t>(picked)].refuses) {
                ours += std::to_string(picked) + ", ";
                ++fails;
                if (bad.max_fails > 0) weight -= std::min(weight, bad.weight / bad.max_fails);
                u.registry.update([&](auto& change) {
                    change.set(bad.id, weir::condition::unreachable);
                    change.set_weight(bad.id, weight);
                });
                picked = *u.next.pick();
                if (bad.max_fails == 0 || fails < bad.max_fails) u.registry.clear(bad.id, weir::condition::unreachable);
            }
            ours += std::to_string(picked) + "]";
        }
        const std::size_t begin = tried + 9, end = line.find("]]", begin);
        const std::string expected = line.substr(begin, end - begin);
        CHECK(ours.substr(0, expected.size()) == expected);
        CHECK(expected.size() > 100);
    }
    CHECK(cases == 4);
    CHECK(apply == 3);
}

TEST_CASE("5, 1, 1 gives a a b a c a a") {
    rotation r{{5, 1, 1}};
    CHECK(r.picks(14) == "00102000010200");
}

TEST_CASE(
    "a rotation of equals goes on after the last one picked: whoever is next has its turn, though others come and go") {
    rotation r{{1, 1, 1, 1}};
    CHECK(r.picks(2) == "01");
    r.registry.set(r.ids[0], weir::condition::draining);
    CHECK(r.picks(1) == "2");
    r.registry.clear(r.ids[0], weir::condition::draining);
    CHECK(r.picks(3) == "301");
    r.registry.remove(r.ids[2]);
    CHECK(r.picks(2) == "30");
    const auto fresh = r.registry.add("b9");
    CHECK(fresh.slot == r.ids[2].slot);
    CHECK(r.picks(4) == "1930");
    // Also through nobody at all.
    const auto everybody = r.registry.members();
    r.registry.update([&](auto& change) {
        for (const auto& m : everybody) change.set(m.id, weir::condition::failed_check);
    });
    CHECK(r.next.pick().error() == weir::pick_error::none_eligible);
    r.registry.update([&](auto& change) {
        for (const auto& m : everybody) change.clear(m.id, weir::condition::failed_check);
    });
    CHECK(r.picks(4) == "1930");
}

TEST_CASE("an update after every pick disturbs no rotation, equal or weighted") {
    rotation equal{{1, 1, 1}}, weighted{{5, 1, 1}};
    std::string picked, weighted_picked;
    for (int i = 0; i < 21; ++i) {
        picked += equal.picks(1);
        weighted_picked += weighted.picks(1);
        for (auto* r : {&equal, &weighted}) {
            const auto bystander = r->registry.add("bystander", {.weight = 0});
            r->registry.remove(bystander);
        }
    }
    CHECK(picked == "012012012012012012012");
    CHECK(weighted_picked == "001020000102000010200");
}

TEST_CASE("a newcomer to a weighted rotation starts with nothing owed: neither flooded nor starved") {
    rotation r{{3, 2, 2}};
    r.picks(4);
    r.registry.add("n", {.weight = 2});
    // Its share of any run from now on is 2 / 9 of it, within two picks.
    std::string all;
    for (int i = 1; i <= 90; ++i) {
        all += r.picks(1);
        const auto got = static_cast<double>(std::count(all.begin(), all.end(), 'n'));
        CHECK(std::abs(got - i * 2 / 9.0) < 2);
    }
    CHECK(std::count(all.begin(), all.end(), 'n') == 20);
}

TEST_CASE("of many equals each has its turn, in the order of slots, whoever goes, is out or comes back in between") {
    for (const int n : {10, 511, 512, 700}) {
        rotation r{std::vector<std::uint32_t>(static_cast<std::size_t>(n), 1)};
        const weir::round_robin<std::string> next{r.registry};  // without a seed: nothing but the usual path
        CAPTURE(n);
        // One turn each of those that are eligible, ascending, from wherever the rotation stands.
        const auto in_order = [&] {
            std::vector<std::uint32_t> expected, seen;
            for (const auto& m : r.registry.members())
                if (m.eligible) expected.push_back(m.id.slot);
            std::sort(expected.begin(), expected.end());
            for (std::size_t i = 0; i < expected.size(); ++i)  // leases and `choose` take turns
                if (i % 2 == 0)
                    seen.push_back(next.pick().id().slot);
                else
                    next.choose([&](const std::string& name) { seen.push_back(r.registry.find(name)->slot); });
            std::rotate(seen.begin(), std::min_element(seen.begin(), seen.end()), seen.end());
            return seen == expected;
        };
        const auto id = [&](int i) { return r.ids[static_cast<std::size_t>(i)]; };
        CHECK(in_order());
        CHECK(in_order());
        r.registry.remove(id(3));
        CHECK(in_order());
        r.registry.set(id(n - 1), weir::condition::draining);
        r.registry.set(id(0), weir::condition::draining);
        CHECK(in_order());
        r.registry.clear(id(0), weir::condition::draining);
        r.registry.clear(id(n - 1), weir::condition::draining);
        CHECK(in_order());
        r.registry.add("late");
        CHECK(in_order());
        r.registry.add("later");
        CHECK(in_order());
        r.registry.remove(id(0));
        CHECK(in_order());
    }
}

TEST_CASE("with weights, too, leases and `choose` take the turns of one sequence") {
    for (const std::vector<std::uint32_t>& weights :
         {std::vector<std::uint32_t>{5, 1, 1}, std::vector<std::uint32_t>(600, 3),
          std::vector<std::uint32_t>{70'000, 1, 65'537}}) {
        rotation r{weights};
        r.registry.set_weight(r.ids[1], 2);  // an update: what is owed, and the opening of long cycles
        const weir::round_robin<std::string> leases{r.registry}, both{r.registry};
        int wrong = 0;
        for (int i = 0; i < 3'000; ++i) {
            if (i == 1'000) r.registry.set_weight(r.ids[0], 4);
            const std::string expected = *leases.pick();
            if (i % 3 == 0)
                wrong += *both.pick() == expected ? 0 : 1;
            else
                both.choose([&](const std::string& name) { wrong += name == expected ? 0 : 1; });
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("what one that leaves was owed does not come back with its slot") {
    rotation r{{100, 100, 1}};
    r.picks(99);  // the light one is owed half a pick
    r.registry.remove(r.ids[2]);
    const auto fresh = r.registry.add("n", {.weight = 1});
    REQUIRE(fresh.slot == r.ids[2].slot);
    const auto all = r.picks(201);
    CHECK(std::abs(std::count(all.begin(), all.end(), 'n') - 1) <= 1);
}

namespace {

/// How many picks anybody can be off after so many of a long cycle, which are multiples of the golden ratio. They are made
/// of runs of Fibonacci numbers F of them, as few as there can be. In each run the points lie one by one beside those of an
/// even grid, all to the same side and by less than a step 1 / F, so that an interval has less than one more or less than
/// its share of the grid, and one at each end that came in or went out: 2 off at most.
double most_off(int picks) {
    int runs = 0;
    while (picks > 0) {
        int run = 1, next = 2;
        while (next <= picks) run = std::exchange(next, run + next);
        picks -= run;
        ++runs;
    }
    return 2 * runs;
}

}  // namespace

TEST_CASE("cycles too long to be written out are off by a few picks at most, at any time") {
    const std::vector<std::uint32_t> weights{1'000'003, 1, 777'777, 65'537, 0, 250'001};
    rotation r{weights};
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    std::vector<std::uint64_t> counts(weights.size());
    double worst_relative = 0;
    for (int i = 1; i <= 200'000; ++i) {
        ++counts[r.next.pick().id().slot];
        if (i % 100 != 0) continue;
        for (std::size_t k = 0; k < weights.size(); ++k)
            worst_relative = std::max(
                worst_relative, std::abs(static_cast<double>(counts[k]) - i * (weights[k] / total)) / most_off(i));
    }
    CHECK(worst_relative <= 1);
    CHECK(counts[4] == 0);
    // Interleaved: it is no cycle of blocks. Of the heaviest, with 48 %, no ten in a row.
    int run = 0, longest = 0;
    for (int i = 0; i < 10'000; ++i) {
        run = r.next.pick().id().slot == 0 ? run + 1 : 0;
        longest = std::max(longest, run);
    }
    CHECK(longest < 10);
}

TEST_CASE("hardening 10: long cycles, too, keep their shares through updates") {
    rotation r{{1'000'003, 9'999'991}};
    const auto bystander = r.registry.add("x", {.weight = 0});
    std::uint64_t light = 0;
    for (int i = 0; i < 20'000; ++i) {
        if (i % 10 == 0)
            i % 20 == 0 ? r.registry.set(bystander, weir::condition::draining)
                        : r.registry.clear(bystander, weir::condition::draining);
        light += r.next.pick().id() == r.ids[0] ? 1 : 0;
    }
    CHECK(std::abs(static_cast<double>(light) - 20'000 * (1'000'003 / 10'999'994.0)) <= most_off(20'000));
}

TEST_CASE("an excluded one's turn is drawn by weight, not given to its neighbour") {
    rotation r{{1, 1, 1, 1}};
    const weir::backend_id exclude[] = {r.ids[1]};
    std::vector<std::uint64_t> counts(4);
    for (int i = 0; i < 40'000; ++i) {
        const auto lease = r.next.pick({.exclude = exclude});
        if (i % 4 == 1) {
            CHECK(lease.reason() != pick_reason::chosen);
            ++counts[lease.id().slot];
        } else {
            REQUIRE(lease.id() == r.ids[static_cast<std::size_t>(i % 4)]);
        }
    }
    CHECK(weir_test::unfair(counts, std::vector<std::uint32_t>{1, 0, 1, 1}) == "");
}

TEST_CASE("copies share one rotation, and two selectors have one each") {
    rotation r{{1, 1, 1}};
    const auto copy = r.next;
    CHECK(*r.next.pick() == "b0");
    CHECK(*copy.pick() == "b1");
    CHECK(*r.next.pick() == "b2");
    const weir::round_robin other{r.registry};
    CHECK(*other.pick() == "b0");
    CHECK(*r.next.pick() == "b0");
}

TEST_CASE("a rotation is exact across threads", "[threads]") {
    rotation r{{3, 2, 1}};
    std::vector<std::uint64_t> mine(3), others(3);
    const auto work = [&](std::vector<std::uint64_t>& counts) {
        for (int i = 0; i < 60'000; ++i) ++counts[r.next.pick().id().slot];
    };
    std::thread other{work, std::ref(others)};
    work(mine);
    other.join();
    for (std::size_t i = 0; i < 3; ++i) CHECK(mine[i] + others[i] == 20'000 * (3 - i));
}

TEST_CASE("from different weights to equal ones and back nobody loses a turn") {
    rotation r{{2, 1, 1}};
    std::vector<double> owed(3);
    std::vector<std::uint32_t> weights{2, 1, 1};
    double worst = 0;
    for (int i = 0; i < 3000; ++i) {
        if (i % 7 == 0) {
            weights[0] = weights[0] == 2 ? 1 : 2;
            r.registry.set_weight(r.ids[0], weights[0]);
        }
        const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
        for (std::size_t k = 0; k < 3; ++k) owed[k] += weights[k] / total;
        owed[r.next.pick().id().slot] -= 1;
        for (const double one : owed) worst = std::max(worst, std::abs(one));
    }
    CHECK(worst <= 2);
}

TEST_CASE("an update that concerns no turn changes no turn, in the lead-in as in the cycle") {
    // Each of these would be rounded a little if credits were handed on: 2,000 times, and nothing moves.
    for (const std::vector<std::uint32_t>& weights : {std::vector<std::uint32_t>{7, 3, 2}, {1, 1, 1}, {70'001, 3, 2}}) {
        rotation disturbed{weights}, left_alone{weights};
        for (auto* r : {&disturbed, &left_alone}) {
            r->picks(3);
            r->registry.set_weight(r->ids[1], 5);  // a lead-in follows
        }
        const auto bystander = disturbed.registry.add("x", {.weight = 0});
        for (int i = 0; i < 2000; ++i) {
            switch (i % 4) {
            case 0: disturbed.registry.set(disturbed.ids[0], weir::condition::degraded); break;
            case 1: disturbed.registry.set(bystander, weir::condition::draining); break;
            case 2: disturbed.registry.clear(disturbed.ids[0], weir::condition::degraded); break;
            default: disturbed.registry.clear(bystander, weir::condition::draining);
            }
            REQUIRE(disturbed.picks(1) == left_alone.picks(1));
        }
    }
}

TEST_CASE("hardening 7: an idempotent update publishes nothing") {
    rotation r{{3, 2, 1}};
    r.registry.set(r.ids[1], weir::condition::degraded);
    const auto version = [&] { return r.registry.hub()->seen()->version(); };
    const auto before = version();
    r.picks(2);
    r.registry.set(r.ids[1], weir::condition::degraded);
    r.registry.clear(r.ids[1], weir::condition::ejected);
    r.registry.set_weight(r.ids[0], 3);
    std::vector<std::pair<std::string, weir::backend_options>> same;
    for (const auto& m : r.registry.members()) same.emplace_back(m.identity, weir::backend_options{.weight = m.weight});
    r.registry.assign(same);
    r.registry.update([](auto&) {});
    CHECK(version() == before);
    CHECK(r.picks(4) == "0210");
}

TEST_CASE("hardening 10: 99:1 stays 99:1 when each update changes a weight, whether cycles are short, long or both") {
    constexpr std::uint32_t unit = 1'000'003;
    for (const std::uint32_t heavy : {99u, 9'900u, 99 * unit}) {
        const std::uint32_t light = heavy / 99;
        for (const std::uint32_t wobble : {0u, 1u}) {
            if (heavy == 99 && wobble == 0) continue;  // 99:1 +- 0 is no change
            for (const int every : {1, 3, 10, 1000}) {
                INFO(heavy << " +- " << wobble << ", an update every " << every << " picks");
                rotation r{{heavy, light}};
                const auto bystander = r.registry.add("x", {.weight = 0});
                int rare = 0;
                for (int i = 0; i < 20'000; ++i) {
                    if (i % every == 0) {
                        const bool odd = i / every % 2 != 0;
                        r.registry.set_weight(r.ids[0], heavy + (odd ? wobble : 0));
                        odd ? r.registry.set(bystander, weir::condition::draining)
                            : r.registry.clear(bystander, weir::condition::draining);
                    }
                    rare += r.next.pick().id() == r.ids[1] ? 1 : 0;
                }
                const double share = light / (heavy + light + wobble / 2.0);
                CHECK(std::abs(rare - 20'000 * share) <= 4);
            }
        }
    }
}

TEST_CASE("long cycles keep what each is owed: nobody loses or wins by updates, however many", "[threads]") {
    weir::generator random{9};
    std::vector<std::uint32_t> weights;
    for (int i = 0; i < 8; ++i) weights.push_back(1'000'003 + static_cast<std::uint32_t>(random.below(9'000'000)));
    rotation r{weights};
    std::vector<double> owed(weights.size());
    double worst = 0;
    for (int i = 0; i < 20'000; ++i) {
        if (random.below(5) == 0) {
            const auto at = random.below(weights.size());
            // Now and then a weight that makes the cycle short.
            weights.at(at) = 1'000'003 * static_cast<std::uint32_t>(1 + random.below(9)) +
                             static_cast<std::uint32_t>(random.below(2));
            r.registry.set_weight(r.ids[at], weights[at]);
        }
        const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
        for (std::size_t k = 0; k < weights.size(); ++k) owed[k] += weights[k] / total;
        owed[r.next.pick().id().slot] -= 1;
        for (const double one : owed) worst = std::max(worst, std::abs(one));
    }
    CHECK(worst <= 3);
}

// ---- A cursor for each thread ---------------------------------------------------------------------------------------

namespace {

using per_thread = weir::round_robin<int, weir::per_thread_cursor>;

std::vector<weir::backend_id> fill(weir::registry<int>& r, const std::vector<std::uint32_t>& weights) {
    std::vector<weir::backend_id> ids;
    r.update([&](auto& change) {
        for (const auto w : weights) ids.push_back(change.add(static_cast<int>(ids.size()), {.weight = w}));
    });
    return ids;
}

/// Runs `work(k)` in `threads` threads that all live until the last has begun, so that each has a slot of its own.
template <class Work>
void together(int threads, const Work& work) {
    std::atomic<int> begun{0};
    std::vector<std::thread> all;
    for (int k = 0; k < threads; ++k)
        all.emplace_back([&, k] {
            work(k, 0);
            if (begun.fetch_add(1) + 1 == threads) begun.notify_all();
            for (int now = begun.load(); now < threads; now = begun.load()) begun.wait(now);
            work(k, 1);
        });
    for (auto& t : all) t.join();
}

}  // namespace

TEST_CASE("per thread: each thread's own sequence is nginx's, begun somewhere in the cycle", "[threads]") {
    weir::registry<int> r;
    fill(r, {5, 1, 1});
    const per_thread next{r};
    std::vector<std::string> sequences(4);
    together(4, [&](int k, int) {
        for (int i = 0; i < 7; ++i) sequences[static_cast<std::size_t>(k)] += std::to_string(*next.pick());
    });
    const std::string twice = "0010200"
                              "0010200";
    for (const auto& own : sequences) {
        CHECK(own.substr(0, 7) == own.substr(7));
        CHECK((twice + twice).find(own) != std::string::npos);
    }
}

TEST_CASE("per thread: threads begin at different places, so together they are even from the first pick on",
          "[threads]") {
    weir::registry<int> r;
    constexpr int n = 100, threads = 8;
    fill(r, std::vector<std::uint32_t>(n, 1));
    const per_thread next{r};
    std::vector<int> first(threads);
    together(threads, [&](int k, int round) {
        if (round == 0) first[static_cast<std::size_t>(k)] = *next.pick();
    });
    std::sort(first.begin(), first.end());
    // Multiples of the golden ratio are never closer than 1 / (count sqrt 5), less the rounding to whole backends.
    for (std::size_t k = 1; k < first.size(); ++k) CHECK(first[k] - first[k - 1] >= n / (threads * 2.24 * 2) - 1);
}

TEST_CASE("per thread: over all threads nobody is further from the mean than a pick a thread", "[threads]") {
    for (const auto& weights : {std::vector<std::uint32_t>(50, 1), std::vector<std::uint32_t>{1, 2, 3, 40}}) {
        weir::registry<int> r;
        fill(r, weights);
        const per_thread next{r};
        constexpr int threads = 6, picks = 1237;
        std::vector<std::atomic<std::int64_t>> counts(weights.size());
        together(threads, [&](int, int round) {
            for (int i = 0; i < (round == 0 ? 1 : picks - 1); ++i)
                counts[static_cast<std::size_t>(*next.pick())].fetch_add(1);
        });
        const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
        for (std::size_t i = 0; i < weights.size(); ++i)
            CHECK(std::abs(static_cast<double>(counts[i]) - threads * picks * (weights[i] / total)) <= threads);
    }
}

TEST_CASE("per thread: a thread's place and credits survive what happens between its picks", "[threads]") {
    weir::registry<int> r;
    std::vector<std::uint32_t> weights{3, 2, 1, 7};
    const auto ids = fill(r, weights);
    const per_thread next{r};
    weir::generator random{5};
    std::vector<std::vector<double>> owed(3, std::vector<double>(4));
    double worst = 0;
    // Turn about, so that the order is known: each thread picks when its number comes up, and the first also updates.
    std::atomic<int> turn{0};
    constexpr int turns = 9'000;
    const auto run = [&](int k) {
        for (int t = turn.load(); t < turns; t = turn.load()) {
            if (t % 3 != k) {
                turn.wait(t);
                continue;
            }
            if (random.below(4) == 0) {
                const auto at = random.below(4);
                weights[at] = 1 + static_cast<std::uint32_t>(random.below(9));
                r.set_weight(ids[at], weights[at]);
            }
            const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
            auto& mine = owed[static_cast<std::size_t>(k)];
            for (std::size_t i = 0; i < 4; ++i) mine[i] += weights[i] / total;
            mine[next.pick().id().slot] -= 1;
            for (const double one : mine) worst = std::max(worst, std::abs(one));
            turn.store(t + 1);
            turn.notify_all();
        }
    };
    std::thread second{run, 1}, third{run, 2};
    run(0);
    second.join();
    third.join();
    CHECK(worst <= 2);
}

TEST_CASE("per thread: picks inside a pick, and threads beyond the 64th, share a cursor and lose no turn",
          "[threads]") {
    weir::registry<int> r;
    fill(r, {1, 1, 1});
    const per_thread next{r};
    std::vector<int> inner(3);
    for (int i = 0; i < 30; ++i)
        next.choose([&](int&) { next.choose([&](int& chosen) { ++inner[static_cast<std::size_t>(chosen)]; }); });
    CHECK(inner == std::vector<int>{10, 10, 10});

    std::vector<std::atomic<int>> counts(3);
    together(80, [&](int, int round) {
        for (int i = 0; i < (round == 0 ? 1 : 29); ++i) counts[static_cast<std::size_t>(*next.pick())].fetch_add(1);
    });
    // 64 threads of their own (this one is one of them) and the shared cursor: each may be a pick off.
    for (const auto& count : counts) CHECK(std::abs(count.load() - 800) <= 64);
}
