#pragma once

#include "../../detail/error.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

// What the dialects of Maglev share. Private.
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

/// The member, by its number, of each of `size` slots; none without members. In each round some members, in their order,
/// take the next slot of their way that is free: `due(member, round)` is the first round after `round` in which one does,
/// its turn in `round` taken. Begins with round 0, in which nobody has one.
template <class Due>
[[nodiscard]] std::vector<std::uint32_t> fill_maglev(std::uint32_t size, std::vector<maglev_way> ways, Due&& due) {
    if (ways.empty()) return {};
    constexpr std::uint32_t nobody = ~std::uint32_t{0};
    std::vector<std::uint32_t> slots(size, nobody);
    using turn = std::pair<std::uint64_t, std::uint32_t>;  // round, then member
    std::vector<turn> turns;
    turns.reserve(ways.size());
    for (std::uint32_t m = 0; m < ways.size(); ++m) turns.emplace_back(due(m, std::uint64_t{0}), m);
    std::make_heap(turns.begin(), turns.end(), std::greater<>{});
    for (std::uint32_t left = size; left > 0; --left) {
        std::pop_heap(turns.begin(), turns.end(), std::greater<>{});
        auto& [round, m] = turns.back();
        auto& [at, skip] = ways[m];
        while (slots[at] != nobody) at = at < size - skip ? at + skip : at - (size - skip);
        slots[at] = m;
        round = due(m, round);
        std::push_heap(turns.begin(), turns.end(), std::greater<>{});
    }
    return slots;
}

/// Look-ups in such a table.
class maglev_slots {
public:
    maglev_slots() = default;
    /// Of the numbers of members; `index_of` gives their indices.
    template <class Index>
    maglev_slots(std::vector<std::uint32_t> members, Index&& index_of) : slots_{std::move(members)} {
        for (std::uint32_t& slot : slots_) slot = index_of(slot);
    }

    [[nodiscard]] std::span<const std::uint32_t> all() const noexcept { return slots_; }

    [[nodiscard]] std::uint32_t find(std::uint64_t key) const noexcept { return slots_[key % slots_.size()]; }
    /// Envoy's order of retries: the key with its bits turned over by the number of the attempt.
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        for (std::uint64_t step = 0; step < steps; ++step)
            if (accept(find(key ^ (0 - step)))) return static_cast<std::uint32_t>(step);
        return steps;
    }

private:
    std::vector<std::uint32_t> slots_;
};

}  // namespace weir::inline WEIR_ABI::detail
