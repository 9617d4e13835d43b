// What does a pick cost? The selectors against the floors of the same run, and against what people write today. What keyed
// tables cost besides, and those of other software, is in remap.cpp.

#include "ratio_table.hpp"

#include <weir/weir.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <queue>
#include <random>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace {

using weir::cycle_clock;

struct server {
    std::uint64_t number;
    [[nodiscard]] std::uint64_t identity() const { return number; }
};

constexpr int sizes[] = {10, 100, 1'000, 10'000};
std::vector<std::string> rows;

template <class Selector, class Clock = std::chrono::steady_clock>
using maker = std::type_identity_t<std::function<Selector(weir::registry<server, Clock>&)>>;

/// Which weights a pool has: one for all; 1, 2 and 3 in turn; or any up to a million, so that no two are likely to be equal.
enum class weights { equal, few, many };
std::uint32_t weight_of(weights kind, int i) {
    if (kind == weights::equal) return 1;
    if (kind == weights::few) return static_cast<std::uint32_t>(1 + i % 3);
    return static_cast<std::uint32_t>(1 + weir::mix(static_cast<std::uint64_t>(i)) % 1'000'000);
}

/// A registry of n servers and a selector over it.
template <class Selector, class Clock = std::chrono::steady_clock>
struct pool {
    explicit pool(int n, weights kind, const maker<Selector, Clock>& make) : selector{(fill(n, kind), make(servers))} {}
    void fill(int n, weights kind) {
        servers.update([&](auto& change) {
            for (int i = 0; i < n; ++i) change.add({static_cast<std::uint64_t>(i)}, {.weight = weight_of(kind, i)});
        });
    }
    weir::registry<server, Clock> servers;
    Selector selector;
};

/// Builds `Thing` once, when the first thread of the first run needs it, and frees it after the last.
template <class Thing>
class shared_thing {
public:
    explicit shared_thing(std::function<std::shared_ptr<Thing>()> make) : make_{std::move(make)} {}
    std::shared_ptr<Thing> get() {
        const std::lock_guard lock{mutex_};
        auto thing = made_.lock();
        if (!thing) made_ = thing = make_();
        return thing;
    }

private:
    std::mutex mutex_;
    std::function<std::shared_ptr<Thing>()> make_;
    std::weak_ptr<Thing> made_;
};

void add(const std::string& row, const std::string& column, const std::function<void(benchmark::State&)>& run,
         int most_threads = 2) {
    if (std::find(rows.begin(), rows.end(), row) == rows.end()) rows.push_back(row);
    for (int threads = 1; threads <= most_threads; ++threads)
        benchmark::RegisterBenchmark((row + '/' + column).c_str(), run)->Threads(threads)->UseRealTime();
}

/// One row: `operation(pool, counter)` for each size.
template <class Thing, class Operation>
void add_row(const std::string& row, const std::function<std::shared_ptr<Thing>(int)>& make, Operation operation,
             int most_threads = 2, int most = 10'000) {
    for (const int n : sizes) {
        if (n > most) break;
        auto things = std::make_shared<shared_thing<Thing>>([make, n] { return make(n); });
        add(
            row, std::to_string(n),
            [things, operation](benchmark::State& state) {
                const auto thing = things->get();
                Thing& subject = *thing;
                std::uint64_t count = static_cast<std::uint64_t>(state.thread_index()) << 40;
                for (auto _ : state) operation(subject, ++count);
            },
            most_threads);
    }
}

/// Inlined, as a pick is where it is written.
template <bool Keyed, class Pool>
WEIR_ALWAYS_INLINE auto pick_from(Pool& p, [[maybe_unused]] std::uint64_t key) {
    if constexpr (Keyed)
        return p.selector.pick({.key = key});
    else
        return p.selector.pick();
}

template <class Selector, bool Keyed = false, class Clock = std::chrono::steady_clock>
void add_selector(const std::string& name, weights kind, const maker<Selector, Clock>& make, bool leases = true) {
    using pool_type = pool<Selector, Clock>;
    const auto pools = [=](int n) { return std::make_shared<pool_type>(n, kind, make); };
    const auto look = [](server& s) { benchmark::DoNotOptimize(s.number); };
    add_row<pool_type>(name + " choose", pools, [look](pool_type& p, std::uint64_t key) {
        if constexpr (Keyed)
            p.selector.choose({.key = key}, look);
        else
            p.selector.choose(look);
    });
    if (!leases) return;
    add_row<pool_type>(name + " lease", pools, [look](pool_type& p, std::uint64_t key) {
        const auto lease = pick_from<Keyed>(p, key);
        look(*lease);
    });
    add_row<pool_type>(name + " lease, success", pools, [look](pool_type& p, std::uint64_t key) {
        auto lease = pick_from<Keyed>(p, key);
        look(*lease);
        lease.complete(weir::outcome::success);
    });
}

/// A selector by latencies, also as an event loop uses it: the loop has read the clock, here once in 16 picks, and tells
/// the pick; one that has measured by its own clock tells the latency, too, and then nobody else reads one.
template <class Selector, class Clock = std::chrono::steady_clock>
void add_timed(const std::string& name, const maker<Selector, Clock>& make) {
    add_selector<Selector, false, Clock>(name, weights::equal, make);
    using pool_type = pool<Selector, Clock>;
    const auto pools = [=](int n) { return std::make_shared<pool_type>(n, weights::equal, make); };
    const auto time = [](std::uint64_t count) {
        thread_local std::chrono::nanoseconds now{};
        if (count % 16 == 1) now = Clock::now().time_since_epoch();
        return now;
    };
    add_row<pool_type>(name + " choose, told the time", pools, [time](pool_type& p, std::uint64_t count) {
        p.selector.choose({.now = time(count)}, [](server& s) { benchmark::DoNotOptimize(s.number); });
    });
    add_row<pool_type>(name + " lease, success, told", pools, [time](pool_type& p, std::uint64_t count) {
        auto lease = p.selector.pick({.now = time(count)});
        benchmark::DoNotOptimize(lease->number);
        lease.complete(weir::outcome::success);
    });
    add_row<pool_type>(name + " lease, success, told both", pools, [time](pool_type& p, std::uint64_t count) {
        auto lease = p.selector.pick({.now = time(count)});
        benchmark::DoNotOptimize(lease->number);
        lease.complete(weir::outcome::success, std::chrono::nanoseconds{60});
    });
}

// What people write today: round robin over a vector, behind whatever makes replacing it safe.

struct mutex_baseline {
    std::mutex mutex;
    std::vector<server> servers;
    std::size_t next = 0;
};
struct shared_mutex_baseline {
    std::shared_mutex mutex;
    std::vector<server> servers;
    std::atomic<std::size_t> next{0};
};
struct atomic_shared_ptr_baseline {
    using list = std::shared_ptr<const std::vector<server>>;
#if defined(__cpp_lib_atomic_shared_ptr)
    std::atomic<list> servers;
    [[nodiscard]] list load() const { return servers.load(); }
#else
    list servers;  // libc++ has the free functions alone
    [[nodiscard]] list load() const { return std::atomic_load(&servers); }
#endif
    std::atomic<std::size_t> next{0};
};

/// The least of all by looking at each, one line a backend: the first of those that tie.
struct scan_baseline {
    struct alignas(64) line {
        std::atomic<std::uint32_t> in_flight{0};
    };
    std::vector<line> lines;
};
/// What weights cost where they are followed to the letter: 1:2:3, by one thread.
struct smooth_baseline {
    struct peer {
        std::int64_t current = 0;
        std::int64_t weight = 1;
    };
    std::vector<peer> peers;
    std::int64_t total = 0;
};
struct deadline_baseline {
    using entry = std::pair<double, std::uint32_t>;  // the earliest deadline first
    std::priority_queue<entry, std::vector<entry>, std::greater<>> queue;
    std::vector<double> steps;
};
struct cumulative_baseline {
    std::vector<std::uint64_t> sums;
    weir::generator random{1};
};
const std::string smooth_row = "literal: smooth scan of all, 1:2:3",
                  deadline_row = "literal: priority_queue by deadline, 1:2:3",
                  cumulative_row = "literal: cumulative sums, binary search, 1:2:3";

const std::string scan_row = "today: scan of all loads, a line each", held_row = "least_connections, 1.5 n held";

std::vector<server> make_servers(int n) {
    std::vector<server> servers;
    for (int i = 0; i < n; ++i) servers.push_back({static_cast<std::uint64_t>(i)});
    return servers;
}

void add_floors() {
    static std::atomic<std::uint64_t> shared{0};
    add("floor: shared fetch_add", "-", [](benchmark::State& state) {
        for (auto _ : state) benchmark::DoNotOptimize(shared.fetch_add(1, std::memory_order_relaxed));
    });
    add("floor: fetch_add on a line of one's own", "-", [](benchmark::State& state) {
        alignas(64) std::atomic<std::uint64_t> own{0};
        for (auto _ : state) benchmark::DoNotOptimize(own.fetch_add(1, std::memory_order_relaxed));
    });
    // Back to back two threads take the line in bursts; with something to do in between they take it from each other.
    const auto work = [](weir::generator& g) {
        for (int i = 0; i < 50; ++i) benchmark::DoNotOptimize(g());
    };
    add("floor: work in between", "-", [work](benchmark::State& state) {
        weir::generator g{1};
        for (auto _ : state) work(g);
    });
    add("floor: shared fetch_add, and work in between", "-", [work](benchmark::State& state) {
        weir::generator g{1};
        for (auto _ : state) {
            work(g);
            benchmark::DoNotOptimize(shared.fetch_add(1, std::memory_order_relaxed));
        }
    });
    weir::detail::prepare_process_domain();
    add("floor: read section alone", "-", [](benchmark::State& state) {
        auto& domain = weir::detail::process_domain;
        weir::detail::find_slot(domain);  // where fences are portable picks have no faster section than the other one
        for (auto _ : state)
            if (const auto slot = weir::detail::this_thread.fast_slot;
                weir::detail::usual_section::is_next(domain, slot)) {
                const weir::detail::usual_section section{domain, *slot};
                benchmark::ClobberMemory();
            } else {
                const weir::detail::read_section section{domain};
                benchmark::ClobberMemory();
            }
    });
    add("floor: steady_clock", "-", [](benchmark::State& state) {
        for (auto _ : state) benchmark::DoNotOptimize(std::chrono::steady_clock::now());
    });
    add("floor: cycle_clock", "-", [](benchmark::State& state) {
        for (auto _ : state) benchmark::DoNotOptimize(cycle_clock::now());
    });
    add("floor: empty loop", "-", [](benchmark::State& state) {
        for (auto _ : state) benchmark::ClobberMemory();
    });
}

void add_baselines() {
    add_row<mutex_baseline>(
        "today: mutex + vector, round robin",
        [](int n) {
            auto b = std::make_shared<mutex_baseline>();
            b->servers = make_servers(n);
            return b;
        },
        [](mutex_baseline& b, std::uint64_t) {
            const std::lock_guard lock{b.mutex};
            benchmark::DoNotOptimize(b.servers[b.next].number);
            b.next = b.next + 1 == b.servers.size() ? 0 : b.next + 1;
        });
    add_row<shared_mutex_baseline>(
        "today: shared_mutex + vector, round robin",
        [](int n) {
            auto b = std::make_shared<shared_mutex_baseline>();
            b->servers = make_servers(n);
            return b;
        },
        [](shared_mutex_baseline& b, std::uint64_t) {
            const std::shared_lock lock{b.mutex};
            benchmark::DoNotOptimize(
                b.servers[b.next.fetch_add(1, std::memory_order_relaxed) % b.servers.size()].number);
        });
    add_row<atomic_shared_ptr_baseline>(
        "today: atomic shared_ptr, round robin",
        [](int n) {
            auto b = std::make_shared<atomic_shared_ptr_baseline>();
            b->servers = std::make_shared<const std::vector<server>>(make_servers(n));
            return b;
        },
        [](atomic_shared_ptr_baseline& b, std::uint64_t) {
            const auto servers = b.load();
            auto number = (*servers)[b.next.fetch_add(1, std::memory_order_relaxed) % servers->size()].number;
            benchmark::DoNotOptimize(number);
        });
}

void add_scan() {
    const auto lines = [](int n) {
        return std::make_shared<scan_baseline>(
            scan_baseline{std::vector<scan_baseline::line>(static_cast<std::size_t>(n))});
    };
    add_row<scan_baseline>(scan_row, lines, [](scan_baseline& b, std::uint64_t) {
        const scan_baseline::line* best = nullptr;
        std::uint32_t least = ~std::uint32_t{0};
        for (const auto& one : b.lines)
            if (const auto load = one.in_flight.load(std::memory_order_relaxed); load < least) {
                least = load;
                best = &one;
            }
        benchmark::DoNotOptimize(best);
    });
}

void add_weighted_baselines() {
    const auto weight = [](int i) { return 1 + i % 3; };
    add_row<smooth_baseline>(
        smooth_row,
        [weight](int n) {
            auto b = std::make_shared<smooth_baseline>();
            for (int i = 0; i < n; ++i) b->peers.push_back({0, weight(i)});
            for (const auto& p : b->peers) b->total += p.weight;
            return b;
        },
        [](smooth_baseline& b, std::uint64_t) {
            smooth_baseline::peer* best = nullptr;
            for (auto& p : b.peers) {
                p.current += p.weight;
                if (best == nullptr || p.current > best->current) best = &p;
            }
            best->current -= b.total;
            benchmark::DoNotOptimize(best);
        },
        1);
    add_row<deadline_baseline>(
        deadline_row,
        [weight](int n) {
            auto b = std::make_shared<deadline_baseline>();
            for (int i = 0; i < n; ++i) {
                b->steps.push_back(1.0 / weight(i));
                b->queue.emplace(b->steps.back(), static_cast<std::uint32_t>(i));
            }
            return b;
        },
        [](deadline_baseline& b, std::uint64_t) {
            auto [deadline, i] = b.queue.top();
            b.queue.pop();
            b.queue.emplace(deadline + b.steps[i], i);
            benchmark::DoNotOptimize(i);
        },
        1);
    add_row<cumulative_baseline>(
        cumulative_row,
        [weight](int n) {
            auto b = std::make_shared<cumulative_baseline>();
            std::uint64_t sum = 0;
            for (int i = 0; i < n; ++i) b->sums.push_back(sum += static_cast<std::uint64_t>(weight(i)));
            return b;
        },
        [](cumulative_baseline& b, std::uint64_t) {
            benchmark::DoNotOptimize(std::upper_bound(b.sums.begin(), b.sums.end(), b.random.below(b.sums.back())));
        },
        1);
}

/// Least connections while leases are held: half of the backends have one more than the others.
void add_held() {
    using least = weir::least_connections<server>;
    struct held : pool<least> {
        explicit held(int n) : pool<least>{n, weights::equal, [](auto& r) { return least{r}; }} {
            for (int i = 0; i < n + n / 2; ++i) leases.push_back(selector.pick());
        }
        std::vector<weir::lease<server>> leases;
    };
    const auto make = [](int n) { return std::make_shared<held>(n); };
    add_row<held>(held_row + " choose", make, [](held& p, std::uint64_t) {
        p.selector.choose([](server& s) { benchmark::DoNotOptimize(s.number); });
    });
    add_row<held>(held_row + " lease", make, [](held& p, std::uint64_t) {
        const auto lease = p.selector.pick();
        benchmark::DoNotOptimize(lease->number);
    });
}

void add_selectors() {
    using registry = weir::registry<server>;
    add_selector<weir::round_robin<server>>("round_robin", weights::equal,
                                            [](registry& r) { return weir::round_robin{r}; });
    add_selector<weir::round_robin<server>>(
        "round_robin 1:2:3", weights::few, [](registry& r) { return weir::round_robin{r}; }, false);
    add_selector<weir::round_robin<server>>(
        "round_robin, any weights", weights::many, [](registry& r) { return weir::round_robin{r}; }, false);
    using per_thread = weir::round_robin<server, weir::per_thread_cursor>;
    add_selector<per_thread>("round_robin, per thread", weights::equal, [](registry& r) { return per_thread{r}; });
    add_selector<per_thread>(
        "round_robin 1:2:3, per thread", weights::few, [](registry& r) { return per_thread{r}; }, false);
    add_selector<weir::random<server>>("random", weights::equal, [](registry& r) { return weir::random{r}; });
    add_selector<weir::random<server>>(
        "random 1:2:3", weights::few, [](registry& r) { return weir::random{r}; }, false);
    add_selector<weir::power_of_two<server>>("power_of_two", weights::equal,
                                             [](registry& r) { return weir::power_of_two{r}; });
    add_selector<weir::power_of_two<server>>(
        "power_of_two 1:2:3", weights::few, [](registry& r) { return weir::power_of_two{r}; }, false);
    add_selector<weir::choices<server, weir::in_flight, 3>>(
        "three choices", weights::equal, [](registry& r) { return weir::choices<server, weir::in_flight, 3>{r}; });
    add_selector<weir::least_connections<server>>("least_connections", weights::equal,
                                                  [](registry& r) { return weir::least_connections{r}; });
    add_selector<weir::least_connections<server>>("least_connections 1:2:3", weights::few,
                                                  [](registry& r) { return weir::least_connections{r}; });
    add_selector<weir::least_connections<server>>("least_connections, any weights", weights::many,
                                                  [](registry& r) { return weir::least_connections{r}; });
    add_selector<weir::nginx_least_conn<server>>("nginx_least_conn", weights::equal,
                                                 [](registry& r) { return weir::nginx_least_conn{r}; });
    add_selector<weir::haproxy_leastconn<server>>("haproxy_leastconn", weights::equal,
                                                  [](registry& r) { return weir::haproxy_leastconn{r}; });
    add_selector<weir::first<server>>("first", weights::equal, [](registry& r) { return weir::first{r}; });
    add_selector<weir::choices<server, weir::reported_utilization>>(
        "choices, reported_utilization", weights::equal, [](registry& r) {
            const weir::choices selector{r, weir::reported_utilization{}};
            const weir::load_reports reports{r};
            for (const auto& m : r.members()) reports.report(m.id, {.utilization = 0.5, .qps = 100});
            return selector;
        });
    add_timed<weir::p2c_peak_ewma<server>>("p2c_peak_ewma", [](registry& r) { return weir::p2c_peak_ewma{r}; });
    add_timed<weir::p2c_peak_ewma<server>, cycle_clock>("p2c_peak_ewma, cycle_clock",
                                                        [](auto& r) { return weir::p2c_peak_ewma{r}; });
    add_timed<weir::choices<server, weir::ewma>>("choices, ewma",
                                                 [](registry& r) { return weir::choices{r, weir::ewma{}}; });
    add_selector<weir::least_response_time<server>>("least_response_time", weights::equal,
                                                    [](registry& r) { return weir::least_response_time{r}; });
    add_selector<weir::ring_hash<server>, true>("ring_hash", weights::equal,
                                                [](registry& r) { return weir::ring_hash{r}; });
    // nginx's rule has room for a weight of 6,271 in all.
    const auto by_address = [](int n) {
        return std::make_shared<pool<weir::ip_hash<server>>>(n, weights::equal,
                                                             [](auto& r) { return weir::ip_hash{r}; });
    };
    add_row<pool<weir::ip_hash<server>>>(
        "ip_hash choose", by_address,
        [](pool<weir::ip_hash<server>>& p, std::uint64_t key) {
            p.selector.choose({.key = key}, [](server& s) { benchmark::DoNotOptimize(s.number); });
        },
        2, 1'000);
    add_selector<weir::maglev<server>, true>(
        "maglev", weights::equal, [](registry& r) { return weir::maglev{r}; }, false);
    add_selector<weir::anchor<server>, true>(
        "anchor", weights::equal, [](registry& r) { return weir::anchor{r}; }, false);
    using bounded = weir::bounded_load<weir::ring_hash_policy>;
    add_selector<weir::basic_selector<server, bounded>, true>(
        "bounded_load, ring_hash", weights::equal, [](registry& r) { return weir::basic_selector{r, bounded{}}; });
    using levels = weir::priority<weir::round_robin_policy>;
    add_selector<weir::basic_selector<server, levels>>("priority, round_robin", weights::equal,
                                                       [](registry& r) { return weir::basic_selector{r, levels{}}; });
    using sessions = weir::sticky<weir::round_robin_policy>;
    add_selector<weir::basic_selector<server, sessions>>(
        "sticky, round_robin", weights::equal, [](registry& r) { return weir::basic_selector{r, sessions{}}; });
    using slow = weir::slow_start<weir::round_robin_policy>;
    add_selector<weir::basic_selector<server, slow>>(
        "slow_start, round_robin", weights::equal, [](registry& r) { return weir::basic_selector{r, slow{}}; }, false);
    add_selector<weir::basic_selector<server, slow>>(
        "slow_start, round_robin, one warming", weights::equal,
        [](registry& r) {
            const weir::basic_selector selector{r, slow{{}, {.window = std::chrono::hours{1}}}};
            r.add({~std::uint64_t{0}});
            return selector;
        },
        false);
}

}  // namespace

int main(int argc, char** argv) {
    add_floors();
    add_selectors();
    add_held();
    add_baselines();
    add_scan();
    add_weighted_baselines();
    // Our own option, beside Google Benchmark's: the lowest of the repetitions instead of their median.
    std::vector<char*> arguments;
    bool lowest = false;
    for (int i = 0; i < argc; ++i)
        if (std::string_view{argv[i]} == "--lowest")
            lowest = true;
        else
            arguments.push_back(argv[i]);
    // Repeated and in random order, so that a machine whose speed drifts does not favour a row.
    std::string defaults[] = {"--benchmark_repetitions=5", "--benchmark_enable_random_interleaving=true",
                              "--benchmark_min_time=0.02"};
    for (auto& d : defaults) arguments.insert(arguments.begin() + 1, d.data());
    int count = static_cast<int>(arguments.size());
    benchmark::Initialize(&count, arguments.data());
    if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
    ratio_table table{lowest};
    benchmark::RunSpecifiedBenchmarks(&table);
    std::printf("of each benchmark's repetitions the %s\n", lowest ? "lowest" : "median");
    std::vector<std::string> columns{"-"};
    for (const int n : sizes) columns.push_back(std::to_string(n));
    table.print("one thread: ns, and the ratio to a shared fetch_add of this run", rows, columns,
                "floor: shared fetch_add/-", 1);
    table.print("two threads: ns of each, and the ratio to a shared fetch_add by two threads", rows, columns,
                "floor: shared fetch_add/-", 2);
    std::printf("\none thread: how often faster than what is written to the letter\n");
    const std::pair<std::string, std::string> races[] = {{"least_connections choose", scan_row},
                                                         {"least_connections lease", scan_row},
                                                         {held_row + " choose", scan_row},
                                                         {held_row + " lease", scan_row},
                                                         {"least_connections 1:2:3 choose", scan_row},
                                                         {"least_connections 1:2:3 lease", scan_row},
                                                         {"least_connections, any weights choose", scan_row},
                                                         {"round_robin 1:2:3 choose", smooth_row},
                                                         {"round_robin 1:2:3 choose", deadline_row},
                                                         {"random 1:2:3 choose", cumulative_row}};
    for (const auto& [ours, theirs] : races) {
        std::string line;
        for (const int n : sizes) {
            const double one = table.time(ours + '/' + std::to_string(n));
            const double other = table.time(theirs + '/' + std::to_string(n));
            if (one == 0 || other == 0) continue;
            char cell[32];
            std::snprintf(cell, sizeof cell, " %7d %7.1fx", n, other / one);
            line += cell;
        }
        if (!line.empty()) std::printf("%s against %s\n   %s\n", ours.c_str(), theirs.c_str(), line.c_str());
    }
    std::printf("\ntwo threads against one: picks per second\n");
    for (const auto& row : rows) {
        std::string line;
        for (const auto& column : columns) {
            const double one = table.time(row + '/' + column, 1), two = table.time(row + '/' + column, 2);
            if (one == 0 || two == 0) continue;
            char cell[32];
            std::snprintf(cell, sizeof cell, " %7s %5.2fx", column.c_str(), 2 * one / two);
            line += cell;
        }
        if (!line.empty()) std::printf("%-44s%s\n", row.c_str(), line.c_str());
    }
}
