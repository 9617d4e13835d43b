#pragma once

#include "../hash.hpp"
#include "keyed_table.hpp"
#include "maglev_fill.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

/// Maglev's table: each slot belongs to a member, and a key to one slot. A look-up is one load.
///
/// Members, in the order of their identities, take turns at taking the next free slot of their own sequence (offset + k
/// skip) mod size, where offset = xxHash64(identity, seed) mod size and skip = xxHash64(identity, seed + 1) mod (size -
/// 1) + 1. A member has a turn in round r, from 1, unless r weight is below its target; the turn raises the target, 0
/// at first, by the largest weight. So equal weights differ by at most one slot, others from their share by at most as
/// many as there are members, and everybody with a weight has a slot. The rule is Envoy's; by Katran's (V2) a light
/// member waits until its weights add up to the largest, which may be never. A key's own order is by hashing it again
/// with the attempt.
///
/// history_free. Losing a member moves its keys, and of the others' 0.2 % with 10 members, 0.9 % with 500.
/// Complexity: look-up O(1); building O(size log size), for any change. Memory: 2 bytes a slot where indices are below
/// 65,536, else 4. Imbalance: with 100 slots a member, one in 100. Immutable.
/// Source: Eisenbud et al. 2016.
class maglev_table {
public:
    static constexpr bool history_free = true;

    struct options {
        std::uint32_t table_size = 65'537;  ///< a prime from 3 to 5,000,011
        std::uint64_t seed = 0;             ///< of the identities' hashes
        bool operator==(const options&) const = default;
    };

    maglev_table() = default;

    /// Throws std::invalid_argument: a size that is no such prime, fewer slots than members with a weight.
    explicit maglev_table(std::span<const hash_member> members, const options& o) {
        std::vector<hash_member> sorted;
        std::uint64_t most = 0;
        std::uint32_t largest_index = 0;
        for (const hash_member& m : members) {
            if (m.weight == 0) continue;
            sorted.push_back(m);
            most = (std::max)(most, std::uint64_t{m.weight});
            largest_index = (std::max)(largest_index, m.index);
        }
        detail::check_maglev("maglev_table", o.table_size, sorted.size());
        std::sort(sorted.begin(), sorted.end(), [](const hash_member& a, const hash_member& b) {
            return a.identity != b.identity ? a.identity < b.identity : a.index < b.index;
        });
        std::vector<detail::maglev_way> ways;
        ways.reserve(sorted.size());
        for (const hash_member& m : sorted)
            ways.push_back({static_cast<std::uint32_t>(hash(m.identity, o.seed) % o.table_size),
                            static_cast<std::uint32_t>(hash(m.identity, o.seed + 1) % (o.table_size - 1)) + 1});
        // The k-th turn, from 0, is in the first round r with r weight >= k most, and in no round with another.
        std::vector<std::uint64_t> turns(sorted.size());
        const auto due = [&](std::uint32_t m, std::uint64_t round) {
            const std::uint64_t weight = sorted[m].weight;
            if (weight == most) return round + 1;
            return (std::max)(round + 1, (turns[m]++ * most + weight - 1) / weight);
        };
        const auto fill = [&]<class Entry>(std::vector<Entry>& slots) {
            slots = detail::fill_maglev<Entry>(o.table_size, std::move(ways), due);
            for (Entry& slot : slots) slot = static_cast<Entry>(sorted[slot].index);
        };
        constexpr std::size_t narrow = (std::numeric_limits<std::uint16_t>::max)();
        if (largest_index <= narrow && sorted.size() <= narrow)
            fill(narrow_);
        else
            fill(wide_);
        size_ = (std::max)(narrow_.size(), wide_.size());
    }

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    /// How many slots there are; none if nobody has a weight.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// The index that a slot belongs to.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t operator[](std::size_t slot) const noexcept {
        return wide_.empty() ? narrow_[slot] : wide_[slot];
    }

    /// The index of the member a key belongs to. Only for a table that is not empty.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t find(std::uint64_t key) const noexcept {
        return (*this)[detail::scale_upper(detail::most_of_mix(key), size_)];
    }

    /// Gives `accept` the key's candidates, as keyed_table has it. A member may come again.
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        return detail::walk_by_attempts(key, steps, [&](std::uint64_t next) { return find(next); }, accept);
    }

private:
    std::uint64_t size_ = 0;
    std::vector<std::uint16_t> narrow_;  // one of the two
    std::vector<std::uint32_t> wide_;
};

}  // namespace weir::inline WEIR_ABI
