#if __has_include(<weir/weir.hpp>)
#include <weir/weir.hpp>
#else
#include <weir/version.hpp>
#endif

#include <cstdint>
#include <string>
#include <thread>

struct server {
    std::string host;
    std::uint16_t port;
};
std::string identity(const server& s) { return s.host + ':' + std::to_string(s.port); }

int balance() {
#if __has_include(<weir/weir.hpp>)
    weir::registry<server> servers;
    auto a = servers.add({"10.0.0.1", 80}, {.weight = 3});
    servers.add({"10.0.0.2", 80});

    weir::least_connections balancer{servers};
    servers.set(a, weir::condition::draining);
    auto lease = balancer.pick();
    if (!lease || lease->host != "10.0.0.2") return 1;
    lease.complete(weir::outcome::success);
#endif
    return WEIR_VERSION_MAJOR >= 0 ? 0 : 1;
}

// In a thread, because a header-only library that needs them must bring the linker's flag for them.
int main() {
    int result = 1;
    std::thread([&] { result = balance(); }).join();
    return result;
}
