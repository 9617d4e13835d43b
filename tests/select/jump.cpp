#include <weir/select/jump.hpp>

#include "catch.hpp"

#include <string>
#include <vector>

TEST_CASE("a pool that grows and shrinks at the end moves nothing else") {
    weir::registry<std::string> r;
    const weir::jump balancer{r};
    std::vector<weir::backend_id> ids;
    std::vector<std::vector<weir::backend_id>> past;
    const auto homes = [&] {
        std::vector<weir::backend_id> all;
        for (std::uint64_t key = 0; key < 500; ++key) all.push_back(balancer.pick({.key = key}).id());
        return all;
    };
    for (int i = 0; i < 12; ++i) {
        ids.push_back(r.add("b" + std::to_string(i)));
        past.push_back(homes());
        if (i == 0) continue;
        int strays = 0;
        for (std::size_t key = 0; key < 500; ++key)
            strays += past[past.size() - 1][key] != past[past.size() - 2][key] && past.back()[key] != ids.back() ? 1
                                                                                                                 : 0;
        CHECK(strays == 0);
    }
    while (ids.size() > 1) {
        r.remove(ids.back());
        ids.pop_back();
        past.pop_back();
        CHECK((homes() == past.back()));
    }
}
