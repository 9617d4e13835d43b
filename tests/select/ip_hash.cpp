#include <weir/select/ip_hash.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/backends.hpp"
#include "support/vectors.hpp"

#include <map>
#include <set>

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
    std::map<std::string, std::unique_ptr<weir::registry<std::string>>> blocks;
    int rows = 0;
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
        const weir::ip_hash balancer{*r};
        INFO(row[0] << ' ' << row[1]);
        const auto lease = balancer.pick({.key_text = row[1]});
        CHECK(*lease == servers.at(std::stoul(row.at(2))).name);
        CHECK(lease.id() == balancer.pick({.key = weir::nginx_ip_hash_table::key_of(row[1])}).id());
        ++rows;
    }
    CHECK(blocks.size() == 8);
    CHECK(rows == 702);
}

TEST_CASE("the order is that of arrival, through changes, and another process takes it over") {
    weir::registry<std::string> r, other;
    for (const char* const name : {"b", "a", "d", "c"}) r.add(name);
    const weir::ip_hash balancer{r};
    r.remove(*r.find("a"));
    r.add("e", {.weight = 2});
    for (const char* const name : {"c", "d"}) other.add(name);
    other.add("e", {.weight = 2});
    other.add("b");
    const weir::ip_hash stranger{other}, same{other, {.state = balancer.table()->state()}};
    int different = 0;
    for (int i = 0; i < 200; ++i) {
        const std::string client = "10." + std::to_string(i) + ".7.1";
        CHECK(*balancer.pick({.key_text = client}) == *same.pick({.key_text = client}));
        different += *balancer.pick({.key_text = client}) != *stranger.pick({.key_text = client}) ? 1 : 0;
    }
    CHECK(different > 0);
    weir::ip_hash<std::string> orphan = [] {
        weir::registry<std::string> gone;
        return weir::ip_hash{gone};
    }();
    CHECK(orphan.table() == nullptr);
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
    const weir::ip_hash balancer{r, weir::nginx_ip_hash_table::options{}, weir::selector_options{.seed = 3}};
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

TEST_CASE("nameless backends, and weights that the hash has no values for, are refused in words") {
    weir::registry<weir_test::nameless> r;
    r.add({1});
    CHECK_THROWS_WITH(weir::ip_hash{r}, Catch::Matchers::ContainsSubstring("needs an identity for each backend"));
    weir::registry<int> numbers;
    numbers.add(1);
    const weir::ip_hash balancer{numbers};
    CHECK_THROWS_AS(numbers.add(2, {.weight = 6271}), std::invalid_argument);
    CHECK(numbers.size() == 1);
    CHECK(*balancer.pick({.key_text = "10.0.0.1"}) == 1);
}

TEST_CASE("a text counts before a number, as in every dialect") {
    weir::registry<int> r;
    for (int i = 0; i < 9; ++i) r.add(i);
    const weir::ip_hash balancer{r};
    for (int i = 0; i < 50; ++i) {
        const std::string client = "10." + std::to_string(i) + ".7.1";
        CHECK(*balancer.pick({.key = 5, .key_text = client}) == *balancer.pick({.key_text = client}));
    }
}
