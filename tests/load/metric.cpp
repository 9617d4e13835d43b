#include <weir/load/metric.hpp>

#include "catch.hpp"
#include "support/manual_clock.hpp"

#include <weir/registry.hpp>
#include <weir/select/least_load.hpp>
#include <weir/select/round_robin.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace {

namespace exemplar {
using namespace weir;
// As the header has it, word for word: tests/docs.cmake compares them.
// clang-format off
struct failures_seen {
    static constexpr bool timed = false;                      // true: leases read the clock
    struct pool {};
    struct state { std::atomic<std::uint32_t> failures{0}; };
    void join(pool&, state&) const noexcept {}                // became eligible
    void leave(pool&, state&) const noexcept {}               // is not any more
    void on_end(pool&, state& s, outcome how, std::chrono::nanoseconds, std::chrono::nanoseconds) const noexcept {
        if (how == outcome::failure) ++s.failures;            // ... latency (< 0: unknown), now
    }
    double score(const pool&, const state& s, const load_reading& r) const noexcept {
        return r.in_flight + s.failures;
    }
    bool operator==(const failures_seen&) const = default;    // equal metrics of a registry share their state
};
// clang-format on
}  // namespace exemplar
static_assert(weir::stateful_metric<exemplar::failures_seen>);

/// Counts its members, which join and leave in pairs.
struct census {
    static constexpr bool timed = false;
    struct pool {
        std::atomic<int> members{0};
    };
    struct state {};
    void join(pool& p, state&) const noexcept { ++p.members; }
    void leave(pool& p, state&) const noexcept { --p.members; }
    void on_end(pool&, state&, weir::outcome, std::chrono::nanoseconds, std::chrono::nanoseconds) const noexcept {}
    [[nodiscard]] int score(const pool& p, const state&, const weir::load_reading&) const noexcept { return p.members; }
    bool operator==(const census&) const = default;
};
static_assert(weir::stateful_metric<census>);

}  // namespace

TEST_CASE("the exemplar avoids whoever has failed") {
    weir::registry<int> r;
    r.add(1);
    r.add(2);
    const weir::least_load balancer{r, exemplar::failures_seen{}};
    auto failed = balancer.pick();
    const int bad = *failed;
    failed.complete(weir::outcome::failure);
    for (int i = 0; i < 20; ++i) {
        auto lease = balancer.pick();
        CHECK(*lease != bad);
        lease.complete(weir::outcome::success);
    }
}

namespace {

/// A state of any size and alignment, which counts those of its kind and sees whether it lies right.
template <std::size_t Size, std::size_t Alignment>
struct placed {
    static constexpr bool timed = false;
    struct pool {};
    struct alignas(Alignment) state {
        static inline int living = 0, misplaced = 0;
        std::byte bytes[Size]{};
        state() {
            ++living;
            misplaced += reinterpret_cast<std::uintptr_t>(this) % Alignment == 0 ? 0 : 1;
            for (auto& b : bytes) b = std::byte{0xa5};
        }
        state(const state&) = delete;
        state& operator=(const state&) = delete;
        ~state() { --living; }
    };
    void join(pool&, state&) const noexcept {}
    void leave(pool&, state&) const noexcept {}
    void on_end(pool&, state& s, weir::outcome, std::chrono::nanoseconds, std::chrono::nanoseconds) const noexcept {
        for (auto& b : s.bytes) b = b == std::byte{0xa5} ? std::byte{0x5a} : std::byte{0xa5};
    }
    [[nodiscard]] int score(const pool&, const state& s, const weir::load_reading&) const noexcept {
        int other = 0;
        for (const auto b : s.bytes) other += b != s.bytes[0] ? 1 : 0;
        return other;
    }
    bool operator==(const placed&) const = default;
};

/// How many states are not as they should be, while a registry has them and after it.
template <class Metric>
int faults() {
    using state = typename Metric::state;
    int count = 0;
    {
        weir::registry<int> r;
        for (int i = 0; i < 5; ++i) r.add(int{i});
        const weir::least_load balancer{r, Metric{}};
        count += state::living == 5 ? 0 : 1;
        for (int i = 0; i < 20; ++i) {
            auto lease = balancer.pick();
            lease.complete(weir::outcome::success);
        }
        balancer.inspect([&](const weir::view& v, const auto&) {
            for (std::uint32_t i = 0; i < v.slots(); ++i) {
                using cell = typename weir::detail::metric_pool_of<Metric>::cell;
                const auto* const first = v.record(i).metrics().load();
                count += Metric{}.score({}, const_cast<cell*>(static_cast<const cell*>(first))->state(), {});
                count += first->alone && first->next == nullptr && first->watch == nullptr ? 0 : 1;
            }
        });
    }
    return count + state::living + state::misplaced;
}

}  // namespace

TEST_CASE("a metric's state lies where it fits, is aligned as it asks for, and goes with its backend") {
    CHECK(faults<placed<1, 1>>() == 0);
    CHECK(faults<placed<40, 8>>() == 0);
    CHECK(faults<placed<41, 1>>() == 0);
    CHECK(faults<placed<16, 16>>() == 0);
    CHECK(faults<placed<64, 64>>() == 0);
    CHECK(faults<placed<300, 128>>() == 0);
    using weir::detail::cache_line;
    using weir::detail::metric_pool_of;
    STATIC_REQUIRE(sizeof(metric_pool_of<placed<40, 8>>::cell) == 2 * cache_line);
    STATIC_REQUIRE(sizeof(metric_pool_of<placed<41, 1>>::cell) == 3 * cache_line);
}

TEST_CASE("weights divide scores of any type without overflow") {
    using weir::detail::lighter;
    CHECK(lighter(std::uint32_t{1}, 1u << 31, std::uint32_t{1}, 1u));
    CHECK(lighter(std::uint64_t{1} << 63, 4'000'000'000u, std::uint64_t{1} << 63, 3'999'999'999u));
    CHECK_FALSE(lighter(std::uint64_t{1} << 63, 3u, std::uint64_t{1} << 62, 3u));
    CHECK(lighter(std::int64_t{5'000'000'000}, 4'000'000'000u, std::int64_t{5'000'000'001}, 4'000'000'000u));
    CHECK(lighter(1.5, 2u, 1.0, 1u));
    CHECK_FALSE(lighter(0u, 1u, 0u, 2u));  // a tie
}

namespace {
/// Tells what the census says, whenever it is asked to choose.
struct asks_the_census {
    std::atomic<int>* answer;
    struct table {
        weir::metric_reader<census>::table states;
    };
    struct state {
        state(const asks_the_census&, weir::metric_set& metrics) : reader{census{}, metrics} {}
        weir::metric_reader<census> reader;
    };
    [[nodiscard]] table build(const weir::view& v, const weir::before<table>*, const state& s) const {
        return {s.reader.build(v)};
    }
    template <class Accept>
    [[nodiscard]] weir::choice choose(const weir::view&, const table&, state& s, const weir::query&,
                                      Accept) const noexcept {
        *answer = s.reader.pool().members.load();
        return {};
    }
};
}  // namespace

TEST_CASE("a metric's members join and leave in pairs, whenever it is attached") {
    std::atomic<int> members{-1};
    weir::registry<int> r;
    const auto first = r.add(1);
    const auto second = r.add(2);
    r.set(first, weir::condition::draining);
    const weir::basic_selector selector{r, asks_the_census{&members}};
    const auto count = [&] {
        (void)selector.pick();
        return members.load();
    };
    CHECK(count() == 1);
    r.clear(first, weir::condition::draining);
    CHECK(count() == 2);
    r.add(3);
    CHECK(count() == 3);
    r.remove(second);
    CHECK(count() == 2);
    const weir::basic_selector other{r, asks_the_census{&members}};  // an equal metric: nobody joins twice
    CHECK(count() == 2);
}

namespace {

/// Balances what was started against what has ended, by the times of the starts.
struct ledger {
    static constexpr bool timed = true;
    int number = 0;
    struct pool {
        std::atomic<int> starts{0}, ends{0}, unmeasured{0};
        std::atomic<std::int64_t> open{0}, now{0};
    };
    struct state {};
    void join(pool&, state&) const noexcept {}
    void leave(pool&, state&) const noexcept {}
    void on_start(pool& p, state&, std::chrono::nanoseconds started) const noexcept {
        ++p.starts;
        p.open += started.count();
    }
    void on_end(pool& p, state&, weir::outcome, std::chrono::nanoseconds latency, std::chrono::nanoseconds now,
                std::chrono::nanoseconds started) const noexcept {
        ++p.ends;
        p.now = now.count();
        p.unmeasured += latency.count() < 0 ? 1 : 0;
        p.open -= started.count();
    }
    [[nodiscard]] int score(const pool&, const state&, const weir::load_reading&) const noexcept { return 0; }
    bool operator==(const ledger&) const = default;
};
static_assert(weir::stateful_metric<ledger>);

/// Keeps the ledger of its number, and chooses anybody.
struct keeps_a_ledger {
    ledger metric;
    std::shared_ptr<weir::detail::metric_pool_of<ledger>>* pool;
    struct table {};
    struct state {
        state(const keeps_a_ledger& p, weir::metric_set& metrics) { *p.pool = metrics.use(p.metric); }
    };
    [[nodiscard]] table build(const weir::view&, const weir::before<table>*, const state&) const { return {}; }
    template <class Accept>
    [[nodiscard]] weir::choice choose(const weir::view&, const table&, state&, const weir::query&,
                                      Accept) const noexcept {
        return {};
    }
};

}  // namespace

TEST_CASE("a lease ends in those metrics that were told of its start, with the same time, however it ends") {
    using namespace std::chrono_literals;
    weir_test::manual_clock::set(7s);
    weir::registry<int, weir_test::manual_clock> r;
    r.add(1);
    std::shared_ptr<weir::detail::metric_pool_of<ledger>> first, second;
    const weir::least_connections plain{r};
    std::vector<weir::lease<int>> leases;
    leases.push_back(plain.pick());
    const weir::basic_selector one{r, keeps_a_ledger{{1}, &first}};
    weir_test::manual_clock::advance(1s);
    leases.push_back(plain.pick());
    leases.push_back(one.pick({.now = 3s}));
    const weir::basic_selector other{r, keeps_a_ledger{{2}, &second}};
    weir_test::manual_clock::advance(1s);
    leases.push_back(plain.pick());
    leases.push_back(other.pick());
    leases.push_back(other.pick());
    auto moved = std::move(leases.back());
    leases.back() = std::move(moved);
    CHECK(first->shared.starts == 5);
    CHECK(second->shared.starts == 3);
    leases[0].complete(weir::outcome::success, -1ns);
    leases[1].complete(weir::outcome::failure, -1ns);  // a latency that the caller does not know
    leases[2].complete(weir::outcome::timeout);
    leases[3].complete(weir::outcome::success, (std::chrono::nanoseconds::min)());
    leases[4].complete(weir::outcome::success, 1h);
    leases.clear();
    CHECK(first->shared.ends == 5);
    CHECK(first->shared.open == 0);
    CHECK(first->shared.unmeasured == 2);
    CHECK(second->shared.ends == 3);
    CHECK(second->shared.open == 0);
    CHECK(second->shared.unmeasured == 1);
}

TEST_CASE("a backend's only metric is told of the leases that it saw start, with others beside it or not") {
    using namespace std::chrono_literals;
    weir_test::manual_clock::set(7s);
    weir::registry<int, weir_test::manual_clock> r;
    const auto id = r.add(1);
    std::shared_ptr<weir::detail::metric_pool_of<ledger>> first, second;
    const weir::round_robin plain{r};
    auto before = plain.pick();
    const weir::basic_selector one{r, keeps_a_ledger{{1}, &first}};
    before.complete(weir::outcome::success);
    CHECK(first->shared.ends == 0);

    auto alone = plain.pick();
    CHECK(first->shared.open == (7s).count() * 1'000'000'000);
    weir_test::manual_clock::advance(2s);
    alone.complete(weir::outcome::success);
    CHECK(first->shared.now == (9s).count() * 1'000'000'000);

    auto across = plain.pick();
    const weir::basic_selector other{r, keeps_a_ledger{{2}, &second}};
    across.complete(weir::outcome::failure);
    CHECK(second->shared.ends == 0);

    plain.pick().complete(weir::outcome::success, 5s);
    CHECK(first->shared.now == (14s).count() * 1'000'000'000);
    CHECK(second->shared.now == (14s).count() * 1'000'000'000);
    CHECK(second->shared.ends == 1);

    auto last = plain.pick();
    r.remove(id);
    last.complete(weir::outcome::success);
    CHECK(first->shared.starts == 4);
    CHECK(first->shared.ends == 4);
    CHECK(first->shared.open == 0);
    CHECK(second->shared.open == 0);
}

TEST_CASE("who has measured a latency spares the registry's clock, and nobody's time runs past its end") {
    using namespace std::chrono_literals;
    weir_test::manual_clock::set(7s);
    weir::registry<int, weir_test::manual_clock> r;
    r.add(1);
    std::shared_ptr<weir::detail::metric_pool_of<ledger>> kept;
    const weir::basic_selector keeper{r, keeps_a_ledger{{1}, &kept}};
    const weir::round_robin plain{r};
    const auto end = [&](weir::pick_options o, auto... latency) {
        auto lease = plain.pick(o);
        weir_test::manual_clock::advance(1s);
        lease.complete(weir::outcome::success, latency...);
        return std::chrono::nanoseconds{kept->shared.now.load()};
    };
    CHECK(end({}) == 8s);             // by the clock
    CHECK(end({}, 5ms) == 8s + 5ms);  // picked at 8 s, by the clock
    CHECK(end({.now = 2s}, 5ms) == 2005ms);
    CHECK(end({.now = 2s}, 0ns) == 2s);
    CHECK(end({.now = 2s}, -1ns) == 12s);  // a latency that is unknown
    constexpr auto most = (std::chrono::nanoseconds::max)();
    CHECK(end({.now = most - 2ns}, 1ns) == most - 1ns);
    CHECK(end({.now = most - 2ns}, 3ns) == most);
    CHECK(end({.now = 1ns}, most) == most);
    CHECK(end({.now = -5ns}, most) == most - 5ns);
}
