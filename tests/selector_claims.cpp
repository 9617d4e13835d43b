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
            for (int i = 0; i < 40; ++i)
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
    check([](servers& r) { return weir::round_robin<int, weir::per_thread_cursor>{r}; });
    check([](servers& r) { return weir::random{r}; });
    check([](servers& r) { return weir::random{r, weir::selector_options{.seed = 1}}; });
    check([](servers& r) { return weir::least_connections{r}; });
    check([](servers& r) { return weir::nginx_least_conn{r}; });
    check([](servers& r) { return weir::haproxy_leastconn{r}; });
    check([](servers& r) { return weir::first{r}; });
    check([](servers& r) { return weir::power_of_two{r}; });
    check([](servers& r) { return weir::p2c_peak_ewma{r}; });
    check([](servers& r) { return weir::choices{r, weir::ewma{}}; });
    check([](servers& r) { return weir::least_response_time{r}; });
    check([](servers& r) { return weir::ring_hash{r}; });
    check([](servers& r) { return weir::nginx_hash{r}; });
    check([](servers& r) { return weir::nginx_consistent_hash{r}; });
    check([](servers& r) { return weir::haproxy_hash{r}; });
    check([](servers& r) { return weir::haproxy_map{r}; });
    check([](servers& r) { return weir::envoy_ring_hash{r}; });
    check([](servers& r) { return weir::grpc_ring_hash{r}; });
    check([](servers& r) { return weir::envoy_maglev{r}; });
    check([](servers& r) { return weir::katran_maglev{r}; });
    check([](servers& r) { return weir::maglev{r}; });
    check([](servers& r) { return weir::rendezvous{r}; });
    check([](servers& r) { return weir::jump{r}; });
    check([](servers& r) { return weir::multi_probe{r}; });
    check([](servers& r) { return weir::anchor{r}; });
    check([](servers& r) { return weir::memento{r}; });
    check([](servers& r) { return weir::ip_hash{r}; });
    check([](servers& r) { return weir::basic_selector{r, weir::bounded_load{weir::ring_hash_policy{}}}; });
    check([](servers& r) { return weir::basic_selector{r, weir::bounded_load{weir::round_robin_policy{}}}; });
    check([](servers& r) { return weir::basic_selector{r, weir::priority{weir::round_robin_policy{}}}; });
    check([](servers& r) { return weir::basic_selector{r, weir::sticky{weir::round_robin_policy{}}}; });
    check([](servers& r) { return weir::basic_selector{r, weir::slow_start{weir::ring_hash_policy{}}}; });
    check([](servers& r) {
        const weir::basic_selector s{r, weir::slow_start{weir::round_robin_policy{}}};
        r.add(40);  // which is warming
        return s;
    });
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
