#include <weir/select/ip_hash.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/backends.hpp"
#include "support/vectors.hpp"

#include <map>
#include <set>

using weir::ip_hash_order;
using weir::pick_reason;

namespace {

struct server {
    std::string name;
    std::uint32_t weight = 1;
    bool down = false;
};

/// The upstream blocks of nginx_ip_hash.csv.
std::vector<server> block(const std::string& name) {
    const auto at = [](const std::string& host, const std::string& port) { return host + ':' + port; };
    if (name == "iphash_ips") return {{"127.0.0.2:19001"}, {"127.0.0.3:19001"}, {"127.0.0.4:19001"}};
    if (name == "iphash_eq5_without3")
        return {{"127.0.0.1:19001"}, {"127.0.0.1:19002"}, {"127.0.0.1:19004"}, {"127.0.0.1:19005"}};
    std::vector<std::uint32_t> weights(name.find("eq3") != std::string::npos ? 3 : 5, 1);
    if (name.find("w_1_2_3") != std::string::npos) weights = {1, 2, 3};
    if (name.find("w_5_1_1") != std::string::npos) weights = {5, 1, 1};
    std::vector<server> servers;
    for (const auto w : weights) servers.push_back({at("127.0.0.1", "1900" + std::to_string(servers.size() + 1)), w});
    if (const auto down = name.find("_down"); down != std::string::npos)
        servers.at(std::stoul(name.substr(down + 5)) - 1).down = true;
    return servers;
}

}  // namespace

TEST_CASE("every client goes where a running nginx sent it") {
    std::map<std::string, int> rows;
    for (const ip_hash_order order : {ip_hash_order::by_identity, ip_hash_order::as_added}) {
        std::map<std::string, std::unique_ptr<weir::registry<std::string>>> blocks;
        for (const auto& row : weir_test::vector_rows("nginx_ip_hash.csv")) {
            auto& r = blocks[row.at(0)];
            const auto servers = block(row.at(0));
            if (r == nullptr) {
                r = std::make_unique<weir::registry<std::string>>();
                for (const auto& s : servers) {
                    const auto id = r->add(s.name, {.weight = s.weight});
                    if (s.down) r->set(id, weir::condition::disabled);
                }
            }
            const weir::ip_hash<std::string> balancer{*r, order};
            INFO(row[0] << ' ' << row[1]);
            const auto lease = balancer.pick({.key_text = row[1]});
            CHECK(*lease == servers.at(std::stoul(row.at(2))).name);
            CHECK(lease.id() ==
                  balancer.pick({.key = weir::nginx_ip_table::key(*weir::ip_address::parse(row[1]))}).id());
            ++rows[row[0]];
        }
    }
    int all = 0;
    for (const auto& [name, count] : rows) all += count;
    CHECK(rows.size() == 8);
    CHECK(all == 2 * 702);
}

TEST_CASE("by identity the order of arrival does not count; as added it is nginx's block") {
    const std::vector<std::string> names{"a", "b", "c", "d"};
    weir::registry<std::string> forward, backward;
    for (std::size_t i = 0; i < 4; ++i) {
        forward.add(names[i]);
        backward.add(names[3 - i]);
    }
    const weir::ip_hash one{forward}, other{backward};
    const weir::ip_hash listed{forward, ip_hash_order::as_added}, reversed{backward, ip_hash_order::as_added};
    int moved = 0;
    for (int i = 0; i < 200; ++i) {
        const std::string client = "10." + std::to_string(i) + ".7.1";
        CHECK(*one.pick({.key_text = client}) == *other.pick({.key_text = client}));
        CHECK(*one.pick({.key_text = client}) == *listed.pick({.key_text = client}));
        moved += *one.pick({.key_text = client}) != *reversed.pick({.key_text = client}) ? 1 : 0;
    }
    CHECK(moved == 200);  // an even number of equals: the mirrored order leaves nobody where it was

    // A slot that is used again does not put its new user into the place of the old one.
    const auto b = *forward.find("b");
    forward.remove(b);
    CHECK(forward.add("aa").slot == b.slot);
    weir::registry<std::string> appended;
    for (const char* const name : {"a", "c", "d", "aa"}) appended.add(name);
    const weir::ip_hash same{appended, ip_hash_order::as_added};
    for (int i = 0; i < 200; ++i) {
        const std::string client = "10." + std::to_string(i) + ".7.1";
        CHECK(*listed.pick({.key_text = client}) == *same.pick({.key_text = client}));
    }
}

TEST_CASE("when one is out only its clients go elsewhere, and they come back") {
    weir::registry<int> r;
    for (int i = 0; i < 6; ++i) r.add(i, {.weight = 1 + i % 3, .identity = "s" + std::to_string(i)});
    const weir::ip_hash balancer{r};
    const auto homes = [&] {
        std::vector<int> all;
        for (int i = 0; i < 600; ++i)
            all.push_back(
                *balancer.pick({.key_text = "10." + std::to_string(i % 250) + '.' + std::to_string(i / 250) + ".1"}));
        return all;
    };
    const auto at_first = homes();
    r.set(*r.find("s2"), weir::condition::failed_check);
    const auto now = homes();
    for (std::size_t i = 0; i < now.size(); ++i) {
        CHECK((now[i] != at_first[i]) == (at_first[i] == 2));
        CHECK(now[i] != 2);
    }
    r.clear(*r.find("s2"), weir::condition::failed_check);
    CHECK(homes() == at_first);
}

TEST_CASE("after 21 candidates that are out the backends take turns") {
    weir::registry<int> r;
    std::vector<weir::backend_id> ids;
    for (int i = 0; i < 400; ++i) ids.push_back(r.add(i, {.identity = "s" + std::to_string(i)}));
    const weir::ip_hash balancer{r};
    // Three are left, each with 1 / 400 of the hash: most of 300 clients do not find them.
    r.update([&](auto& change) {
        for (int i = 0; i < 397; ++i) change.set(ids[static_cast<std::size_t>(i)], weir::condition::failed_check);
    });
    std::map<int, int> counts;
    for (int i = 0; i < 300; ++i) {
        const auto lease = balancer.pick({.key_text = "172.16." + std::to_string(i % 250) + ".1"});
        ++counts[*lease];
    }
    CHECK(counts.size() == 3);
    CHECK(balancer.counts()[pick_reason::rerouted] + balancer.counts()[pick_reason::chosen] == 300);
    // Whoever finds one by hash, with probability 21 x 3 / 400, adds to the spread of the turns.
    for (const auto& [backend, count] : counts)
        CHECK(std::abs(count - 100) <= 1 + weir_test::five_sigma(300, 21.0 * 3 / 400));
}

TEST_CASE("without an address it draws by weight") {
    weir::registry<int> r;
    const std::vector<std::uint32_t> weights{1, 2, 0, 5};
    for (const auto w : weights) r.add(static_cast<int>(w), {.weight = w, .identity = "s" + std::to_string(w)});
    const weir::ip_hash balancer{r, ip_hash_order::by_identity, {.seed = 3}};
    for (const char* const text : {"", "unix:", "10.0.0.1:80", "example.org"}) {
        std::vector<std::uint64_t> counts(4);
        for (int i = 0; i < 8000; ++i) {
            const auto lease = balancer.pick({.key_text = text});
            CHECK(lease.reason() == pick_reason::keyless);
            ++counts[lease.id().slot];
        }
        CHECK(weir_test::unfair(counts, weights) == "");
    }
}

TEST_CASE("by identity nameless backends are refused in words; as added they will do") {
    weir::registry<weir_test::nameless> r;
    r.add({1});
    CHECK_THROWS_WITH(weir::ip_hash{r}, "weir: ip_hash orders backends by identity: give the type identity(), set "
                                        "backend_options::identity, or use ip_hash_order::as_added");
    const weir::ip_hash balancer{r, ip_hash_order::as_added};
    CHECK(balancer.pick({.key_text = "10.0.0.1"})->value == 1);
    CHECK_THROWS_AS(r.add({2}, {.weight = 6271}), std::invalid_argument);
    CHECK(r.size() == 1);
}
