#pragma once

#include "../detail/error.hpp"
#include "../hash.hpp"
#include "keyed_table.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

/// Maglev's table: each slot belongs to a member, and a key to one slot. A look-up is one load.
///
/// Members, in the order of their identities, take turns at taking the next free slot of their own sequence
/// (offset + k skip) mod size, where offset = xxHash64(identity, seed) mod size and skip = xxHash64(identity, seed + 1)
/// mod (size - 1) + 1. A member has a turn in round r, from 1, unless r weight is below its target; the turn raises the
/// target, 0 at first, by the largest weight. So equal weights differ by at most one slot, others from their share by at
/// most as many as there are members, and everybody with a weight has a slot. The rule is Envoy's; by Katran's (V2) a
/// light member waits until its weights add up to the largest, which may be never. A key's own order is by hashing it
/// again with the attempt.
///
/// history_free. Losing a member moves its keys, and of the others' 0.2 % with 10 members, 0.9 % with 500.
/// Complexity: look-up O(1); building O(size log size), for any change. Memory: 2 bytes a slot where indices are below
/// 65,536, else 4. Imbalance: with 100 slots a member, one in 100. Immutable.
/// Source: Eisenbud et al. 2016.
class maglev_table {
public:
    static constexpr bool history_free = true;

    struct options {
        std::uint32_t table_size = 65537;  ///< a prime, at most `max_size`
        std::uint64_t seed = 0;            ///< of the identities' hashes
        bool operator==(const options&) const = default;
    };
    static constexpr std::uint32_t max_size = std::uint32_t{1} << 24;

    maglev_table() = default;

    /// Throws std::invalid_argument: a size that is no prime or too large, fewer slots than members with a weight.
    explicit maglev_table(std::span<const hash_member> members, const options& o) {
        if (o.table_size > max_size)
            detail::reject("maglev_table: a table_size of " + std::to_string(o.table_size) + " is more than " +
                           std::to_string(max_size));
        if (!is_prime(o.table_size))
            detail::reject("maglev_table: a table_size of " + std::to_string(o.table_size) +
                           " is no prime number; 65537, 655373 and 5000011 are");
        std::vector<player> players;
        std::uint32_t largest_index = 0;
        for (const hash_member& m : members) {
            if (m.weight == 0) continue;
            players.push_back({m.identity, m.weight, m.index,
                               static_cast<std::uint32_t>(hash(m.identity, o.seed) % o.table_size),
                               static_cast<std::uint32_t>(hash(m.identity, o.seed + 1) % (o.table_size - 1)) + 1});
            largest_index = (std::max)(largest_index, m.index);
        }
        if (players.size() > o.table_size)
            detail::reject("maglev_table: " + std::to_string(players.size()) + " members with a weight are more than " +
                           std::to_string(o.table_size) + " slots; choose a larger table_size");
        if (players.empty()) return;
        size_ = o.table_size;
        if (largest_index <= (std::numeric_limits<std::uint16_t>::max)())
            fill(narrow_, players);
        else
            fill(wide_, players);
    }

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    /// How many slots there are; none if nobody has a weight.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// The index that a slot belongs to.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t operator[](std::size_t slot) const noexcept {
        return wide_.empty() ? narrow_[slot] : wide_[slot];
    }

    /// The index of the member a key belongs to. Only for a table that is not empty.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t find(std::uint64_t key) const noexcept { return at(mix(key)); }

    /// Gives `accept` the key's candidates, as keyed_table has it. A member may come again.
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        return detail::walk_by_attempts(mix(key), steps, [&](std::uint64_t hashed) { return at(hashed); }, accept);
    }

private:
    struct player {
        std::string_view identity;
        std::uint32_t weight;
        std::uint32_t index;
        std::uint32_t slot;  // that it asks for next
        std::uint32_t skip;
        std::uint64_t turns = 0;
        std::uint32_t next_of_round = 0;
    };

    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t at(std::uint64_t hashed) const noexcept {
        return (*this)[detail::scale(hashed, size_)];
    }

    static bool is_prime(std::uint32_t n) noexcept {
        for (std::uint32_t d = 2; d * d <= n; ++d)
            if (n % d == 0) return false;
        return n > 1;
    }

    /// Each round has a list of those who have a turn in it, so that the light ones cost nothing in the other rounds: with
    /// one heavy member there are as many rounds as slots.
    template <class Entry>
    void fill(std::vector<Entry>& entries, std::vector<player>& players) {
        std::sort(players.begin(), players.end(), [](const player& a, const player& b) {
            return a.identity != b.identity ? a.identity < b.identity : a.index < b.index;
        });
        std::uint64_t most = 0;
        for (const player& p : players) most = (std::max)(most, std::uint64_t{p.weight});
        constexpr auto nobody = ~std::uint32_t{0};
        std::vector<std::uint32_t> rounds(size_ + std::size_t{1}, nobody);  // the first of each
        std::vector<std::uint32_t> now(players.size());
        for (std::uint32_t i = 0; i < now.size(); ++i) now[i] = i;
        std::vector<bool> taken(size_);
        entries.resize(size_);
        for (std::uint32_t round = 1, left = size_;; ++round) {
            for (const std::uint32_t rank : now) {
                player& p = players[rank];
                while (taken[p.slot]) advance(p);
                taken[p.slot] = true;
                entries[p.slot] = static_cast<Entry>(p.index);
                if (--left == 0) return;
                // The next turn is in the first round r with r weight >= turns most.
                const std::uint64_t due = p.weight == most ? 0 : (++p.turns * most + p.weight - 1) / p.weight;
                const std::uint64_t next = (std::max)(due, std::uint64_t{round} + 1);
                if (next > size_) continue;
                p.next_of_round = std::exchange(rounds[static_cast<std::size_t>(next)], rank);
            }
            now.clear();
            for (std::uint32_t rank = rounds[round + std::size_t{1}]; rank != nobody;
                 rank = players[rank].next_of_round)
                now.push_back(rank);
            std::reverse(now.begin(), now.end());
            if (!std::is_sorted(now.begin(), now.end())) std::sort(now.begin(), now.end());
        }
    }

    void advance(player& p) const noexcept {
        p.slot += p.skip;  // both are below 2^24
        if (p.slot >= size_) p.slot -= size_;
    }

    std::uint32_t size_ = 0;
    std::vector<std::uint16_t> narrow_;  // one of the two
    std::vector<std::uint32_t> wide_;
};

}  // namespace weir::inline WEIR_ABI
