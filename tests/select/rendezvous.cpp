#include <weir/select/rendezvous.hpp>

#include "catch.hpp"
#include "statistics.hpp"

#include <cmath>
#include <string>
#include <vector>

TEST_CASE("the largest weights have exactly their shares") {
    constexpr auto most = weir::weight::max;
    weir::registry<std::string> r;
    std::vector<std::uint64_t> counts(3);
    const std::vector<std::uint32_t> weights{most, most / 3, 1};
    for (const auto w : weights) r.add("w" + std::to_string(w), {.weight = w});
    const weir::rendezvous balancer{r};
    for (std::uint64_t key = 0; key < 20'000; ++key) ++counts[balancer.pick({.key = key}).id().slot];
    CHECK(weir_test::unfair(counts, weights) == "");
}

TEST_CASE("a seed makes another mapping") {
    weir::registry<std::string> r;
    for (int i = 0; i < 4; ++i) r.add("b" + std::to_string(i));
    const weir::rendezvous plain{r};
    const weir::rendezvous<std::string> seeded{r, {.seed = 1}};
    int same = 0;
    for (std::uint64_t key = 0; key < 1000; ++key)
        same += plain.pick({.key = key}).id() == seeded.pick({.key = key}).id() ? 1 : 0;
    CHECK(std::abs(same - 250) <= weir_test::five_sigma(1000, 0.25));
}
