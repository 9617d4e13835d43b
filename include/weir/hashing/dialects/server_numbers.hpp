#pragma once

#include "../../detail/error.hpp"
#include "../hash_member.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace weir::inline WEIR_ABI {

/// A server's place in the configuration of software that maps by it: the `state` of the dialects of such software.
struct server_number {
    std::string identity;
    std::uint32_t number;  ///< from 1 on
    bool operator==(const server_number&) const = default;
};

namespace detail {

/// Numbers members as such software numbers the lines of its configuration: those already known keep their numbers,
/// newcomers take the lowest free ones, in the order given. By member; a weight of 0 has a number, too.
/// Throws std::invalid_argument, naming the table, where `known` has a number of 0 or a number or identity twice.
[[nodiscard]] inline std::vector<std::uint32_t> number_servers(const char* who, std::span<const hash_member> members,
                                                               std::span<const server_number> known) {
    std::unordered_map<std::string_view, std::uint32_t> numbers;
    std::unordered_set<std::uint32_t> seen;
    for (const server_number& s : known) {
        if (s.number == 0) reject(std::string{who} + ": \"" + s.identity + "\" has the number 0; numbers begin at 1");
        if (!seen.insert(s.number).second)
            reject(std::string{who} + ": the number " + std::to_string(s.number) + " is given twice");
        if (!numbers.emplace(s.identity, s.number).second)
            reject(std::string{who} + ": \"" + s.identity + "\" is numbered twice");
    }
    std::vector<std::uint32_t> result(members.size());
    std::unordered_set<std::uint32_t> taken;
    for (std::size_t i = 0; i < members.size(); ++i)
        if (const auto found = numbers.find(members[i].identity); found != numbers.end())
            taken.insert(result[i] = found->second);
    std::uint32_t next = 1;
    for (std::uint32_t& number : result) {
        if (number != 0) continue;
        while (taken.contains(next)) ++next;
        number = next++;
    }
    return result;
}

/// The positions of numbers, by number.
[[nodiscard]] inline std::vector<std::size_t> by_number(std::span<const std::uint32_t> numbers) {
    std::vector<std::size_t> order(numbers.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return numbers[a] < numbers[b]; });
    return order;
}

/// What `number_servers` takes over next time.
[[nodiscard]] inline std::vector<server_number> named_numbers(std::span<const hash_member> members,
                                                              std::span<const std::uint32_t> numbers) {
    std::vector<server_number> named;
    named.reserve(members.size());
    for (const std::size_t i : by_number(numbers)) named.push_back({std::string{members[i].identity}, numbers[i]});
    return named;
}

}  // namespace detail
}  // namespace weir::inline WEIR_ABI
