#include <weir/select/random.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/alias_cases.hpp"

#include <algorithm>
#include <bit>

using weir_test::unfair;

static_assert(std::same_as<weir::weighted_random<int>, weir::random<int>>);

namespace {

struct drawn {
    weir::registry<int> registry;
    std::vector<weir::backend_id> ids;
    explicit drawn(const std::vector<std::uint32_t>& weights) {
        for (const auto w : weights) ids.push_back(registry.add(static_cast<int>(ids.size()), {.weight = w}));
    }
};

}  // namespace

TEST_CASE("its draws imply the probabilities that other implementations' tables do") {
    const auto cases = weir_test::alias_cases();
    CHECK(cases.size() == 11);
    for (const auto& one : cases) {
        INFO(one.line);
        drawn d{one.weights};
        const weir::view& v = *d.registry.hub()->seen();
        const weir::random_policy::table table = weir::random_policy{}.build(v, nullptr, {});
        // As many even steps in each column, and over all. An index is off by one of them at most in each column where it may
        // be drawn.
        const std::uint64_t columns = std::bit_ceil((std::max)(one.weights.size(), std::size_t{2}));
        const std::uint64_t samples = std::uint64_t{1} << 20, steps = samples / columns;
        std::vector<double> share(one.weights.size());
        for (std::uint64_t i = 0; i < samples; ++i) {
            const std::uint64_t low = ((2 * (i % steps) + 1) << 31) / steps;
            share[table.draw(v, (2 * i + 1) << 43 | low)] += 1 / static_cast<double>(samples);
        }
        const double off = static_cast<double>(columns) / static_cast<double>(samples);
        for (std::size_t i = 0; i < share.size(); ++i) {
            CHECK(std::abs(share[i] - one.gsl[i]) <= off);
            CHECK(std::abs(share[i] - one.finagle[i]) <= off);
        }
    }
}

TEST_CASE("shares among those that are left stay proportional when some are excluded, full or down") {
    const std::vector<std::uint32_t> weights{5, 1, 2, 3, 400};
    drawn d{weights};
    const weir::random draw{d.registry, {.seed = 1}};
    const weir::backend_id heavy[] = {d.ids[4]};  // nearly all draws hit it: the rescue decides most of these
    std::vector<std::uint64_t> counts(5);
    for (int i = 0; i < 20'000; ++i) ++counts[draw.pick({.exclude = heavy}).id().slot];
    CHECK(unfair(counts, std::vector<std::uint32_t>{5, 1, 2, 3, 0}) == "");

    d.registry.set(d.ids[4], weir::condition::draining);
    counts.assign(5, 0);
    for (int i = 0; i < 20'000; ++i) ++counts[draw.pick().id().slot];
    CHECK(unfair(counts, std::vector<std::uint32_t>{5, 1, 2, 3, 0}) == "");
    CHECK(draw.counts()[weir::pick_reason::fallback] > 10'000);
    CHECK(draw.counts()[weir::pick_reason::chosen] >= 20'000);
}

TEST_CASE("successive draws are independent: pairs are as likely as their product") {
    drawn d{{1, 2, 3}};
    const weir::random draw{d.registry, {.seed = 2}};
    std::vector<std::uint64_t> pairs(9);
    std::uint32_t last = draw.pick().id().slot;
    for (int i = 0; i < 60'000; ++i) {
        const std::uint32_t now = draw.pick().id().slot;
        ++pairs[last * 3 + now];
        last = now;
    }
    CHECK(unfair(pairs, std::vector<std::uint32_t>{1, 2, 3, 2, 4, 6, 3, 6, 9}) == "");
}

TEST_CASE("without a seed two selectors draw differently, with the same one alike") {
    drawn d{std::vector<std::uint32_t>(16, 1)};
    const auto sequence = [&](const weir::random<int>& draw) {
        std::vector<std::uint32_t> slots;
        for (int i = 0; i < 64; ++i) slots.push_back(draw.pick().id().slot);
        return slots;
    };
    // Two sequences of 64 draws of 4 bits are equal by chance once in 2^256.
    CHECK(sequence(weir::random{d.registry}) != sequence(weir::random{d.registry}));
    CHECK(sequence(weir::random{d.registry, {.seed = 5}}) == sequence(weir::random{d.registry, {.seed = 5}}));
    CHECK(sequence(weir::random{d.registry, {.seed = 5}}) != sequence(weir::random{d.registry, {.seed = 6}}));
}
