// The README's example: three servers, one selector, a lease for each request.

#include <weir/weir.hpp>

#include <cstdint>
#include <iostream>
#include <string>

// [ten lines
struct server {
    std::string host;
    std::uint16_t port;
};
std::string identity(const server& s) { return s.host + ':' + std::to_string(s.port); }
// ten lines]

struct answer {
    bool ok;
};
static answer send(const std::string& host, std::uint16_t port) {
    std::cout << "to " << host << ':' << port << '\n';
    return {true};
}
static void respond_503(weir::pick_error why) { std::cout << "503: " << to_string(why) << '\n'; }

int main() {
    // [ten lines
    weir::registry<server> servers;
    auto a = servers.add({"10.0.0.1", 80}, {.weight = 3});
    servers.add({"10.0.0.2", 80});

    weir::least_connections balancer{servers};  // any selector: the same three lines
    if (auto lease = balancer.pick()) {
        auto reply = send(lease->host, lease->port);
        lease.complete(reply.ok ? weir::outcome::success : weir::outcome::failure);
    } else {
        respond_503(lease.error());  // a value: pick never throws
    }
    servers.set(a, weir::condition::draining);    // no new leases, running ones finish
    servers.clear(a, weir::condition::draining);  // back again
    servers.remove(a);                            // for good; the server goes with its last lease
    // ten lines]
    return servers.size() == 1 ? 0 : 1;
}
