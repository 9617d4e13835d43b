#pragma once

#include "anchor_buckets.hpp"
#include "bucket_table.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::inline WEIR_ABI {

namespace detail {

/// anchor_buckets of a given capacity, or, where that is 0, of one that grows. They begin as an odd number, for which
/// look-ups are fastest.
class growing_anchor : public anchor_buckets {
public:
    growing_anchor() = default;
    explicit growing_anchor(std::uint32_t capacity, const bucket_state& s) : capacity_{capacity} {
        grow(laid_out());
        if (s.owners.empty() && s.removed.empty()) return;
        if (capacity != 0 && s.owners.size() != laid_out())
            reject("anchor_table: a state of " + std::to_string(s.owners.size()) + " buckets is not one of capacity " +
                   std::to_string(capacity));
        static_cast<anchor_buckets&>(*this) = anchor_buckets{count(s), s.removed};
    }

    void reserve(std::uint32_t wanted) {
        if (capacity_ != 0 && wanted > capacity_)
            reject("anchor_table: " + std::to_string(wanted) + " buckets are more than the capacity of " +
                   std::to_string(capacity_));
        if (wanted <= size()) return;
        std::uint64_t next = size() == 0 ? (std::max)(wanted + wanted / 4, std::uint32_t{16}) | 1 : size();
        while (next < wanted) next *= 2;
        grow(static_cast<std::uint32_t>((std::min)(next, std::uint64_t{max_size})));
    }
    void clear() {
        static_cast<anchor_buckets&>(*this) = {};
        grow(laid_out());
    }

private:
    [[nodiscard]] std::uint32_t laid_out() const noexcept {
        return capacity_ > 0 && capacity_ < max_size ? capacity_ | 1 : capacity_;
    }
    /// The new buckets are as if they had been the first to go, so that the old ones keep what they have.
    void grow(std::uint32_t next) {
        std::vector<std::uint32_t> gone;
        for (std::uint32_t b = next; b-- > size();) gone.push_back(b);
        gone.insert(gone.end(), removed().begin(), removed().end());
        static_cast<anchor_buckets&>(*this) = anchor_buckets{next, gone};
    }

    std::uint32_t capacity_ = 0;
};

}  // namespace detail

/// AnchorHash over members: look-ups as fast as a table's, even shares, and any member may go.
///
/// Rule: weight / gcd buckets a member, numbered by anchor_buckets; bucket_table says who has which. Losing a member
/// moves exactly its keys. A key's own order is by hashing it again with the attempt.
///
/// Buckets are laid out for a capacity. Head room costs look-ups: with a tenth of the buckets out of use 1 key in 10
/// draws again, with half of them each key about 0.7 times. Outgrowing it costs keys: without a `capacity` of its own
/// the table begins with a quarter to spare and doubles when that is used up, which moves half of all keys at once;
/// `churn` tells before. With one, what does not fit is refused.
///
/// Not history_free. Complexity: look-up O(1 + ln(capacity / buckets)), an update O(capacity). Memory: 24 bytes a
/// bucket of the capacity. Imbalance: that of random draws. Immutable.
/// Source: Mendelson, Vargaftik, Barabash, Lorenz, Keslassy, Orda 2020.
class anchor_table : public detail::bucket_table<detail::growing_anchor> {
public:
    struct options {
        std::uint32_t capacity = 0;  ///< buckets at most, up to `max_buckets`; 0: as many as are needed
        std::uint64_t seed = 0;      ///< of the keys' hash
        bucket_state state = {};     ///< of the table to go on from; its members then become those given
    };

    anchor_table() = default;

    /// Throws std::invalid_argument: more buckets than the capacity, or a capacity above `max_buckets`, an identity
    /// twice, a state that no anchor_table of that capacity exports.
    explicit anchor_table(std::span<const hash_member> members, const options& o)
        : bucket_table{detail::growing_anchor{o.capacity, o.state}, o.seed} {
        restore("anchor_table", o.state);
        follow("anchor_table", members);
    }
    explicit anchor_table(const anchor_table& previous, std::span<const hash_member> members) : bucket_table{previous} {
        follow("anchor_table", members);
    }
};

}  // namespace weir::inline WEIR_ABI
