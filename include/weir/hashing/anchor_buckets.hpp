#pragma once

#include "bucket_draws.hpp"

#include <bit>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace weir::inline WEIR_ABI {

/// AnchorHash: `size()` numbered buckets, of which any may be out of use; all of them are where keys start.
///
/// Rule: a key starts at a bucket below `size()`. While its bucket is out of use, and was removed when c were left, the
/// key draws one of those: a number below c, passed on, while that one was gone by then, to what took its place.
/// Removing moves exactly the keys of the bucket, adding the one removed last brings them back.
///
/// Complexity: look-up O(1 + ln(size / in use)) draws, the fastest for an odd size; a change O(1). Memory: 16 bytes a
/// bucket, and 4 a removed one.
/// Source: Mendelson, Vargaftik, Barabash, Lorenz, Keslassy, Orda 2020.
class anchor_buckets {
public:
    static constexpr std::uint32_t max_size = std::uint32_t{1} << 24;

    anchor_buckets() = default;
    /// As after removing those buckets, in that order, from `size` of them. Throws std::invalid_argument: a size above
    /// `max_size`, or a bucket that is not there.
    explicit anchor_buckets(std::uint32_t size, std::span<const std::uint32_t> removed = {}) : in_use_{size} {
        if (size > max_size)
            detail::reject("anchor_buckets: a capacity of " + std::to_string(size) + " is more than " +
                           std::to_string(max_size));
        detail::check_removed("anchor_buckets", size, removed);
        if (size > 0) odd_ = size >> std::countr_zero(size);
        if (size > 0) twos_ = size / odd_ - 1;
        left_.resize(size);
        replacement_.resize(size);
        std::iota(replacement_.begin(), replacement_.end(), 0);
        order_ = place_ = replacement_;
        for (const std::uint32_t b : removed) take_out(b);
    }

    /// How many buckets there are, in use or not.
    [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(left_.size()); }
    [[nodiscard]] std::uint32_t in_use() const noexcept { return in_use_; }
    /// In the order in which they went.
    [[nodiscard]] const std::vector<std::uint32_t>& removed() const noexcept { return removed_; }

    /// The bucket of a key, which is mixed here. Only if one is in use.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t find(std::uint64_t key) const noexcept {
        const std::uint64_t mixed = detail::most_of_mix(key);
        std::uint64_t start = detail::scale_upper(mixed, odd_);
        if (twos_ != 0) [[unlikely]]
            start += (mixed >> 33 & twos_) * odd_;
        return find_from(static_cast<std::uint32_t>(start), detail::bucket_draws{detail::last_of_mix(mixed)});
    }
    /// From the bucket started at on; `draw(b, n)` gives a number below n for a key whose bucket b is out of use.
    template <class Draw>
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t find_from(std::uint32_t b, Draw draw) const noexcept {
        while (const std::uint32_t left = left_[b]) [[unlikely]] {
            b = draw(b, left);
            if (left_[b] >= left) [[unlikely]]
                b = pass_on(b, left);
        }
        return b;
    }

    /// Puts the bucket that was removed last in use. Throws std::invalid_argument: all are.
    std::uint32_t add() {
        if (removed_.empty()) detail::reject("anchor_buckets: all " + std::to_string(size()) + " buckets are in use");
        const std::uint32_t b = removed_.back();
        removed_.pop_back();
        left_[b] = 0;
        place_[order_[in_use_]] = in_use_;
        order_[place_[b]] = replacement_[b] = b;
        ++in_use_;
        return b;
    }
    /// Takes a bucket out of use and returns it. Throws std::invalid_argument: not in use, or the last one in use.
    std::uint32_t remove(std::uint32_t b) {
        if (b >= size() || left_[b] != 0 || in_use_ == 0)
            detail::reject("anchor_buckets: the bucket " + std::to_string(b) + " is not in use");
        if (in_use_ == 1) detail::reject("anchor_buckets: the bucket " + std::to_string(b) + " is the last one in use");
        take_out(b);
        return b;
    }

private:
    /// Out of line, so that the look-up of most keys has the registers.
    [[nodiscard]] WEIR_OUT_OF_LINE std::uint32_t pass_on(std::uint32_t b, std::uint32_t left) const noexcept {
        while (left_[b] >= left) b = replacement_[b];
        return b;
    }
    void take_out(std::uint32_t b) {
        removed_.push_back(b);
        --in_use_;
        left_[b] = in_use_;
        order_[place_[b]] = replacement_[b] = order_[in_use_];
        place_[order_[in_use_]] = place_[b];
    }

    // A start is below the size's odd part, plus as many of these as the key's next bits say: a size that doubles takes
    // one more bit, so that half of the keys start where they did.
    std::uint64_t odd_ = 0;
    std::uint64_t twos_ = 0;  // 2^n - 1 for a size of odd 2^n
    std::uint32_t in_use_ = 0;
    std::vector<std::uint32_t> left_;         // by bucket: how many were left when it went; 0: in use
    std::vector<std::uint32_t> replacement_;  // by bucket out of use: who took its place
    std::vector<std::uint32_t> order_;        // the buckets in use, then what was there before
    std::vector<std::uint32_t> place_;        // by bucket: where it is in that order, or was
    std::vector<std::uint32_t> removed_;
};

}  // namespace weir::inline WEIR_ABI
