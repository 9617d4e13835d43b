// What does each table of hashing/ cost, how even is it, and how many keys does it move without need?

#include <weir/hashing/anchor_table.hpp>
#include <weir/hashing/churn.hpp>
#include <weir/hashing/jump_table.hpp>
#include <weir/hashing/maglev_table.hpp>
#include <weir/hashing/memento_table.hpp>
#include <weir/hashing/multi_probe_table.hpp>
#include <weir/hashing/rendezvous_table.hpp>
#include <weir/hashing/ring_table.hpp>
#include <weir/random.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <new>
#include <string>
#include <vector>

// Bytes in use, for "bytes per backend": what the allocator really hands out.
namespace {
std::int64_t allocated = 0;
}
void* operator new(std::size_t size) {
    void* const p = std::malloc(size);
    if (p == nullptr) throw std::bad_alloc{};
    allocated += static_cast<std::int64_t>(malloc_usable_size(p));
    return p;
}
void operator delete(void* p) noexcept {
    if (p != nullptr) allocated -= static_cast<std::int64_t>(malloc_usable_size(p));
    std::free(p);
}
void operator delete(void* p, std::size_t) noexcept { operator delete(p); }

namespace {

using json = nlohmann::json;
using stopwatch = std::chrono::steady_clock;

double milliseconds_since(stopwatch::time_point start) {
    return std::chrono::duration<double, std::milli>(stopwatch::now() - start).count();
}

/// Keeps a result from being optimised away.
volatile std::uint64_t sink;

/// Nanoseconds a call of `f(i)`, the least of five runs that take 20 ms or one call each.
double nanoseconds_each(const std::function<void(std::uint64_t)>& run) {
    std::uint64_t calls = 1;
    for (;; calls *= 2) {
        const auto start = stopwatch::now();
        run(calls);
        if (milliseconds_since(start) > 20 || calls > std::uint64_t{1} << 30) break;
    }
    double least = 1e300;
    for (int k = 0; k < 5; ++k) {
        const auto start = stopwatch::now();
        run(calls);
        least = (std::min)(least, milliseconds_since(start) * 1e6 / static_cast<double>(calls));
    }
    return least;
}

template <class Find>
double independent(const Find& find) {
    return nanoseconds_each([&](std::uint64_t calls) {
        std::uint64_t sum = 0;
        for (std::uint64_t k = 0; k < calls; ++k) sum += find(k);
        sink = sum;
    });
}
/// Each key waits for the answer before it, as it does in a request.
template <class Find>
double dependent(const Find& find) {
    return nanoseconds_each([&](std::uint64_t calls) {
        std::uint64_t key = 0;
        for (std::uint64_t k = 0; k < calls; ++k) key = k + (std::uint64_t{find(key)} << 32);
        sink = key;
    });
}

/// n members, and their names. Their weights go from 1 to the heaviest, again and again.
struct pool {
    explicit pool(std::uint32_t n, std::uint32_t heaviest_ = 1) : heaviest{heaviest_} {
        names.reserve(n + std::size_t{1});  // one more may join
        for (std::uint32_t i = 0; i < n; ++i) add();
    }
    void add() {
        const auto i = static_cast<std::uint32_t>(names.size());
        names.push_back("10." + std::to_string(i >> 16) + '.' + std::to_string(i >> 8 & 255) + '.' +
                        std::to_string(i & 255) + ":8080");
        members.push_back({names.back(), 1 + i % heaviest, i});
    }
    std::uint32_t heaviest;
    std::vector<std::string> names;
    std::vector<weir::hash_member> members;
};

/// What everybody writes first: the key modulo the members.
struct modulo_table {
    struct options {};
    static constexpr bool history_free = true;
    std::vector<std::uint32_t> indices;
    modulo_table(std::span<const weir::hash_member> members, const options&) {
        for (const auto& m : members) indices.insert(indices.end(), m.weight, m.index);
    }
    [[nodiscard]] bool empty() const noexcept { return indices.empty(); }
    [[nodiscard]] std::uint32_t find(std::uint64_t key) const noexcept {
        return indices[weir::mix(key) % indices.size()];
    }
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        return weir::detail::walk_by_attempts(key, steps, [&](std::uint64_t next) { return find(next); }, accept);
    }
};

template <class Table>
Table after(const Table& previous, const std::vector<weir::hash_member>& members, const typename Table::options& o) {
    if constexpr (weir::detail::is_made_of_previous<Table>)
        return Table(previous, members);
    else
        return Table(members, o);
}

/// The most that a member has of its share.
template <class Table>
double imbalance(const Table& table, const pool& p, std::uint64_t keys) {
    std::vector<std::uint64_t> counts(p.members.size());
    for (std::uint64_t k = 0; k < keys; ++k) ++counts[table.find(k)];
    double total = 0, most = 0;
    for (const auto& m : p.members) total += m.weight;
    for (const auto& m : p.members)
        most = (std::max)(most, static_cast<double>(counts[m.index]) * total / m.weight / static_cast<double>(keys));
    return most;
}
/// What perfectly random keys would give.
double random_imbalance(std::uint32_t n, std::uint64_t keys) {
    std::vector<std::uint64_t> counts(n);
    weir::generator random{n};
    for (std::uint64_t k = 0; k < keys; ++k) ++counts[random.below(n)];
    return static_cast<double>(*std::max_element(counts.begin(), counts.end())) * n / static_cast<double>(keys);
}

/// Notes the keys that moved without need, of all, when the members become these, and how many moved at all.
template <class Table>
void note_churn(json& row, const std::string& change, const Table& table, const pool& p,
                const std::vector<weir::hash_member>& next, const typename Table::options& o, std::uint64_t sample) {
    const Table changed = after(table, next, o);
    const auto report = weir::churn(weir::mapping{table, p.members}, weir::mapping{changed, next}, sample);
    row["excess_" + change] = static_cast<double>(report.excess()) / static_cast<double>(report.keys);
    row["moved_" + change] = static_cast<double>(report.moved) / static_cast<double>(report.keys);
}

template <class Table>
json measure(const std::string& name, std::uint32_t n, const typename Table::options& o = {},
             std::uint32_t heaviest = 1) {
    pool p{n, heaviest};
    const std::int64_t before = allocated;
    auto start = stopwatch::now();
    const Table table(p.members, o);
    const double build = milliseconds_since(start);
    json row{{"table", name},
             {"n", n},
             {"build_ms", build},
             {"bytes_per_backend", static_cast<double>(allocated - before) / n}};
    const double lookup = independent([&](std::uint64_t k) { return table.find(k); });
    row["independent_ns"] = lookup;
    row["dependent_ns"] = dependent([&](std::uint64_t k) { return table.find(k); });
    const std::uint64_t keys = lookup > 100 ? 1'000'000 : 20'000'000;
    row["max_mean"] = imbalance(table, p, keys);
    row["random_max_mean"] = random_imbalance(n, keys);
    row["keys"] = keys;

    const std::uint64_t sample = lookup > 100 ? 100'000 : 1'000'000;
    auto next = p.members;
    next.erase(next.begin() + n / 3);
    start = stopwatch::now();
    {
        const Table changed = after(table, next, o);
    }
    row["lose_one_ms"] = milliseconds_since(start);
    note_churn(row, "lose_one", table, p, next, o, sample);
    next = p.members;
    for (std::uint32_t k = 0; k < n / 10; ++k) next.erase(next.begin() + static_cast<std::ptrdiff_t>(9 * k));
    note_churn(row, "lose_tenth", table, p, next, o, sample);
    next = p.members;
    next[n / 3].weight *= 2;
    note_churn(row, "double_weight", table, p, next, o, sample);
    p.add();
    next = p.members;
    p.members.pop_back();
    start = stopwatch::now();
    {
        const Table changed = after(table, next, o);
    }
    row["add_one_ms"] = milliseconds_since(start);
    note_churn(row, "add_one", table, p, next, o, sample);
    return row;
}

/// How evenly 100 members share 20 million keys, and for how many bytes each.
template <class Table>
json measure_memory(const std::string& name, const typename Table::options& o) {
    const pool p{100};
    const std::int64_t before = allocated;
    const Table table(p.members, o);
    const double bytes = static_cast<double>(allocated - before) / 100;
    return {{"table", name},
            {"bytes_per_backend", bytes},
            {"max_mean", imbalance(table, p, 20'000'000)},
            {"random_max_mean", random_imbalance(100, 20'000'000)}};
}

void print_head() {
    std::printf("%-18s %7s %8s %8s %9s %9s %9s %9s %7s %7s | %8s %8s %8s %8s\n", "", "", "lookup", "depend.", "build",
                "add 1", "lose 1", "bytes per", "max/", "random", "moved", "without", "need, of", "10,000");
    std::printf("%-18s %7s %8s %8s %9s %9s %9s %9s %7s %7s | %8s %8s %8s %8s\n", "table", "n", "ns", "ns", "ms", "ms",
                "ms", "backend", "mean", "keys", "lose 1", "lose 10%", "add 1", "weight 2");
}
void print(const json& row) {
    const auto of = [&](const char* key) { return row[key].get<double>(); };
    std::printf("%-18s %7u %8.1f %8.1f %9.3f %9.3f %9.3f %9.1f %7.3f %7.3f | %8.2f %8.2f %8.2f %8.2f\n",
                row["table"].get<std::string>().c_str(), row["n"].get<unsigned>(), of("independent_ns"),
                of("dependent_ns"), of("build_ms"), of("add_one_ms"), of("lose_one_ms"), of("bytes_per_backend"),
                of("max_mean"), of("random_max_mean"), 1e4 * of("excess_lose_one"), 1e4 * of("excess_lose_tenth"),
                1e4 * of("excess_add_one"), 1e4 * of("excess_double_weight"));
    std::fflush(stdout);
}

// What everybody writes, and the papers' own form: the ratios are to these, in the same run.

/// A ring as a sorted vector, searched in halves.
struct sorted_ring {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> points;
    explicit sorted_ring(const pool& p) {
        for (const auto& m : p.members)
            for (int i = 0; i < 160; ++i)
                points.emplace_back(weir::hash(std::string{m.identity} + '_' + std::to_string(i)), m.index);
        std::sort(points.begin(), points.end());
    }
    [[nodiscard]] std::uint32_t find(std::uint64_t key) const {
        const auto at = std::lower_bound(points.begin(), points.end(), std::pair{weir::mix(key), std::uint32_t{0}});
        return at == points.end() ? points.front().second : at->second;
    }
};

/// Maglev as the paper's pseudocode has it: each member's next slot by multiplication and division.
std::vector<std::uint32_t> literal_maglev(const pool& p, std::uint64_t size) {
    std::vector<std::uint64_t> offset, skip, next(p.members.size());
    for (const auto& m : p.members) {
        offset.push_back(weir::hash(m.identity) % size);
        skip.push_back(weir::hash(m.identity, 1) % (size - 1) + 1);
    }
    std::vector<std::uint32_t> entries(size, ~std::uint32_t{0});
    for (std::uint64_t filled = 0;;)
        for (std::uint32_t i = 0; i < p.members.size(); ++i) {
            std::uint64_t slot;
            do slot = (offset[i] + next[i]++ * skip[i]) % size;
            while (entries[slot] != ~std::uint32_t{0});
            entries[slot] = i;
            if (++filled == size) return entries;
        }
}

template <class F>
double least_ms(int times, const F& f) {
    double least = 1e300;
    for (int k = 0; k < times; ++k) {
        const auto start = stopwatch::now();
        f();
        least = (std::min)(least, milliseconds_since(start));
    }
    return least;
}

json ratios() {
    json all;
    const auto tell = [&](const std::string& what, double ours, double theirs, const char* unit, double ratio,
                          const std::string& asked) {
        std::printf("%-62s %10.3f %10.3f %s %8.2fx   %s\n", what.c_str(), ours, theirs, unit, ratio, asked.c_str());
        all.push_back({{"what", what}, {"weir", ours}, {"other", theirs}, {"unit", unit}, {"ratio", ratio}});
    };
    std::printf("\n%-62s %10s %10s\n", "against, in the same run", "weir", "other");
    for (const std::uint32_t n : {100u, 1'000u, 10'000u}) {
        const pool p{n};
        const weir::ring_table ring(p.members, {});
        const sorted_ring sorted{p};
        const double ours = independent([&](std::uint64_t k) { return ring.find(k); });
        const double theirs = independent([&](std::uint64_t k) { return sorted.find(k); });
        tell("ring look-up, n = " + std::to_string(n) + ": lower_bound over the same points", ours, theirs, "ns",
             theirs / ours, "asked: 7x or more");
    }
    {
        const pool p{100};
        const weir::maglev_table maglev(p.members, {});
        std::vector<std::uint16_t> plain(65536);
        for (std::size_t i = 0; i < plain.size(); ++i) plain[i] = static_cast<std::uint16_t>(maglev[i]);
        const std::uint16_t* const first = plain.data();
        const double ours = independent([&](std::uint64_t k) { return maglev.find(k); });
        const double theirs = independent([first](std::uint64_t k) { return first[weir::mix(k) >> 48]; });
        tell("maglev look-up: mix and one load", ours, theirs, "ns", ours / theirs, "asked: 1.2x or less");
    }
    {
        pool p{10'000};
        const weir::ring_table ring(p.members, {});
        p.add();
        const double ours = least_ms(5, [&] { sink = weir::ring_table(ring, p.members).size(); });
        const double theirs = least_ms(3, [&] { sink = weir::ring_table(p.members, {}).size(); });
        tell("ring of 10,000, one more: made and sorted anew", ours, theirs, "ms", theirs / ours, "asked: 50x or more");
    }
    for (const std::uint32_t size : {65'537u, 655'373u}) {
        const pool p{size / 100};
        const double ours = least_ms(5, [&] { sink = weir::maglev_table(p.members, {.table_size = size}).size(); });
        const double theirs = least_ms(5, [&] { sink = literal_maglev(p, size).size(); });
        tell("maglev build, " + std::to_string(size) + " slots: the paper's pseudocode", ours, theirs, "ms",
             theirs / ours, "");
    }
    return all;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Cost, balance and churn of every table; keys 0, 1, 2, ..."};
    std::string json_file;
    std::uint32_t most = 10'000;
    app.add_option("--json", json_file, "Also write all of it to this file");
    app.add_option("--most", most, "The largest pool: 10, 100, 1000, 10000 or 100000")
        ->check(CLI::Range(10u, 100'000u))
        ->capture_default_str();
    try {
        app.parse(argc, argv);
        if (!json_file.empty() && !std::ofstream{json_file, std::ios::app})  // found now, not after minutes
            throw CLI::ValidationError("--json", "cannot write '" + json_file + "'");
    } catch (const CLI::ParseError& wrong) {
        return app.exit(wrong) == 0 ? 0 : 2;
    }

    json rows = json::array(), weighted = json::array(), memory = json::array(), sizes = json::array();
    print_head();
    const auto add = [&](const json& row) {
        print(row);
        rows.push_back(row);
    };
    for (std::uint32_t n = 10; n <= most; n *= 10) {
        add(measure<modulo_table>("modulo", n));
        add(measure<weir::ring_table>("ring", n));
        if (n <= 10'000) add(measure<weir::maglev_table>("maglev 65,537", n));
        add(measure<weir::maglev_table>("maglev 655,373", n, {.table_size = 655'373}));
        if (n <= 10'000) add(measure<weir::rendezvous_table>("rendezvous", n));
        add(measure<weir::multi_probe_table>("multi_probe", n));
        add(measure<weir::jump_table>("jump", n));
        add(measure<weir::anchor_table>("anchor", n));
        add(measure<weir::memento_table>("memento", n));
    }
    std::printf("\nweights of 1 to 10, 1,000 backends\n");
    for (const json& row :
         {measure<weir::ring_table>("ring", 1000, {}, 10), measure<weir::maglev_table>("maglev 65,537", 1000, {}, 10),
          measure<weir::rendezvous_table>("rendezvous", 1000, {}, 10),
          measure<weir::multi_probe_table>("multi_probe", 1000, {}, 10),
          measure<weir::jump_table>("jump", 1000, {}, 10), measure<weir::anchor_table>("anchor", 1000, {}, 10),
          measure<weir::memento_table>("memento", 1000, {}, 10)}) {
        print(row);
        weighted.push_back(row);
    }
    std::printf("\nimbalance for memory, 100 backends\n%-18s %9s %9s %9s\n", "table", "bytes per", "max/mean",
                "random");
    const auto add_memory = [&](const json& row) {
        std::printf("%-18s %9.1f %9.4f %9.4f\n", row["table"].get<std::string>().c_str(),
                    row["bytes_per_backend"].get<double>(), row["max_mean"].get<double>(),
                    row["random_max_mean"].get<double>());
        std::fflush(stdout);
        memory.push_back(row);
    };
    for (const std::uint32_t points : {5u, 10u, 20u, 40u, 80u, 160u, 320u, 640u, 1280u, 2560u})
        add_memory(measure_memory<weir::ring_table>("ring", {.points_per_weight = points}));
    for (const std::uint32_t size : {1'009u, 4'099u, 16'411u, 65'537u, 262'147u, 655'373u})
        add_memory(measure_memory<weir::maglev_table>("maglev", {.table_size = size}));
    for (const std::uint32_t probes : {5u, 11u, 21u, 42u})
        add_memory(measure_memory<weir::multi_probe_table>("multi_probe", {.probes = probes}));
    add_memory(measure_memory<weir::rendezvous_table>("rendezvous", {}));
    add_memory(measure_memory<weir::jump_table>("jump", {}));
    add_memory(measure_memory<weir::anchor_table>("anchor", {}));
    add_memory(measure_memory<weir::memento_table>("memento", {}));
    std::printf("\nmaglev by its size, 100 backends: moved without need when one is lost, of 10,000 keys\n");
    for (const std::uint32_t size : {1'009u, 10'007u, 65'537u, 655'373u, 5'000'011u}) {
        const json row = measure<weir::maglev_table>("maglev", 100, {.table_size = size});
        std::printf("%9u slots %8.2f\n", size, 1e4 * row["excess_lose_one"].get<double>());
        sizes.push_back({{"slots", size}, {"excess_lose_one", row["excess_lose_one"]}});
    }
    const json against = ratios();
    if (!json_file.empty()) {
        std::ofstream out{json_file};
        out << json{{"tables", rows},
                    {"weighted", weighted},
                    {"memory", memory},
                    {"maglev_sizes", sizes},
                    {"ratios", against}}
                   .dump(1)
            << '\n';
        if (!out) {
            std::fprintf(stderr, "remap: cannot write '%s'\n", json_file.c_str());
            return 2;
        }
    }
}
