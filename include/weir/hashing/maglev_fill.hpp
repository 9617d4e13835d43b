#pragma once

#include "../detail/error.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// How tables of Maglev are made. Private.
namespace weir::inline WEIR_ABI::detail {

/// Where a member takes its first slot of a Maglev table, and how far on the next one is.
struct maglev_way {
    std::uint32_t at;
    std::uint32_t skip;
};

/// Throws std::invalid_argument, naming the table: a size that is no prime from 3 to 5,000,011, the greatest that Envoy
/// allows (20 MB of slots), or one below the number of members.
inline void check_maglev(const char* who, std::uint32_t size, std::size_t members) {
    constexpr std::uint32_t largest = 5'000'011;
    bool prime = size >= 3 && size <= largest;
    for (std::uint32_t d = 2; prime && d * d <= size; ++d) prime = size % d != 0;
    if (!prime)
        reject(std::string{who} + ": a table size of " + std::to_string(size) + " is not a prime from 3 to " +
               std::to_string(largest));
    if (members > size)
        reject(std::string{who} + ": a table size of " + std::to_string(size) + " is below the number of members, " +
               std::to_string(members));
}

/// The member, by its number, of each of `size` slots; none without members. In each round some members, in their
/// order, take the next slot of their way that is free: `due(member, round)` is the first round after `round` in which
/// one does, its turn in `round` taken. Begins with round 0, in which nobody has one; from round 1 on each round has
/// somebody.
///
/// Each round has a list of its members, so that those of light weight cost nothing in the rounds of others: beside one
/// heavy member there are as many rounds as slots. O(size log size), and O(n log n) a round to put n in order where
/// they are not.
template <class Entry, class Due>
[[nodiscard]] std::vector<Entry> fill_maglev(std::uint32_t size, std::vector<maglev_way> ways, Due&& due) {
    if (ways.empty()) return {};
    constexpr std::uint32_t nobody = ~std::uint32_t{0};
    std::vector<Entry> slots(size);
    std::vector<bool> taken(size);
    std::vector<std::uint32_t> rounds(size + std::size_t{1}, nobody);  // the member of each that was entered last
    std::vector<std::uint32_t> before(ways.size());                    // by member: who was entered before it
    const auto enter = [&](std::uint32_t member, std::uint64_t round) {
        if (round <= size) before[member] = std::exchange(rounds[static_cast<std::size_t>(round)], member);
    };
    for (std::uint32_t m = 0; m < ways.size(); ++m) enter(m, due(m, std::uint64_t{0}));
    std::vector<std::uint32_t> now;
    for (std::uint32_t round = 1, left = size;; ++round) {
        now.clear();
        for (std::uint32_t m = rounds[round]; m != nobody; m = before[m]) now.push_back(m);
        std::reverse(now.begin(), now.end());
        if (!std::is_sorted(now.begin(), now.end())) std::sort(now.begin(), now.end());
        for (const std::uint32_t m : now) {
            auto& [at, skip] = ways[m];
            while (taken[at]) at = at < size - skip ? at + skip : at - (size - skip);
            taken[at] = true;
            slots[at] = static_cast<Entry>(m);
            if (--left == 0) return slots;
            enter(m, due(m, std::uint64_t{round}));
        }
    }
}

}  // namespace weir::inline WEIR_ABI::detail
