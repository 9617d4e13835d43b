#include <weir/hashing/dialects/ketama.hpp>

#include "catch.hpp"
#include "support/member_list.hpp"
#include "support/vectors.hpp"

#include <map>

using table = weir::ketama_table;
using weir::ketama_mode;
using weir_test::member_list;

namespace {

struct setup {
    member_list servers;
    ketama_mode mode;
};

const std::map<std::string, setup>& setups() {
    const member_list five{"10.0.1.", 1, {1, 1, 1, 1, 1}, ":11211"};
    const member_list minus_third{{five.names[0], five.names[1], five.names[3], five.names[4]}, {1, 1, 1, 1}};
    const member_list ports{{"10.0.1.1:8080", "10.0.1.2:8080", "10.0.1.3:8081", "10.0.1.3:8082"}, {1, 1, 1, 1}};
    static const std::map<std::string, setup> all{
        {"ketama_eq5_11211", {five, ketama_mode::unweighted}},
        {"ketama_eq5_minus_third", {minus_third, ketama_mode::unweighted}},
        {"ketama_eq4_ports", {ports, ketama_mode::unweighted}},
        {"ketama_md5_eq5_11211", {five, ketama_mode::unweighted_md5}},
        {"ketama_md5_eq4_ports", {ports, ketama_mode::unweighted_md5}},
        {"weighted_eq5_11211", {five, ketama_mode::weighted}},
        {"weighted_eq4_ports", {ports, ketama_mode::weighted}},
        {"weighted_1_2_3", {{"10.0.1.", 1, {1, 2, 3}, ":9000"}, ketama_mode::weighted}},
        {"weighted_600_300_200_350_1000_800_950_100",
         {{"10.0.1.", 1, {600, 300, 200, 350, 1000, 800, 950, 100}, ":11211"}, ketama_mode::weighted}},
    };
    return all;
}

/// Tables of each setup whose members come in several orders.
const std::vector<table>& tables(const std::string& name) {
    static std::map<std::string, std::vector<table>> all;
    auto& made = all[name];
    if (made.empty()) {
        const setup& s = setups().at(name);
        made.emplace_back(s.servers.in_order(), table::options{s.mode});
        for (std::uint64_t seed = 1; seed <= 3; ++seed)
            made.emplace_back(s.servers.shuffled(seed), table::options{s.mode});
    }
    return made;
}

}  // namespace

TEST_CASE("every answer of libmemcached, in whatever order the servers come") {
    int rows = 0;
    for (const auto& row : weir_test::vector_rows("ketama_libmemcached.csv")) {
        INFO(row[0] << ", key " << row[1]);
        for (const table& t : tables(row[0])) CHECK(t.find(t.key_of(row[1])) == std::stoul(row[2]));
        ++rows;
    }
    CHECK(rows == 1131);
}

TEST_CASE("every count and every point of libmemcached's rings") {
    int rows = 0;
    for (const auto& row : weir_test::vector_rows("ketama_libmemcached_ring.csv")) {
        INFO(row[0] << ", " << row[1] << ' ' << row[2] << ' ' << row[3]);
        for (const table& t : tables(row[0])) {
            const auto expected = std::stoul(row[3]);
            if (row[1] == "total") {
                CHECK(t.size() == expected);
            } else if (row[1] == "count") {
                std::size_t count = 0;
                for (std::size_t i = 0; i < t.size(); ++i) count += t.point(i).second == std::stoul(row[2]) ? 1 : 0;
                CHECK(count == expected);
            } else {
                REQUIRE(row[1] == "point");
                const auto parts = weir_test::split(row[2], ':');
                const auto [at, owner] = t.point(std::stoul(parts[0]));
                CHECK(at == std::stoul(parts[1]));
                CHECK(owner == expected);
            }
        }
        ++rows;
    }
    CHECK(rows == 555);
}

TEST_CASE("a share below a fortieth of the mean has no points, as in libmemcached") {
    const table t{member_list{"m", 1, {1, 100}}.in_order(), {}};
    for (std::size_t i = 0; i < t.size(); ++i) CHECK(t.point(i).second == 1);
    CHECK(t.size() == 4 * 79);  // floor(100/101 x 40 x 2)
    const table two{member_list{"m", 1, {2, 100}}.in_order(), {}};
    CHECK(two.size() == 4 * (1 + 78));
}

TEST_CASE("who is passed over leaves its keys to the next on the ring") {
    const member_list servers{"10.0.0.", 1, {1, 1, 1, 1}, ":11211"};
    const table t{servers.in_order(), {ketama_mode::unweighted}};
    for (std::uint32_t down = 0; down < 4; ++down) {
        // Unweighted points do not depend on the others.
        const table less{servers.without(down).in_order(), {ketama_mode::unweighted}};
        for (int i = 0; i < 300; ++i) {
            const auto key = t.key_of("k" + std::to_string(i));
            CHECK(weir_test::find_without(t, key, down, 16) == less.find(key));
        }
    }
}

TEST_CASE("too many members are refused with the bound; without weights a ring is empty") {
    CHECK(table{std::span<const weir::hash_member>{}, {}}.empty());
    CHECK(table{member_list{"m", 1, {0, 0}}.in_order(), {}}.empty());
    CHECK_THROWS_WITH(
        (table{member_list{"m", 1, std::vector<std::uint32_t>(104'858, 1)}.in_order(), {}}),
        "weir: ketama_table: weights of 104858 in all times 160 points are more than 16777216 points; use "
        "smaller weights");
    constexpr auto most = ~std::uint32_t{0};
    CHECK(table{member_list{"m", 1, {most, most}}.in_order(), {}}.size() == 320);
}
