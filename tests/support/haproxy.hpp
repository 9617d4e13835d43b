#pragma once

#include "member_list.hpp"
#include "vectors.hpp"

#include <weir/hashing/dialects/haproxy_hash.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir_test {

/// One answer of HAProxy, with what it was asked.
struct haproxy_row {
    std::string name;
    weir::haproxy_hash_table::options options;
    member_list servers;
    std::optional<std::uint32_t> down;
    std::string key;
    std::uint32_t answer;
};

/// The rows whose hash_type begins with `type`.
inline std::vector<haproxy_row> haproxy_rows(const std::string& type) {
    const std::map<std::string, weir::haproxy_function> functions{{"sdbm", weir::haproxy_function::sdbm},
                                                                  {"djb2", weir::haproxy_function::djb2},
                                                                  {"wt6", weir::haproxy_function::wt6},
                                                                  {"crc32", weir::haproxy_function::crc32}};
    const std::map<std::string, std::pair<member_list, std::optional<std::uint32_t>>> sets{
        {"eq3", {{"s", 1, {1, 1, 1}}, {}}},
        {"eq5", {{"s", 1, {1, 1, 1, 1, 1}}, {}}},
        {"w_1_2_3", {{"s", 1, {1, 2, 3}}, {}}},
        {"eq5_down3", {{"s", 1, {1, 1, 1, 1, 1}}, 2}},
        {"eq5_w16", {{"s", 1, {16, 16, 16, 16, 16}}, {}}},
        {"eq5_w16_down3", {{"s", 1, {16, 16, 16, 16, 16}}, 2}}};
    std::vector<haproxy_row> rows;
    for (const auto& row : vector_rows("haproxy_hash.csv")) {
        if (!row[0].starts_with(type)) continue;
        const auto words = split(row[0].substr(type.size()), '_');
        const auto& [servers, down] = sets.at(row[1]);
        rows.push_back({row[0] + ", " + row[1] + ", " + row[2],
                        {.function = functions.at(words[0]), .avalanche = words.size() > 1},
                        servers,
                        down,
                        row[2],
                        static_cast<std::uint32_t>(std::stoul(row[3]))});
    }
    return rows;
}

}  // namespace weir_test
