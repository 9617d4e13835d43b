#include <weir/weir.hpp>

#include "catch.hpp"
#include "support/counting.hpp"

#include <vector>

// "Takes no lock, allocates nothing", counted for each selector.

namespace {

using servers = weir::registry<int>;

/// Each way to use a selector, on a pool whose members are partly excluded, ineligible, limited and weighted.
template <class Selector>
void use(const Selector& s, const std::vector<weir::backend_id>& exclude) {
    for (std::uint64_t i = 0; i < 500; ++i) {
        auto plain = s.pick();
        auto keyed = s.pick({.key = i});
        auto other = s.pick({.key = i, .exclude = exclude});
        plain.complete(weir::outcome::success);
        keyed.complete(weir::outcome::failure, std::chrono::milliseconds{1});
        s.choose([](int&) {});
        s.choose({.key_text = "somebody"}, [](int&) {});
    }
}

template <class Make>
void check(const Make& make) {
    for (const bool simple : {true, false}) {
        servers all;
        std::vector<weir::backend_id> ids;
        all.update([&](auto& change) {
            for (int i = 0; i < 20; ++i)
                ids.push_back(
                    change.add(i, {.weight = simple ? 1 : 1 + i % 3, .max_in_flight = simple ? weir::unlimited : 5}));
            if (!simple) change.set(ids[3], weir::condition::draining);
        });
        const auto selector = make(all);
        (void)selector.pick();  // a thread's first pick may register itself
        const std::vector<weir::backend_id> exclude{ids[0], ids[5]};
        allocations = locks = 0;
        use(selector, exclude);
        CHECK(allocations == 0);
        CHECK(locks == 0);
    }
}

}  // namespace

TEST_CASE("picks and leases allocate nothing and take no lock") {
    check([](servers& r) { return weir::round_robin{r}; });
    check([](servers& r) { return weir::random{r}; });
    check([](servers& r) { return weir::random{r, weir::selector_options{.seed = 1}}; });
    check([](servers& r) { return weir::least_connections{r}; });
    check([](servers& r) { return weir::power_of_two{r}; });
    check([](servers& r) { return weir::choices{r, weir::peak_ewma{}}; });
    check([](servers& r) { return weir::ring_hash{r}; });
    check([](servers& r) { return weir::nginx_hash{r}; });
    check([](servers& r) { return weir::nginx_consistent_hash{r}; });
    check([](servers& r) { return weir::haproxy_hash{r}; });
    check([](servers& r) { return weir::haproxy_map{r}; });
    check([](servers& r) { return weir::envoy_ring_hash{r}; });
    check([](servers& r) { return weir::grpc_ring_hash{r}; });
    check([](servers& r) { return weir::envoy_maglev{r}; });
    check([](servers& r) { return weir::katran_maglev{r}; });
    check([](servers& r) { return weir::basic_selector{r, weir::bounded_load{weir::ring_hash_policy{}}}; });
    check([](servers& r) { return weir::basic_selector{r, weir::bounded_load{weir::round_robin_policy{}}}; });
}

TEST_CASE("the counters of this test count") {
    allocations = locks = 0;
    servers all;
    all.add(1);
    CHECK(allocations > 0);
#ifdef WEIR_TEST_COUNTS_LOCKS
    CHECK(locks > 0);
#endif
}
