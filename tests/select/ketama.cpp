#include <weir/select/ketama.hpp>

#include "catch.hpp"
#include "support/counting.hpp"
#include "support/vectors.hpp"

#include <weir/adapt/bounded_load.hpp>

namespace {

using pool = weir::registry<std::string>;

void fill(pool& r, const std::vector<std::uint32_t>& weights) {
    for (std::size_t i = 0; i < weights.size(); ++i)
        r.add("10.0.1." + std::to_string(i + 1) + ":11211", {.weight = weights[i]});
}

}  // namespace

TEST_CASE("libmemcached's answers, by a registry and text") {
    pool equal, weighted;
    fill(equal, {1, 1, 1, 1, 1});
    fill(weighted, {600, 300, 200, 350, 1000, 800, 950, 100});
    const weir::ketama five{equal}, eight{weighted};
    const weir::ketama<std::string> plain{equal, {weir::ketama_mode::unweighted}};
    int wrong = 0, rows = 0;
    for (const auto& row : weir_test::vector_rows("ketama_libmemcached.csv")) {
        const auto* const s = row[0] == "weighted_eq5_11211"                          ? &five
                              : row[0] == "weighted_600_300_200_350_1000_800_950_100" ? &eight
                              : row[0] == "ketama_eq5_11211"                          ? &plain
                                                                                      : nullptr;
        if (s == nullptr) continue;
        wrong += s->pick({.key_text = row[1]}).id().slot != std::stoul(row[2]) ? 1 : 0;
        ++rows;
    }
    CHECK(wrong == 0);
    CHECK(rows == 386);
}

TEST_CASE("a pick by MD5 allocates nothing and takes no lock") {
    pool r;
    fill(r, {1, 2, 3});
    const weir::ketama hash{r};
    CHECK(allocations > 0);  // the counter counts
    (void)hash.pick();       // a thread's first pick may register itself
    allocations = locks = 0;
    int picked = 0;
    for (int i = 0; i < 100; ++i) picked += hash.pick({.key_text = "longer than a small string would be"}) ? 1 : 0;
    const int counted = allocations + locks;
    CHECK(counted == 0);
    CHECK(picked == 100);
}

TEST_CASE("bounded load goes over ketama, too") {
    pool r;
    fill(r, std::vector<std::uint32_t>(10, 1));
    const weir::basic_selector bounded{r, weir::bounded_load<weir::ketama_policy>{}};
    std::vector<weir::lease<std::string>> held;
    for (int i = 0; i < 100; ++i) held.push_back(bounded.pick({.key_text = "always the same"}));
    for (const auto& m : r.members()) CHECK(m.in_flight <= 13);
}

static_assert(weir::selector<weir::ketama<std::string>>);
