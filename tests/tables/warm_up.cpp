#include <weir/tables/warm_up.hpp>

#include "catch.hpp"
#include "statistics.hpp"

#include <weir/random.hpp>

#include <cmath>
#include <limits>

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using weir::slow_start_options;
using weir::warm_up;

namespace {

/// A view of slots with these generations; 0: nobody there.
weir::view members(const std::vector<std::uint32_t>& generations) {
    auto roster = std::make_shared<weir::detail::roster>();
    for (const auto g : generations) {
        roster->records.push_back(nullptr);
        roster->generations.push_back(g);
        roster->weights.push_back(g == 0 ? 0 : 1);
    }
    return {roster, std::vector<weir::conditions>(generations.size()), 1};
}

constexpr slow_start_options defaults{};

}  // namespace

TEST_CASE("the factor is Envoy's: max(10 %, (max(1 ms, t) / window)^(1 / aggression))") {
    const auto old = members({1}), both = members({1, 2});
    struct row {
        nanoseconds t;
        double aggression, factor;
    };
    for (const auto& [t, aggression, factor] :
         {row{0s, 1, 0.1}, row{500ms, 1, 0.1}, row{1s, 1, 0.1}, row{2s, 1, 0.2}, row{5s, 1, 0.5},
          row{9999ms, 1, 0.9999}, row{10s, 1, 1}, row{1h, 1, 1}, row{0s, 2, 0.1}, row{100ms, 2, 0.1},
          row{2500ms, 2, 0.5}, row{5s, 2, std::sqrt(0.5)}, row{5s, 0.5, 0.25}, row{2s, 0.5, 0.1},
          row{0s, 8, std::pow(1e-4, 1.0 / 8)}}) {
        INFO(t.count() << " ns, aggression " << aggression);
        const auto w = warm_up::after(old, nullptr, both, 1h, {.aggression = aggression});
        REQUIRE(w);
        CHECK(w->factor(1, 1h + t) == Approx(factor));
        CHECK(w->factor(0, 1h + t) == 1);
    }
}

TEST_CASE("somebody is warming exactly as long as some eligible backend is younger than the window") {
    const auto old = members({1}), both = members({1, 2});
    CHECK_FALSE(warm_up::after(old, nullptr, old, 1h, defaults));
    CHECK_FALSE(warm_up::after(both, nullptr, old, 1h, defaults));
    CHECK_FALSE(warm_up::after(old, nullptr, both, 1h, {.window = 0s}));
    const auto w = warm_up::after(old, nullptr, both, 1h, defaults);
    REQUIRE(w);
    const auto clock = [] { return nanoseconds{1h + 9s}; };
    CHECK_FALSE(w->over(1h + 9999ms, clock));
    CHECK(w->over(1h + 10s, clock));
    CHECK_FALSE(w->known_over());  // said a pick that was told the time, not the clock
    CHECK_FALSE(w->over(1h + 9s, clock));
    CHECK(w->over(1h + 10s, [] { return nanoseconds{1h + 10s}; }));
    CHECK(w->known_over());
    CHECK(warm_up::after(both, w.get(), both, 1h + 9s, defaults));
    CHECK_FALSE(warm_up::after(both, w.get(), both, 1h + 10s, defaults));
}

TEST_CASE("who stays keeps its start through updates; who is new in a used slot, or back again, starts anew") {
    const auto old = members({1, 0}), both = members({1, 2}), reused = members({1, 3}), three = members({1, 2, 4});
    const auto first = warm_up::after(old, nullptr, both, 100s, defaults);
    const auto kept = warm_up::after(both, first.get(), both, 104s, defaults);
    CHECK(kept->factor(1, 105s) == Approx(0.5));
    const auto grown = warm_up::after(both, kept.get(), three, 105s, defaults);
    CHECK(grown->factor(1, 107s) == Approx(0.7));
    CHECK(grown->factor(2, 107s) == Approx(0.2));
    const auto other = warm_up::after(both, kept.get(), reused, 105s, defaults);
    CHECK(other->factor(1, 107s) == Approx(0.2));
    CHECK_FALSE(warm_up::after(both, kept.get(), old, 105s, defaults));
    const auto back = warm_up::after(old, nullptr, both, 106s, defaults);
    CHECK(back->factor(1, 107s) == Approx(0.1));
}

TEST_CASE("a pool that starts as a whole has all of its shares at once, and later ones are held against the oldest") {
    const auto nobody = members({}), three = members({1, 2, 3}), four = members({1, 2, 3, 4});
    const auto cold = warm_up::after(nobody, nullptr, three, 100s, defaults);
    REQUIRE(cold);
    for (const nanoseconds now : {100s, 101s, 109s, 200s})
        for (const std::uint32_t i : {0u, 1u, 2u}) CHECK(cold->factor(i, now) == 1);
    const auto grown = warm_up::after(three, cold.get(), four, 102s, defaults);
    CHECK(grown->factor(0, 103s) == 1);
    CHECK(grown->factor(3, 102s) == Approx(0.1));
    CHECK(grown->factor(3, 103s) == Approx(1.0 / 3));
    CHECK(grown->factor(3, 106s) == Approx(4.0 / 6));
    CHECK(grown->factor(3, 111s) == Approx(0.9));
    CHECK(grown->factor(3, 112s) == 1);
}

TEST_CASE("factors only grow, are finite, and never below the floor, for any clock") {
    weir::generator random{1};
    constexpr nanoseconds most{std::numeric_limits<std::int64_t>::max()}, least{-most};
    int wrong = 0;
    for (int round = 0; round < 500; ++round) {
        const slow_start_options o{.window = nanoseconds{static_cast<std::int64_t>(random() >> (1 + random.below(50)))},
                                   .aggression = 0.1 + static_cast<double>(random.below(100)) / 10,
                                   .floor = static_cast<double>(1 + random.below(100)) / 100};
        const auto nobody = members({}), one = members({1}), two = members({1, 2});
        const nanoseconds start{static_cast<std::int64_t>(random() >> (2 + random.below(50)))};
        const nanoseconds later = start + nanoseconds{static_cast<std::int64_t>(random() >> (4 + random.below(50)))};
        const auto first = warm_up::after(nobody, nullptr, one, start, o);
        const auto both = warm_up::after(one, first.get(), two, later, o);
        if (!both) continue;
        double last = 0;
        nanoseconds now = later;
        for (int i = 0; i < 60; ++i) {
            const double factor = both->factor(1, now);
            wrong += factor >= last && factor >= o.floor && factor <= 1 ? 0 : 1;
            wrong += both->factor(0, now) == 1 ? 0 : 1;
            last = factor;
            now += (std::min)(nanoseconds{1LL << i}, most - now);
        }
        for (const nanoseconds odd : {least, nanoseconds{-1}, nanoseconds{0}, most})
            wrong += both->factor(1, odd) >= o.floor && both->factor(1, odd) <= 1 ? 0 : 1;
    }
    CHECK(wrong == 0);
}

TEST_CASE("a factor admits its part of all bits, and whoever is admitted stays so") {
    const auto w = warm_up::after(members({1}), nullptr, members({1, 2}), 100s, defaults);
    weir::generator random{1};
    int admitted[3] = {}, taken_back = 0;
    constexpr int rolls = 20'000;
    for (int i = 0; i < rolls; ++i) {
        const std::uint64_t bits = random();
        const bool at[] = {w->admits(1, bits, 100s), w->admits(1, bits, 103s), w->admits(1, bits, 108s)};
        for (int k = 0; k < 3; ++k) admitted[k] += at[k] ? 1 : 0;
        taken_back += (at[0] && !at[1]) || (at[1] && !at[2]) ? 1 : 0;
        if (!w->admits(0, bits, 100s) || !w->admits(1, bits, 110s)) ++taken_back;
    }
    CHECK(taken_back == 0);
    const double expected[] = {0.1, 0.3, 0.8};
    for (int k = 0; k < 3; ++k)
        CHECK(std::abs(admitted[k] - rolls * expected[k]) <= weir_test::five_sigma(rolls, expected[k]));
    CHECK(w->admits(1, 0, 100s));
    CHECK_FALSE(w->admits(1, ~std::uint64_t{0}, 109s));
}

TEST_CASE("options out of bounds are refused in words, whoever is warming") {
    const auto old = members({1}), both = members({1, 2});
    const auto with = [&](const slow_start_options& o, const weir::view& next) {
        return warm_up::after(old, nullptr, next, 1h, o);
    };
    CHECK_THROWS_WITH(with({.window = -1ns}, both), "weir: warm_up: a window of -1 ns is below 0");
    CHECK_THROWS_WITH(with({.aggression = 0}, both),
                      "weir: warm_up: an aggression of 0.000000 is not above 0 and finite");
    CHECK_THROWS_WITH(with({.floor = 1.5}, both), "weir: warm_up: a floor of 1.500000 is not above 0 and at most 1");
    constexpr double nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
    for (const double bad : {-1.0, nan, infinite}) {
        CHECK_THROWS_AS(with({.aggression = bad}, old), std::invalid_argument);
        CHECK_THROWS_AS(with({.floor = bad}, old), std::invalid_argument);
    }
    CHECK_NOTHROW(with({.window = 0s, .aggression = 1e-9, .floor = 1}, both));
}
