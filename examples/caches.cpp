// The README's second example: keys, retries, lists and batches.

#include <weir/weir.hpp>

#include <cstdio>
#include <string>
#include <vector>

static bool fetch(const std::string& node, const std::string& path) {
    std::printf("%s from %s\n", path.c_str(), node.c_str());
    return node != "10.0.0.1:80";  // that one is down
}

int main() {
    // [keys
    weir::registry<std::string> nodes;
    nodes.add("10.0.0.1:80");
    nodes.add("10.0.0.2:80");
    weir::ring_hash caches{nodes};
    const std::string path = "/index.html";

    std::vector<weir::backend_id> tried;
    for (int attempt = 0; attempt < 3; ++attempt) {
        auto lease = caches.pick({.key = weir::hash(path), .exclude = tried});
        if (!lease) break;
        const bool ok = fetch(*lease, path);
        lease.complete(ok ? weir::outcome::success : weir::outcome::connect_failure);
        if (ok) break;
        tried.push_back(lease.id());
    }

    auto changes = nodes.assign(std::vector<std::string>{"10.0.0.2:80", "10.0.0.3:80"});
    nodes.update([&](auto& change) {
        for (const auto id : changes.added) change.set_weight(id, 2);
        change.add("10.0.0.4:80", {.weight = 2, .max_in_flight = 100});
    });
    for (const auto& m : nodes.members()) std::printf("%s: %u in flight\n", m.identity.c_str(), m.in_flight);
    // keys]
    return nodes.size() == 3 && changes.removed.size() == 1 && tried.size() < 2 ? 0 : 1;
}
