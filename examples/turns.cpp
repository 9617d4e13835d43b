// Backends in turn, by draw, and by the client's address.

#include <weir/hashing/ip_key.hpp>
#include <weir/select/consistent_hash.hpp>
#include <weir/select/ip_hash.hpp>
#include <weir/select/random.hpp>
#include <weir/select/round_robin.hpp>

#include <iostream>
#include <string>

int main() {
    // [turns
    weir::registry<std::string> servers;
    servers.add("a", {.weight = 5});
    servers.add("b");
    servers.add("c");

    weir::round_robin next{servers};
    std::string order;
    for (int i = 0; i < 14; ++i) order += *next.pick();
    std::cout << order << '\n';  // aabacaaaabacaa
    // turns]

    // [per_thread
    weir::round_robin<std::string, weir::per_thread_cursor> own{servers};
    // per_thread]

    // [draw
    weir::random draw{servers};
    weir::random repeatable{servers, {.seed = 7}};
    // draw]

    // [address
    weir::ip_hash as_nginx{servers};
    auto lease = as_nginx.pick({.key_text = "203.0.113.7"});

    weir::ring_hash by_network{servers};
    auto other = by_network.pick({.key = weir::ip_key("2001:db8:12:34::7", {24, 56})});
    // address]

    const bool right = order == "aabacaaaabacaa" && own.pick() && draw.pick() && repeatable.pick() &&
                       *lease == *as_nginx.pick({.key_text = "203.0.113.99"}) &&
                       *other == *by_network.pick({.key = weir::ip_key("2001:db8:12:ff::1", {24, 56})});
    return right ? 0 : 1;
}
