// Hot keys: with a bound they spill over, in an order of their own.

#include <weir/weir.hpp>

#include <cstdio>
#include <string>
#include <vector>

int main() {
    weir::registry<std::string> caches;
    for (int i = 0; i < 10; ++i) caches.add("cache-" + std::to_string(i));

    // [bound
    weir::basic_selector balancer{caches, weir::bounded_load{weir::ring_hash_policy{}, 1.25}};
    std::vector<weir::lease<std::string>> held(100);
    for (auto& one : held) one = balancer.pick({.key = weir::hash("the video of the day")});
    // bound]

    std::size_t most = 0, spilled = 0;
    for (const auto& m : caches.members()) most = m.in_flight > most ? m.in_flight : most;
    for (const auto& one : held) spilled += one.reason() == weir::pick_reason::spilled ? 1 : 0;
    std::printf("one key, 100 requests at once, 10 caches: at most %zu on a cache, %zu spilled\n", most, spilled);
    return most == 13 ? 0 : 1;
}
