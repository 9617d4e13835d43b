#include <weir/select/choices.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/manual_clock.hpp"

using weir::pick_reason;
using weir_test::manual_clock;
using weir_test::unfair;

namespace {

template <class Selector>
std::vector<std::uint64_t> count(const Selector& selector, std::size_t slots, int picks) {
    std::vector<std::uint64_t> counts(slots);
    for (int i = 0; i < picks; ++i) ++counts[selector.pick().id().slot];
    return counts;
}

struct by_failures {
    static constexpr bool timed = false;
    struct pool {};
    struct state {
        std::atomic<std::uint32_t> failures{0};
    };
    void join(pool&, state&) const noexcept {}
    void leave(pool&, state&) const noexcept {}
    void on_end(pool&, state& s, weir::outcome how, std::chrono::nanoseconds, std::chrono::nanoseconds) const noexcept {
        if (how == weir::outcome::failure) ++s.failures;
    }
    double score(const pool&, const state& s, const weir::load_reading& r) const noexcept {
        return r.in_flight + s.failures.load();
    }
    bool operator==(const by_failures&) const = default;
};

}  // namespace

TEST_CASE("choices never draws the same backend twice: of two the loaded one is never chosen") {
    for (const bool third_is_down : {false, true}) {  // everybody eligible has a path of its own
        weir::registry<int> r;
        r.add(0);
        r.add(1);
        if (third_is_down) r.set(r.add(2), weir::condition::failed_check);
        const weir::power_of_two two{r, {.seed = 1}};
        const weir::choices<int, weir::in_flight, 3> three{r, {}, {.seed = 1}};
        const auto held = two.pick();
        for (int i = 0; i < 2000; ++i) {
            CHECK(two.pick().id() != held.id());
            CHECK(three.pick().id() != held.id());
        }
    }
}

TEST_CASE("weights however uneven leave a hung backend with competition: of 1 and 1000 the light one gets the picks") {
    for (const std::uint32_t heavy_weight : {10u, 1000u})
        for (const std::size_t light : {1u, 2u, 20u})
            for (const bool restricted : {false, true}) {  // everybody eligible has a path of its own
                INFO("1:" << heavy_weight << ", " << light << " light" << (restricted ? ", another excluded" : ""));
                weir::registry<int, manual_clock> r;
                std::vector<weir::backend_id> others;
                const auto add_light = [&] {
                    while (others.size() < light) others.push_back(r.add(static_cast<int>(others.size())));
                };
                if (light != 2) add_light();  // the heavy one is the last slot, or the first
                const auto heavy = r.add(-1, {.weight = heavy_weight});
                add_light();
                const weir::power_of_two two{r, {.seed = 9}};
                const weir::choices<int, weir::in_flight, 3> three{r, {}, {.seed = 9}};
                const weir::choices by_latency{r, weir::peak_ewma{}, weir::selector_options{.seed = 9}};
                std::vector<weir::backend_id> exclude;
                if (restricted) exclude.push_back(r.add(-2, {.weight = heavy_weight}));

                const auto at_rest = [&](const auto& selector) {
                    std::vector<std::uint64_t> counts(r.members().size());
                    for (int i = 0; i < 20'000; ++i) ++counts[selector.pick({.exclude = exclude}).id().slot];
                    std::vector<std::uint32_t> weights(counts.size(), 1);
                    weights[heavy.slot] = heavy_weight;
                    if (restricted) weights.back() = 0;
                    return unfair(counts, weights);
                };
                CHECK(at_rest(two) == "");
                CHECK(at_rest(three) == "");
                CHECK(at_rest(by_latency) == "");

                if (restricted) others.push_back(exclude.front());
                std::vector<weir::lease<int>> hung;
                for (int i = 0; i < 3; ++i) hung.push_back(two.pick({.exclude = others}));
                const auto again = [&](const auto& selector) {
                    int picks = 0;
                    for (int i = 0; i < 2'000; ++i) picks += selector.pick({.exclude = exclude}).id() == heavy ? 1 : 0;
                    return picks;
                };
                CHECK(again(two) == 0);
                CHECK(again(three) == 0);
            }
}

TEST_CASE("the busiest of n is never chosen, and of all but one busy the idle one is as often as it is drawn") {
    weir::registry<int> r;
    for (int i = 0; i < 10; ++i) r.add(i);
    const weir::power_of_two two{r, {.seed = 2}};
    std::vector<weir::lease<int>> held;
    std::vector<weir::backend_id> all;
    for (const auto& m : r.members()) all.push_back(m.id);
    for (std::size_t i = 1; i < 10; ++i) {  // i leases on backend i
        auto others = all;
        others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
        for (std::size_t k = 0; k < i; ++k) held.push_back(two.pick({.exclude = others}));
    }
    // Drawn without replacement, rank k of n (0 the least loaded) wins with probability 2 (n - 1 - k) / (n (n - 1)).
    std::vector<std::uint32_t> expected;
    for (std::uint32_t k = 0; k < 10; ++k) expected.push_back(9 - k);
    CHECK(unfair(count(two, 10, 50'000), expected) == "");
    // And of three: the chance that both others are busier.
    const weir::choices<int, weir::in_flight, 3> three{r, {}, {.seed = 2}};
    expected.clear();
    for (std::uint32_t k = 0; k < 10; ++k) expected.push_back((9 - k) * (8 - std::min(k, 8u)) / 2);
    CHECK(unfair(count(three, 10, 50'000), expected) == "");
}

TEST_CASE("a tie goes to the first drawn: idle backends of weights 1, 1, 8 get .10, .10, .80") {
    weir::registry<int, manual_clock> r;
    for (const std::uint32_t w : {1u, 1u, 8u}) r.add(static_cast<int>(r.size()), {.weight = w});
    const std::vector<std::uint32_t> weights{1, 1, 8};
    CHECK(unfair(count(weir::power_of_two{r, {.seed = 3}}, 3, 50'000), weights) == "");
    CHECK(unfair(count(weir::choices{r, weir::peak_ewma{}, weir::selector_options{.seed = 3}}, 3, 50'000), weights) ==
          "");
    CHECK(unfair(count(weir::choices<int, weir::in_flight, 16>{r, {}, {.seed = 3}}, 3, 50'000), weights) == "");
}

TEST_CASE("what is compared is load / weight") {
    weir::registry<int> r;
    const auto light = r.add(0), heavy = r.add(1, {.weight = 4});
    const weir::choices<int, weir::in_flight, 16> all{r, {}, {.seed = 4}};
    const weir::backend_id no_light[] = {light}, no_heavy[] = {heavy};
    std::vector<weir::lease<int>> held;
    held.push_back(all.pick({.exclude = no_heavy}));
    for (int i = 0; i < 3; ++i) held.push_back(all.pick({.exclude = no_light}));
    // 1 / 1 against 3 / 4
    for (int i = 0; i < 200; ++i) CHECK(all.pick().id() == heavy);
    for (int i = 0; i < 2; ++i) held.push_back(all.pick({.exclude = no_light}));
    // 1 / 1 against 5 / 4
    int to_light = 0;
    for (int i = 0; i < 200; ++i) to_light += all.pick().id() == light ? 1 : 0;
    CHECK(to_light == 200);
}

TEST_CASE("held leases of weighted backends settle in proportion to the weights") {
    weir::registry<int> r;
    const std::vector<std::uint32_t> weights{1, 2, 5};
    for (const auto w : weights) r.add(static_cast<int>(r.size()), {.weight = w});
    const weir::choices<int, weir::in_flight, 3> all{r, {}, {.seed = 5}};
    std::vector<weir::lease<int>> held;
    for (int i = 0; i < 800; ++i) held.push_back(all.pick());
    const auto members = r.members();
    // All three are compared but for draws given up: each is within a pick or two of load / weight of the others.
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(std::abs(members[i].in_flight - 100.0 * weights[i]) <= weir_test::five_sigma(800, weights[i] / 8.0));
}

TEST_CASE("one that may not be chosen is drawn again, never compared, and the reason says so") {
    weir::registry<int> r;
    std::vector<weir::backend_id> ids;
    for (int i = 0; i < 3; ++i) ids.push_back(r.add(i));
    const weir::power_of_two two{r, {.seed = 6}};
    const weir::backend_id busy_others[] = {ids[0]};
    auto held = two.pick({.exclude = busy_others});
    // ids[0] is idle and would win each comparison; being down it must not.
    r.set(ids[0], weir::condition::unreachable);
    for (int i = 0; i < 500; ++i) {
        const auto lease = two.pick();
        CHECK(lease.id() != ids[0]);
        CHECK(lease.id() != held.id());
        CHECK(lease.reason() == pick_reason::chosen);  // the ineligible are not drawn at all
    }
    const weir::backend_id exclude[] = {ids[1]};
    int rerouted = 0;
    for (int i = 0; i < 500; ++i) {
        const auto lease = two.pick({.exclude = exclude});
        CHECK(lease.id() == ids[2]);
        rerouted += lease.reason() == pick_reason::rerouted ? 1 : 0;
    }
    CHECK(rerouted > 0);
}

TEST_CASE("with fewer backends than D all are compared, and one is enough") {
    weir::registry<int> r;
    const weir::choices<int, weir::in_flight, 5> five{r, {}, {.seed = 7}};
    CHECK(five.pick().error() == weir::pick_error::empty);
    r.add(0);
    CHECK(*five.pick() == 0);
    r.add(1);
    auto held = five.pick();
    for (int i = 0; i < 100; ++i) CHECK(five.pick().id() != held.id());
}

TEST_CASE("a metric of the user's own chooses") {
    weir::registry<int> r;
    r.add(0);
    r.add(1);
    const weir::choices chooser{r, by_failures{}, weir::selector_options{.seed = 8}};
    auto first = chooser.pick();
    const auto failing = first.id();
    first.complete(weir::outcome::failure);
    for (int i = 0; i < 100; ++i) CHECK(chooser.pick().id() != failing);
    static_assert(weir::metric<by_failures> && !weir::metric<int>);
}
