// Agreeing with software that runs already, and keys from strangers.

#include <weir/weir.hpp>

#include <cstdio>
#include <string>
#include <vector>

int main() {
    // [dialects
    weir::registry<std::string> servers;  // spelled as in nginx's configuration
    for (const char* const name : {"127.0.0.1:19001", "127.0.0.1:19002", "127.0.0.1:19003"}) servers.add(name);
    weir::nginx_consistent_hash as_nginx{servers};
    auto lease = as_nginx.pick({.key_text = "key14"});  // the text that nginx would hash

    weir::haproxy_hash<std::string> as_haproxy{servers, {.function = weir::haproxy_function::djb2, .avalanche = true}};
    auto other = as_haproxy.pick({.key_text = "key14"});
    // dialects]
    std::printf("nginx: %s, HAProxy: %s\n", lease->c_str(), other->c_str());

    // [state
    const auto ids = as_haproxy.table()->state();  // who has which id: give it to the next process
    weir::haproxy_hash<std::string> the_same{servers, {.function = weir::haproxy_function::djb2, .state = ids}};
    // state]

    // [strangers
    const weir::siphash_2_4 secret{0x0123456789abcdef, 0xfedcba9876543210};  // better: of std::random_device
    weir::basic_selector bounded{servers, weir::bounded_load{weir::ring_hash_policy{}, 1.25}};
    auto held = bounded.pick({.key = weir::hash("a cookie that anybody may set", secret)});
    // strangers]
    return *lease == "127.0.0.1:19003" && other && held && the_same.table()->state() == ids ? 0 : 1;
}
