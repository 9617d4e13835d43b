#include <weir/select/ketama.hpp>

#include <string>

int main() {
    weir::registry<std::string> caches;
    const auto only = caches.add("10.0.0.1:11211");
    const weir::ketama balancer{caches};
    return balancer.pick({.key_text = "a key"}).id() == only ? 0 : 1;
}
