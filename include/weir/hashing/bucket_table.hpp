#pragma once

#include "../detail/error.hpp"
#include "../hash.hpp"
#include "keyed_table.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

/// What the members and weights do not say about a table of numbered buckets: a table made with it in
/// `options::state` maps as the one that exported it. Plain data, to be sent in whatever form the sender likes.
struct bucket_state {
    std::vector<std::string> owners;     ///< identities by bucket; of those that are out of use they do not matter
    std::vector<std::uint32_t> removed;  ///< the buckets out of use, in the order in which they went
    std::uint32_t weight_per_bucket = 0;
    bool operator==(const bucket_state&) const = default;
};

namespace detail {

/// How many buckets a state has, which a number of 32 bits can hold.
inline std::uint32_t count(const bucket_state& s) {
    if (s.owners.size() > std::uint64_t{1} << 24)
        reject("a state of " + std::to_string(s.owners.size()) + " buckets is more than any table exports");
    return static_cast<std::uint32_t>(s.owners.size());
}

/// What tables over numbered buckets share: who has which bucket, through any changes of members and weights.
///
/// A member has weight / gcd buckets. The divisor shrinks when a weight is no multiple of it, and never grows: a member
/// that goes must not halve the buckets of the others. In one update the buckets that are given up, of the highest
/// numbers of whoever has too many, go to those who lack some; only then are others added, or those left over removed,
/// the highest first. Members have their turn in the order of their identities' hashes, so that a table made at once
/// depends on identities and weights alone.
///
/// `Buckets` numbers them: `size()` the numbers, `find(key)`, `reserve(in use)`, `add()` gives a number,
/// `remove(number)` the one that is out of use then, `removed()` those out of use, `clear()`.
template <class Buckets>
class bucket_table {
public:
    static constexpr bool history_free = false;
    static constexpr std::uint64_t max_buckets = std::uint64_t{1} << 24;

    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
    /// Who can find which bucket.
    [[nodiscard]] const Buckets& buckets() const noexcept { return buckets_; }

    /// The index of the member a key belongs to. Only for a table that is not empty.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t find(std::uint64_t key) const noexcept {
        return owners_[buckets_.find(key + seed_)];
    }
    /// Gives `accept` the key's candidates, as keyed_table has it. A member may come again.
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        return walk_by_attempts(
            key + seed_, steps, [&](std::uint64_t next) { return owners_[buckets_.find(next)]; }, accept);
    }

    [[nodiscard]] bucket_state state() const {
        bucket_state s{std::vector<std::string>(buckets_.size()), buckets_.removed(), unit_};
        for (std::size_t b = 0; b < holders_.size(); ++b)
            if (holders_[b] != nobody) s.owners[b] = entries_[holders_[b]].identity;
        return s;
    }

protected:
    bucket_table() = default;
    bucket_table(Buckets buckets, std::uint64_t seed) : buckets_{std::move(buckets)}, seed_{seed} {}

    /// Takes over another table's state, which `buckets` was restored from.
    void restore(const char* table, const bucket_state& s) {
        std::vector<bool> used(s.owners.size(), true);
        for (const std::uint32_t b : s.removed) used[b] = false;
        std::vector<hash_member> owners;  // with the bucket for an index
        for (std::uint32_t b = 0; b < s.owners.size(); ++b)
            if (used[b]) owners.push_back({s.owners[b], 1, b});
        if (s.weight_per_bucket == 0 && !owners.empty())
            reject(std::string{table} + ": a state with buckets in use needs a weight_per_bucket above 0");
        unit_ = s.weight_per_bucket;
        holders_.assign(s.owners.size(), nobody);
        for (const named& n : by_hash(owners)) {
            if (entries_.empty() || entries_.back().identity != n.member->identity)
                entries_.push_back({std::string{n.member->identity}, n.hash, 0});
            holders_[n.member->index] = static_cast<std::uint32_t>(entries_.size() - 1);
        }
    }

    /// Follows the members to what they are now. Throws std::invalid_argument: too many buckets, an identity twice.
    void follow(const char* table, std::span<const hash_member> members) {
        std::uint32_t unit = unit_;
        std::uint64_t total = 0;
        for (const hash_member& m : members) {
            unit = std::gcd(unit, m.weight);
            total += m.weight;
        }
        if (total == 0) return clear();
        if (total / unit > max_buckets)
            reject(std::string{table} + ": weights of " + std::to_string(total) + " in all with the common divisor " +
                   std::to_string(unit) + " are more than " + std::to_string(max_buckets) +
                   " buckets; use smaller weights");
        const std::vector<entry> old = std::exchange(entries_, {});
        std::vector<std::uint32_t> lacks;                           // buckets, by entry
        std::vector<std::uint32_t> renumbered(old.size(), nobody);  // the old entries
        auto known = old.begin();
        for (const named& n : by_hash(members)) {
            const hash_member& m = *n.member;
            if (!entries_.empty() && entries_.back().identity == m.identity)
                reject(std::string{table} + ": the identity \"" + std::string{m.identity} + "\" comes twice");
            while (known != old.end() && std::tie(known->hash, known->identity) < std::tie(n.hash, m.identity)) ++known;
            if (known != old.end() && known->identity == m.identity)
                renumbered[static_cast<std::size_t>(known - old.begin())] = static_cast<std::uint32_t>(entries_.size());
            entries_.push_back({std::string{m.identity}, n.hash, m.index});
            lacks.push_back(m.weight / unit);
        }
        std::vector<std::uint32_t> free;
        for (std::uint32_t b = 0; b < holders_.size(); ++b) {
            if (holders_[b] == nobody) continue;
            holders_[b] = renumbered[holders_[b]];
            if (holders_[b] != nobody && lacks[holders_[b]] > 0)
                --lacks[holders_[b]];
            else
                free.push_back(b);
        }
        unit_ = unit;
        buckets_.reserve(static_cast<std::uint32_t>(total / unit));
        assign(lacks, free);
    }

private:
    static constexpr auto nobody = ~std::uint32_t{0};
    struct entry {
        std::string identity;
        std::uint64_t hash;
        std::uint32_t index;
    };
    struct named {
        std::uint64_t hash;
        const hash_member* member;
    };

    /// Those with a weight, in the order of entries_.
    static std::vector<named> by_hash(std::span<const hash_member> members) {
        std::vector<named> all;
        all.reserve(members.size());
        for (const hash_member& m : members)
            if (m.weight > 0) all.push_back({hash(m.identity), &m});
        std::sort(all.begin(), all.end(), [](const named& a, const named& b) {
            return a.hash != b.hash ? a.hash < b.hash : a.member->identity < b.member->identity;
        });
        return all;
    }

    /// Hands the free buckets, which ascend, to the entries that lack some, then adds or removes what is left over.
    void assign(std::vector<std::uint32_t>& lacks, const std::vector<std::uint32_t>& free) {
        auto next = free.begin();
        for (std::uint32_t taker = 0; taker < entries_.size(); ++taker) {
            for (; lacks[taker] > 0; --lacks[taker]) {
                const std::uint32_t b = next != free.end() ? *next++ : buckets_.add();
                if (b >= holders_.size()) holders_.resize(b + std::size_t{1}, nobody);
                holders_[b] = taker;
            }
        }
        for (auto last = free.end(); last != next;) {
            const std::uint32_t b = *--last, out = buckets_.remove(b);
            holders_[b] = holders_[out];
            holders_[out] = nobody;
        }
        holders_.resize(buckets_.size(), nobody);
        owners_.assign(holders_.size(), 0);
        for (std::size_t b = 0; b < holders_.size(); ++b)
            if (holders_[b] != nobody) owners_[b] = entries_[holders_[b]].index;
    }

    /// Nobody is left: the table begins anew with whoever comes next.
    void clear() {
        buckets_.clear();
        entries_.clear();
        holders_.clear();
        owners_.clear();
        unit_ = 0;
    }

    Buckets buckets_;
    std::uint64_t seed_ = 0;
    std::vector<std::uint32_t> owners_;   // by bucket: an index
    std::vector<std::uint32_t> holders_;  // by bucket: a number of entries_
    std::vector<entry> entries_;          // who has a weight, by the identity's hash
    std::uint32_t unit_ = 0;
};

}  // namespace detail
}  // namespace weir::inline WEIR_ABI
