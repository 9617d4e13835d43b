#include <weir/select/dialects.hpp>

#include "catch.hpp"
#include "support/backends.hpp"
#include "support/haproxy.hpp"

#include <weir/adapt/bounded_load.hpp>

#include <set>

using weir::pick_reason;

namespace {

using pool = weir::registry<std::string>;

std::vector<weir::backend_id> fill(pool& r, const std::string& stem, const std::vector<std::uint32_t>& weights) {
    std::vector<weir::backend_id> ids;
    for (std::size_t i = 0; i < weights.size(); ++i)
        ids.push_back(r.add(stem + std::to_string(i + 1), {.weight = weights[i]}));
    return ids;
}

/// The rows of one of nginx's upstreams: key and answer.
std::vector<std::pair<std::string, std::uint32_t>> nginx_rows(const std::string& upstream) {
    std::vector<std::pair<std::string, std::uint32_t>> rows;
    for (const auto& row : weir_test::vector_rows("nginx_hash.csv"))
        if (row[0] == upstream) rows.emplace_back(row[1], static_cast<std::uint32_t>(std::stoul(row[2])));
    return rows;
}

}  // namespace

TEMPLATE_TEST_CASE("nginx's answers, by a registry and text: weights, and who is down", "",
                   weir::nginx_hash<std::string>, weir::nginx_consistent_hash<std::string>) {
    const std::string prefix = std::is_same_v<TestType, weir::nginx_hash<std::string>> ? "hash_" : "chash_";
    pool equal, weighted;
    const auto of_equal = fill(equal, "127.0.0.1:1900", {1, 1, 1, 1, 1});
    const auto of_weighted = fill(weighted, "127.0.0.1:1900", {1, 2, 3});
    const TestType five{equal}, three{weighted};
    int wrong = 0, rows = 0;
    const auto ask = [&](const TestType& s, const std::string& upstream, const std::vector<weir::backend_id>& ids) {
        for (const auto& [key, answer] : nginx_rows(prefix + upstream)) {
            wrong += s.pick({.key_text = key}).id() != ids[answer] ? 1 : 0;
            ++rows;
        }
    };
    ask(five, "eq5", of_equal);
    ask(three, "w_1_2_3", of_weighted);
    equal.set(of_equal[2], weir::condition::failed_check);
    weighted.set(of_weighted[1], weir::condition::disabled);
    ask(five, "eq5_down3", of_equal);
    ask(three, "w_1_2_3_down2", of_weighted);
    CHECK(wrong == 0);
    CHECK(rows > 450);
}

TEST_CASE("HAProxy's answers, by a registry and text: functions, weights, and who is down") {
    int wrong = 0, rows = 0;
    for (const auto& row : weir_test::haproxy_rows("consistent_")) {
        if (++rows % 7 != 0) continue;
        pool r;
        const auto ids = fill(r, "s", row.servers.weights);
        const weir::haproxy_hash<std::string> hash{r, row.options};
        if (row.down) r.set(ids[*row.down], weir::condition::draining);
        wrong += hash.pick({.key_text = row.key}).id() != ids[row.answer] ? 1 : 0;
    }
    CHECK(wrong == 0);
    CHECK(rows == 1383);
}

TEST_CASE("who is down in HAProxy's map has no slots: with weir, by a weight of 0") {
    int wrong = 0, rows = 0;
    for (const auto& row : weir_test::haproxy_rows("map-based_")) {
        if (!row.down) continue;
        pool r;
        const auto ids = fill(r, "s", row.servers.weights);
        const weir::haproxy_map<std::string> map{r, row.options};
        r.set_weight(ids[*row.down], 0);
        wrong += map.pick({.key_text = row.key}).id() != ids[row.answer] ? 1 : 0;
        ++rows;
    }
    CHECK(wrong == 0);
    CHECK(rows == 143);
}

TEST_CASE("a number is a hash already, a text beside it comes first, and an empty text is no key") {
    pool r;
    fill(r, "10.0.0.", {1, 1, 1, 1});
    const weir::nginx_consistent_hash nginx{r};
    const weir::envoy_ring_hash envoy{r};
    const weir::katran_maglev katran{r};
    for (int i = 0; i < 200; ++i) {
        const std::string text = "/path/" + std::to_string(i);
        const auto by_text = nginx.pick({.key_text = text}).id();
        CHECK(nginx.pick({.key = weir::crc32{}(text)}).id() == by_text);
        CHECK(nginx.pick({.key = 7, .key_text = text}).id() == by_text);
        CHECK(nginx.table()->find(nginx.table()->key_of(text)) == by_text.slot);
        // Envoy hashes text as weir does.
        CHECK(envoy.pick({.key_text = text}).id() == envoy.pick({.key = weir::hash(text)}).id());
        CHECK(katran.pick({.key_text = text}).id() == katran.pick({.key = weir::hash(text)}).id());
    }
    CHECK(nginx.pick({.key_text = ""}).reason() == pick_reason::keyless);
    CHECK(nginx.pick({.key_text = "a"}).reason() == pick_reason::chosen);
}

TEMPLATE_TEST_CASE("an excluded home is passed over, the same way each time, until nobody is left", "",
                   weir::nginx_hash<std::string>, weir::nginx_consistent_hash<std::string>,
                   weir::haproxy_hash<std::string>, weir::haproxy_map<std::string>, weir::envoy_ring_hash<std::string>,
                   weir::grpc_ring_hash<std::string>, weir::envoy_maglev<std::string>,
                   weir::katran_maglev<std::string>) {
    pool r;
    fill(r, "10.0.0.", {1, 2, 1, 3, 1});
    const TestType hash{r};
    for (int i = 0; i < 100; ++i) {
        const std::string text = "key" + std::to_string(i);
        std::vector<weir::backend_id> tried;
        for (int attempt = 0; attempt < 5; ++attempt) {
            const auto lease = hash.pick({.key_text = text, .exclude = tried});
            REQUIRE(lease);
            CHECK(std::find(tried.begin(), tried.end(), lease.id()) == tried.end());
            CHECK((lease.reason() == pick_reason::chosen) == (attempt == 0));
            CHECK(hash.pick({.key_text = text, .exclude = tried}).id() == lease.id());
            tried.push_back(lease.id());
        }
        CHECK(hash.pick({.key_text = text, .exclude = tried}).error() == weir::pick_error::all_excluded);
    }
}

TEMPLATE_TEST_CASE("a dialect's selector is one: none, one, a refused change, a bound", "",
                   weir::nginx_hash<std::string>, weir::nginx_consistent_hash<std::string>,
                   weir::haproxy_hash<std::string>, weir::haproxy_map<std::string>, weir::envoy_ring_hash<std::string>,
                   weir::grpc_ring_hash<std::string>, weir::envoy_maglev<std::string>,
                   weir::katran_maglev<std::string>) {
    static_assert(weir::selector<TestType>);
    pool r;
    const TestType hash{r};
    CHECK(hash.pick({.key_text = "k"}).error() == weir::pick_error::empty);
    const auto only = r.add("10.0.0.1:80");
    CHECK(hash.pick({.key_text = "k"}).id() == only);
    CHECK(hash.pick({.key = 12345}).id() == only);
    CHECK(hash.pick().id() == only);
    r.set_weight(only, 0);
    CHECK(hash.pick({.key_text = "k"}).error() == weir::pick_error::none_eligible);

    weir::registry<weir_test::nameless> anonymous;
    anonymous.add({1});
    using policy = typename TestType::policy_type;
    CHECK_THROWS_AS((weir::basic_selector{anonymous, policy{}}), std::invalid_argument);

    pool ten;
    const auto ids = fill(ten, "10.0.0.", std::vector<std::uint32_t>(10, 1));
    const weir::basic_selector bounded{ten, weir::bounded_load<policy>{policy{}, 1.25}};
    std::vector<weir::lease<std::string>> held;
    for (int i = 0; i < 100; ++i) held.push_back(bounded.pick({.key_text = "always the same"}));
    for (const auto& m : ten.members()) CHECK(m.in_flight <= 13);
}

TEST_CASE("a refused weight leaves everything as it was") {
    pool r;
    const auto ids = fill(r, "s", {1, 1});
    const weir::haproxy_hash hash{r};
    const auto before = hash.table();
    CHECK_THROWS_WITH(r.set_weight(ids[0], 300),
                      "weir: haproxy_hash_table: \"s1\" has a weight of 300; HAProxy's go up to 256");
    CHECK(hash.table() == before);
    CHECK(r.inspect(ids[0])->weight == 1);
}

TEST_CASE("servers keep their numbers through changes, and another process takes them over") {
    pool r;
    const auto ids = fill(r, "s", {1, 1, 1, 1});
    const weir::nginx_hash hash{r};
    r.remove(ids[1]);
    r.add("new");
    CHECK(hash.table()->state() == std::vector<weir::server_number>{{"s1", 1}, {"new", 2}, {"s3", 3}, {"s4", 4}});
    pool twin;  // in another order
    for (const char* const name : {"s4", "new", "s1", "s3"}) twin.add(name);
    const weir::nginx_hash<std::string> same{twin, {hash.table()->state()}};
    for (int i = 0; i < 200; ++i) {
        const std::string text = "key" + std::to_string(i);
        CHECK(*same.pick({.key_text = text}) == *hash.pick({.key_text = text}));
    }
}

TEST_CASE("what is down at first still counts in nginx's plain hash, and has its number in HAProxy's") {
    pool r;
    const auto ids = fill(r, "127.0.0.1:1900", {1, 1, 1, 1, 1});
    r.set(ids[2], weir::condition::disabled);
    const weir::nginx_hash hash{r};
    for (const auto& [key, answer] : nginx_rows("hash_eq5_down3"))
        CHECK(hash.pick({.key_text = key}).id() == ids[answer]);
}
