// A selector of one's own: the first backend takes everything until it has 8 leases, then the next one does.

#include <weir/selector.hpp>

#include <iostream>
#include <string>
#include <vector>

// [policy
struct fill_in_order {
    struct table {};  // made for each snapshot, immutable
    struct state {};  // shared by all picks

    table build(const weir::view&, const weir::before<table>*, const state&) const { return {}; }

    template <class Accept>
    weir::choice choose(const weir::view& v, const table&, state&, const weir::query&, Accept accept) const noexcept {
        for (const auto i : v.eligible())
            if (accept(i) && v.in_flight(i) < 8) return {.index = i, .bound = 8};
        return {};  // nobody: a weighted draw over all that may be chosen decides
    }
};
// policy]

int main() {
    // [use
    weir::registry<std::string> servers;
    servers.add("first");
    servers.add("second");

    weir::basic_selector balancer{servers, fill_in_order{}};
    auto lease = balancer.pick();
    std::cout << *lease << ", " << to_string(lease.reason()) << '\n';
    // use]

    std::vector<weir::lease<std::string>> more;
    more.reserve(15);
    for (int i = 0; i < 15; ++i) more.push_back(balancer.pick());
    int of_first = *lease == "first" ? 1 : 0;
    for (const auto& one : more) of_first += *one == "first" ? 1 : 0;
    return of_first == 8 && balancer.pick().reason() == weir::pick_reason::fallback ? 0 : 1;
}
