#pragma once

#include "../detail/error.hpp"
#include "keyed_table.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
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
/// A member has weight / gcd buckets. The unit shrinks when a weight is no multiple of it, and never grows: a member that
/// goes must not halve the buckets of the others. In one update buckets that somebody gives up, of the highest numbers
/// first, are handed to those who need some, in the order of identities; only the rest are removed or added. So a table
/// made at once depends on identities and weights alone, whatever the order of the members.
///
/// `Buckets` numbers them: `size()` the numbers, `find(hashed)`, `reserve(in use)`, `add()` gives a number,
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
        return owners_[buckets_.find(mix(key ^ seed_))];
    }
    /// Gives `accept` the key's candidates, as keyed_table has it. A member may come again.
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        return walk_by_attempts(
            mix(key ^ seed_), steps, [&](std::uint64_t hashed) { return owners_[buckets_.find(hashed)]; }, accept);
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
        std::unordered_map<std::string_view, std::uint32_t> numbers;
        holders_.assign(s.owners.size(), nobody);
        for (std::size_t b = 0; b < s.owners.size(); ++b) {
            if (!used[b]) continue;
            const auto [at, fresh] = numbers.emplace(s.owners[b], static_cast<std::uint32_t>(entries_.size()));
            if (fresh) entries_.push_back({s.owners[b], 0});
            holders_[b] = at->second;
        }
        unit_ = s.weight_per_bucket;
        if (unit_ == 0 && !entries_.empty())
            reject(std::string{table} + ": a state with buckets in use needs a weight_per_bucket above 0");
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
        std::vector<entry> entries;
        std::vector<std::uint32_t> wanted;  // buckets that a member lacks
        std::unordered_map<std::string_view, std::uint32_t> numbers;
        entries.reserve(members.size());
        numbers.reserve(members.size());
        for (const hash_member& m : members) {
            if (m.weight == 0) continue;
            if (!numbers.emplace(m.identity, static_cast<std::uint32_t>(entries.size())).second)
                reject(std::string{table} + ": the identity \"" + std::string{m.identity} + "\" comes twice");
            entries.push_back({std::string{m.identity}, m.index});
            wanted.push_back(m.weight / unit);
        }
        std::vector<std::uint32_t> renumbered;
        for (const entry& e : entries_) {
            const auto now = numbers.find(e.identity);
            renumbered.push_back(now == numbers.end() ? nobody : now->second);
        }
        // Who keeps its buckets keeps those of the lowest numbers.
        std::vector<std::uint32_t> free;
        for (std::uint32_t b = 0; b < holders_.size(); ++b) {
            if (holders_[b] == nobody) continue;
            holders_[b] = renumbered[holders_[b]];
            if (holders_[b] != nobody && wanted[holders_[b]] > 0)
                --wanted[holders_[b]];
            else
                free.push_back(b);
        }
        entries_ = std::move(entries);
        unit_ = unit;
        buckets_.reserve(static_cast<std::uint32_t>(total / unit));
        assign(wanted, free);
    }

private:
    static constexpr auto nobody = ~std::uint32_t{0};
    struct entry {
        std::string identity;
        std::uint32_t index;
    };

    /// Hands the free buckets, in ascending order, to those who want some; removes what is left over, or adds.
    void assign(std::vector<std::uint32_t>& wanted, std::vector<std::uint32_t>& free) {
        std::vector<std::uint32_t> takers;
        for (std::uint32_t i = 0; i < entries_.size(); ++i)
            if (wanted[i] > 0) takers.push_back(i);
        std::sort(takers.begin(), takers.end(),
                  [&](auto a, auto b) { return entries_[a].identity < entries_[b].identity; });
        auto next_free = free.begin();
        for (const std::uint32_t taker : takers) {
            for (; wanted[taker] > 0; --wanted[taker]) {
                const std::uint32_t b = next_free != free.end() ? *next_free++ : buckets_.add();
                if (b >= holders_.size()) holders_.resize(b + std::size_t{1}, nobody);
                holders_[b] = taker;
            }
        }
        while (free.end() != next_free) {
            const std::uint32_t b = free.back(), out = buckets_.remove(b);
            free.pop_back();
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
    std::vector<entry> entries_;
    std::uint32_t unit_ = 0;
};

}  // namespace detail
}  // namespace weir::inline WEIR_ABI
