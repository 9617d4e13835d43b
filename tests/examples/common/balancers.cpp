#include "../../../examples/common/balancers.hpp"

#include "catch.hpp"

#include <set>
#include <stdexcept>
#include <string>

TEST_CASE("every name makes its own selector, which picks") {
    weir::registry<std::string> servers;
    for (const std::string name : {"a", "b", "c"}) servers.add(name);
    std::set<std::string_view> names;
    for (const std::string_view name : examples::balancer_names) {
        CAPTURE(name);
        CHECK(names.insert(name).second);
        const auto pick = examples::balancer<std::string>(name, servers);
        for (std::uint64_t key = 0; key < 100; ++key) {
            auto lease = pick({.key = key});
            REQUIRE(lease);
            lease.complete(weir::outcome::success);
        }
    }
}

TEST_CASE("an unknown name is refused with all that are known") {
    weir::registry<std::string> servers;
    std::string text;
    try {
        (void)examples::balancer<std::string>("best", servers);
    } catch (const std::invalid_argument& wrong) {
        text = wrong.what();
    }
    CHECK(text.find("'best'") != text.npos);
    for (const std::string_view name : examples::balancer_names) CHECK(text.find(name) != text.npos);
}

TEST_CASE("keys are what the user chose, or what the selector hashes") {
    CHECK(examples::key_for("ip_hash", "") == "ip");
    CHECK(examples::key_for("ip_hash", "ip") == "ip");
    CHECK(examples::key_for("ring_hash", "") == "path");
    CHECK(examples::key_for("ring_hash", "header:X") == "header:X");
    CHECK_THROWS_WITH(examples::key_for("ip_hash", "path"), "'path': expected ip, the one key that ip_hash hashes");
}

TEST_CASE("a seed makes a selector's draws repeatable") {
    weir::registry<std::string> servers;
    for (int i = 0; i < 10; ++i) servers.add(std::to_string(i));
    const auto first = examples::balancer<std::string>("random", servers, {.seed = 1});
    const auto second = examples::balancer<std::string>("random", servers, {.seed = 1});
    for (int i = 0; i < 100; ++i) CHECK(*first({}) == *second({}));
}
