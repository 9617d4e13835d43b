// Keys that stay where they are: against the key modulo the backends, with weights, and in another process.

#include <weir/weir.hpp>

#include <cstdio>
#include <string>
#include <vector>

int main() {
    // [stay
    weir::registry<std::string> caches;
    for (int i = 0; i < 10; ++i) caches.add("10.0.0." + std::to_string(i) + ":80");
    weir::anchor balancer{caches};

    std::vector<std::string> homes;
    homes.reserve(10'000);
    for (std::uint64_t user = 0; user < 10'000; ++user) homes.push_back(*balancer.pick({.key = user}));
    caches.remove(*caches.find("10.0.0.3:80"));
    int moved = 0, by_modulo = 0;
    for (std::uint64_t user = 0; user < 10'000; ++user) {
        moved += *balancer.pick({.key = user}) != homes[user] ? 1 : 0;
        by_modulo += user % 10 != user % 9 ? 1 : 0;
    }
    std::printf("one of ten leaves: %d of 10,000 keys move, by the key modulo the caches %d\n", moved, by_modulo);
    // stay]

    // [agree
    weir::anchor_table::options same;
    same.state = balancer.table()->state();  // plain data: send it to the other process
    weir::anchor<std::string> other{caches, same};
    // agree]

    int apart = 0;
    for (std::uint64_t user = 0; user < 10'000; ++user)
        apart += *other.pick({.key = user}) != *balancer.pick({.key = user}) ? 1 : 0;
    std::printf("with the state of the first, another selector differs in %d keys\n", apart);
    return moved < 1200 && apart == 0 ? 0 : 1;
}
