#include <weir/load/metric.hpp>

#include "catch.hpp"

#include <weir/registry.hpp>
#include <weir/select/least_load.hpp>

#include <cstdint>

namespace {

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

TEST_CASE("weights divide scores of any type without overflow") {
    using weir::detail::lighter;
    CHECK(lighter(std::uint32_t{1}, 1u << 31, std::uint32_t{1}, 1u));
    CHECK(lighter(std::uint64_t{1} << 63, 4'000'000'000u, std::uint64_t{1} << 63, 3'999'999'999u));
    CHECK_FALSE(lighter(std::uint64_t{1} << 63, 3u, std::uint64_t{1} << 62, 3u));
    CHECK(lighter(std::int64_t{5'000'000'000}, 4'000'000'000u, std::int64_t{5'000'000'001}, 4'000'000'000u));
    CHECK(lighter(1.5, 2u, 1.0, 1u));
    CHECK_FALSE(lighter(0u, 1u, 0u, 2u));  // a tie
}

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
