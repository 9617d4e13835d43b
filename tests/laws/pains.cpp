#include "laws.hpp"

#include <weir/select/round_robin.hpp>

#include <atomic>
#include <cmath>

// What hurts the users of other balancers, each with a test of its name: the first six, for every selector that they
// could concern.

using namespace weir_test;
using namespace weir_test::law;

namespace {

std::string shares_after_updates(const subject& entry, std::uint64_t every) {
    pool p{{97, 2, 1}};
    const auto selector = entry.make(p.registry, 1);
    const auto bystander = p.registry.add("bystander", {.weight = 0});
    std::vector<std::uint64_t> counts(3);
    const std::uint64_t picks = entry.is == kind::keyed || entry.is == kind::dialect ? 1'500 : 12'000;
    for (std::uint64_t i = 0; i < picks; ++i) {
        if (i % every == 0)
            i / every % 2 == 0 ? p.registry.set(bystander, weir::condition::draining)
                               : p.registry.clear(bystander, weir::condition::draining);
        ++counts[p.index(selector.pick(entry.nth(i)).id())];
    }
    return unfair(counts, weights{97, 2, 1}, entry.spread(picks, 100));
}

/// Leases on one backend, whatever the selector would choose.
std::vector<weir::lease<std::string>> occupy(const any_selector<std::string>& selector, const pool& p,
                                             std::size_t which, std::size_t leases) {
    std::vector<weir::backend_id> others = p.ids;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(which));
    std::vector<weir::lease<std::string>> held;
    while (held.size() < leases) {
        held.push_back(selector.pick({.exclude = others}));
        REQUIRE(held.back().id() == p.ids[which]);
    }
    return held;
}

/// The longest run that draws with the probability p make in n: a longer one has a probability below one in a billion.
double longest_run(double n, double p) { return std::log(1e9 * n) / -std::log(p); }

/// The last has half of the traffic: in blocks it would come ten times in a row.
const weights one_is_half{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 10};

}  // namespace

TEST_CASE("pain 1, first-pick bias: an update after every pick starves nobody") {
    each([](const subject& entry) {
        if (entry.is == kind::own_rule) return;
        for (const std::uint64_t every : {1u, 2u, 7u}) CHECK(shares_after_updates(entry, every) == "");
    });
}

TEST_CASE("pain 1, first-pick bias: whoever starts many selectors does not start them all at one backend",
          "[threads]") {
    each(
        [](const subject& entry) {
            std::vector<std::uint64_t> counts(4);
            pool p{weights(4, 1)};
            for (std::uint64_t i = 0; i < 2'000; ++i) ++counts[p.index(entry.make(p.registry, i).pick().id())];
            CHECK(unfair(counts, weights(4, 1)) == "");
        },
        kind::draw);
    // Rotations of one process share a cursor for that, or have one for each thread, begun at different places.
    pool p{weights(64, 1)};
    const weir::round_robin<std::string, weir::per_thread_cursor> next{p.registry};
    std::atomic<int> begun{0};
    std::vector<std::size_t> first(4);
    std::vector<std::thread> threads;
    for (auto& mine : first)
        threads.emplace_back([&] {
            mine = p.index(next.pick().id());
            if (begun.fetch_add(1) + 1 == 4) begun.notify_all();
            for (int now = begun.load(); now < 4; now = begun.load()) begun.wait(now);
        });
    for (auto& t : threads) t.join();
    CHECK(std::set<std::size_t>(first.begin(), first.end()).size() == 4);
}

TEST_CASE("pain 2, one backend drawn twice: a hung one is never chosen again while another is idle") {
    each(
        [](const subject& entry) {
            for (const std::size_t n : {2u, 3u, 10u}) {
                pool p{weights(n, 1)};
                const auto selector = entry.make(p.registry, 1);
                const auto hung = occupy(selector, p, n / 2, 5);
                int again = 0;
                for (std::uint64_t i = 0; i < 3'000; ++i)
                    again += selector.pick(entry.nth(i)).id() == p.ids[n / 2] ? 1 : 0;
                CHECK(again == 0);
            }
        },
        kind::load_aware);
}

TEST_CASE("pain 3, bursts: a heavy backend's turns are spread among the others'") {
    each(
        [](const subject& entry) {
            pool p{one_is_half};
            const auto selector = entry.make(p.registry, 1);
            int run = 0, longest = 0;
            for (int i = 0; i < 5'000; ++i) {
                run = selector.pick().id() == p.ids[10] ? run + 1 : 0;
                longest = std::max(longest, run);
            }
            CHECK(longest <= 2);
        },
        kind::rotation);
    // By load: with as many in flight as weights, the heavy one is full when it has had its half.
    each(
        [](const subject& entry) {
            pool p{one_is_half};
            const auto selector = entry.make(p.registry, 1);
            std::deque<weir::lease<std::string>> held;
            int run = 0, longest = 0;
            constexpr int picks = 5'000;
            for (int i = 0; i < picks; ++i) {
                held.push_back(selector.pick());
                run = held.back().id() == p.ids[10] ? run + 1 : 0;
                longest = std::max(longest, run);
                if (held.size() > 20) held.pop_front();
            }
            CHECK(longest <= longest_run(picks, 0.5));
        },
        kind::load_aware);
}

TEST_CASE(
    "pain 4, skew between workers: a shared rotation is exact over all threads, one for each within a pick a thread",
    "[threads]") {
    constexpr std::size_t threads = 4, n = 7;
    constexpr std::uint64_t picks = 7'001;  // of each; not a multiple of n
    each(
        [](const subject& entry) {
            if (entry.name.starts_with("adapted")) return;  // whoever is full is passed over, which is its business
            pool p{weights(n, 1)};
            const auto selector = entry.make(p.registry, 1);
            std::vector<std::vector<std::int64_t>> counts(threads, std::vector<std::int64_t>(n));
            std::vector<std::thread> workers;
            for (auto& mine : counts)
                workers.emplace_back([&] {
                    for (std::uint64_t i = 0; i < picks; ++i) ++mine[p.index(selector.pick().id())];
                });
            for (auto& t : workers) t.join();
            std::vector<std::int64_t> sums(n);
            for (const auto& mine : counts)
                for (std::size_t i = 0; i < n; ++i) sums[i] += mine[i];
            const auto [least, most] = std::minmax_element(sums.begin(), sums.end());
            const bool shared = entry.name.find("per_thread") == std::string::npos;
            CHECK(*most - *least <= (shared ? 1 : static_cast<std::int64_t>(threads)));
        },
        kind::rotation);
}

TEST_CASE("pain 5, the last backend got nothing: neither the last, nor the newest, nor the heaviest is forgotten") {
    each([](const subject& entry) {
        if (entry.is == kind::own_rule) return;
        for (const std::size_t n : {2u, 3u, 5u, 17u}) {
            weights w(n, 1);
            w.back() = 3;
            const std::uint64_t sets = entry.is == kind::keyed ? 20 : 1;  // of identities
            const std::uint64_t picks = 4'000 / sets;
            std::vector<std::uint64_t> counts(n + 1);
            for (std::uint64_t s = 0; s < sets; ++s) {
                pool p{w, "set" + std::to_string(s) + '-'};
                const auto selector = entry.make(p.registry, 1);
                // The newest comes into the hole of another.
                p.registry.remove(p.ids[0]);
                p.ids.push_back(p.registry.add("newest of set " + std::to_string(s)));
                weir_test::manual_clock::advance(std::chrono::hours{1});  // and has warmed up
                for (std::uint64_t i = 0; i < picks; ++i)
                    ++counts[p.index(selector.pick(entry.nth(s * picks + i)).id())];
            }
            w[0] = 0;
            w.push_back(1);
            CHECK(unfair(counts, w, entry.spread(picks, n + 2)) == "");
            CHECK(counts[n - 1] > 0);
            CHECK(counts[n] > 0);
        }
    });
}

TEST_CASE("pain 6, state lost on reload: the same list in another order changes nothing that was learnt") {
    each([](const subject& entry) {
        pool reloaded{{1, 2, 3, 2}}, left_alone{{1, 2, 3, 2}};
        const auto selector = entry.make(reloaded.registry, 5), undisturbed = entry.make(left_alone.registry, 5);
        std::vector<std::pair<std::string, weir::backend_options>> list;
        for (const auto& m : reloaded.registry.members())
            list.emplace_back(m.identity, weir::backend_options{.weight = m.weight});
        std::deque<weir::lease<std::string>> held, same;
        weir::generator random{3};
        int different = 0;
        for (std::uint64_t i = 0; i < 600; ++i) {
            std::shuffle(list.begin(), list.end(), random);
            CHECK(reloaded.registry.assign(list).added.empty());
            if (i % 9 == 0) {  // a list that says something new: one more that takes no traffic yet
                auto longer = list;
                longer.emplace_back("new " + std::to_string(i), weir::backend_options{.weight = 0});
                reloaded.registry.assign(longer);
            }
            held.push_back(selector.pick(entry.nth(i)));
            same.push_back(undisturbed.pick(entry.nth(i)));
            different += held.back().id().slot != same.back().id().slot ? 1 : 0;
            if (held.size() > 7) {
                held.front().complete(weir::outcome::success, std::chrono::milliseconds{1 + held.front().id().slot});
                same.front().complete(weir::outcome::success, std::chrono::milliseconds{1 + same.front().id().slot});
                held.pop_front();
                same.pop_front();
            }
        }
        CHECK(different == 0);
    });
}
