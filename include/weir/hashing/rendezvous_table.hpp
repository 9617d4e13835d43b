#pragma once

#include "../detail/error.hpp"
#include "../detail/fixed_log.hpp"
#include "../hash.hpp"
#include "keyed_table.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::inline WEIR_ABI {

/// Rendezvous hashing: each member has a score for a key, and the best one has the key.
///
/// Rule: u = (h + 1/2) / 2^32, where h is 32 bits mixed from key and identity; the member with the least -log2(u) / weight
/// wins, so that shares are exactly the weights'. Losing a member moves exactly its keys, raising a weight moves keys only
/// towards it. A key's own order is that of the scores. The logarithm is made of integers, the same everywhere; of equal
/// scores the heavier member's is better, then the one whose identity has the smaller hash.
///
/// Among members of one weight the largest h wins without a logarithm, in a loop without branches over arrays that
/// compilers turn into vector instructions where the target has them; the answers are those of the rule.
///
/// history_free. Complexity: look-up O(members), and a logarithm for each different weight; building O(members log members).
/// Memory: 12 bytes a member. Imbalance: that of random draws. Immutable.
/// Source: Thaler and Ravishankar 1998; weighted as Schindelhauer and Schomaker 2005.
class rendezvous_table {
public:
    static constexpr bool history_free = true;

    struct options {
        std::uint64_t seed = 0;  ///< of the identities' hash
        bool operator==(const options&) const = default;
    };

    rendezvous_table() = default;

    /// Throws std::invalid_argument: an identity twice (or, out of bad luck, two with one hash).
    explicit rendezvous_table(std::span<const hash_member> members, const options& o) {
        struct entry {
            std::uint64_t hash;
            const hash_member* member;
        };
        std::vector<entry> entries;
        for (const hash_member& m : members)
            if (m.weight > 0) entries.push_back({hash(m.identity, o.seed), &m});
        std::sort(entries.begin(), entries.end(), [](const entry& a, const entry& b) { return a.hash < b.hash; });
        for (std::size_t i = 1; i < entries.size(); ++i)
            if (entries[i].hash == entries[i - 1].hash) reject_twins(*entries[i - 1].member, *entries[i].member);
        std::sort(entries.begin(), entries.end(), [](const entry& a, const entry& b) {
            return a.member->weight != b.member->weight ? a.member->weight > b.member->weight : a.hash < b.hash;
        });
        for (const entry& e : entries) {
            if (groups_.empty() || groups_.back().weight != e.member->weight)
                groups_.push_back({e.member->weight, count(), count()});
            low_.push_back(static_cast<std::uint32_t>(e.hash));
            high_.push_back(static_cast<std::uint32_t>(e.hash >> 32));
            indices_.push_back(e.member->index);
            groups_.back().end = count();
        }
    }

    [[nodiscard]] bool empty() const noexcept { return indices_.empty(); }

    /// The index of the member a key belongs to. Only for a table that is not empty.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t find(std::uint64_t key) const noexcept {
        const std::uint64_t hashed = mix(key);
        if (groups_.size() == 1) [[likely]]
            return indices_[~static_cast<std::uint32_t>(best_of(groups_.front(), hashed))];
        return indices_[best(hashed).position];
    }

    /// Gives `accept` the key's candidates, as keyed_table has it; none comes twice.
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        if (steps == 0 || empty()) return steps;
        const std::uint64_t hashed = mix(key);
        candidate last = best(hashed);
        if (accept(indices_[last.position])) return 0;
        std::array<candidate, 16> next;
        for (std::uint32_t step = 1; step < steps;) {
            const std::size_t found = next_after(last, hashed, next);
            if (found == 0) break;
            for (std::size_t i = 0; i < found && step < steps; ++i, ++step)
                if (accept(indices_[next[i].position])) return step;
            last = next[found - 1];
        }
        return steps;
    }

private:
    struct group {
        std::uint32_t weight;
        std::uint32_t begin, end;  // positions in the arrays
    };
    struct candidate {
        std::uint64_t score = 0;
        std::uint32_t weight = 1;
        std::uint32_t position = 0;
        /// In front of another in the key's order. Compared without division.
        [[nodiscard]] bool operator<(const candidate& other) const noexcept {
            const detail::wide mine = detail::multiply(score, other.weight),
                               its = detail::multiply(other.score, weight);
            if (mine < its) return true;
            return !(its < mine) && position < other.position;
        }
    };

    [[nodiscard]] std::uint32_t count() const noexcept { return static_cast<std::uint32_t>(indices_.size()); }

    /// 32 bits of a hashed key and a member: two rounds of a multiplication and a shift, in which each half of either
    /// takes part. In 32 bits, so that a vector holds many.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t draw(std::uint32_t position, std::uint64_t hashed) const noexcept {
        std::uint32_t x = (low_[position] ^ static_cast<std::uint32_t>(hashed)) * 0x85ebca6b;
        x ^= x >> 15;
        x = (x + (high_[position] ^ static_cast<std::uint32_t>(hashed >> 32))) * 0xc2b2ae35;
        return x ^ (x >> 16);
    }
    /// The best draw of a group, and below it the complement of its position: the maximum of both decides ties, too.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint64_t best_of(const group& g, std::uint64_t hashed) const noexcept {
        std::uint64_t result = 0;
        for (std::uint32_t p = g.begin; p < g.end; ++p)
            result = (std::max)(result, (std::uint64_t{draw(p, hashed)} << 32) | ~p);
        return result;
    }
    static std::uint64_t score_of(std::uint64_t draw) noexcept {
        return detail::negative_log2((draw << 32) | (std::uint64_t{1} << 31));
    }

    [[nodiscard]] candidate best(std::uint64_t hashed) const noexcept {
        candidate result;
        for (const group& g : groups_) {
            const std::uint64_t of_group = best_of(g, hashed);
            const candidate c{score_of(of_group >> 32), g.weight, ~static_cast<std::uint32_t>(of_group)};
            if (&g == groups_.data() || c < result) result = c;
        }
        return result;
    }

    /// The candidates that follow one, as many as fit; how many.
    std::size_t next_after(const candidate& last, std::uint64_t hashed, std::span<candidate> next) const noexcept {
        std::size_t found = 0;
        for (const group& g : groups_) {
            for (std::uint32_t p = g.begin; p < g.end; ++p) {
                const candidate c{score_of(draw(p, hashed)), g.weight, p};
                if (!(last < c) || (found == next.size() && !(c < next.back()))) continue;
                std::size_t at = found < next.size() ? found++ : found - 1;
                for (; at > 0 && c < next[at - 1]; --at) next[at] = next[at - 1];
                next[at] = c;
            }
        }
        return found;
    }

    [[noreturn]] static void reject_twins(const hash_member& a, const hash_member& b) {
        if (a.identity == b.identity)
            detail::reject("rendezvous_table: the identity \"" + std::string{a.identity} + "\" comes twice");
        detail::reject("rendezvous_table: the identities \"" + std::string{a.identity} + "\" and \"" +
                       std::string{b.identity} + "\" have the same hash; choose another seed");
    }

    std::vector<group> groups_;              // by weight, the heaviest first
    std::vector<std::uint32_t> low_, high_;  // of the identities' hashes
    std::vector<std::uint32_t> indices_;
};

}  // namespace weir::inline WEIR_ABI
