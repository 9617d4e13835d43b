#pragma once

#include "bucket_draws.hpp"
#include "jump_hash.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::inline WEIR_ABI {

/// MementoHash: jump_hash over numbered buckets of which any can go, at the price of remembering those that went.
///
/// Rule: a key jumps to one of `size()` buckets. If that one was removed when c were left, the key draws one of the
/// first c; a draw that had been removed before that passes on to what replaced it, and the key goes on from there.
/// Removing moves exactly the keys of the bucket, adding the last removed brings them back.
///
/// Complexity: look-up that of jump_hash plus O(ln^2(size / in use)). Memory: 4 bytes a removed bucket, and 4 a bucket
/// while there are any.
/// Source: Coluzzi, Brocco, Antonucci, Leidi 2023.
class memento_buckets {
public:
    memento_buckets() = default;
    /// As after removing those buckets, in that order, from `size` of them. Throws std::invalid_argument: a bucket that
    /// is not there, or that is the last.
    explicit memento_buckets(std::uint32_t size, std::span<const std::uint32_t> removed = {}) : size_{size} {
        detail::check_removed("memento_buckets", size, removed);
        if (size > 0 && removed.size() == size)
            detail::reject("memento_buckets: of " + std::to_string(size) + " buckets all are removed");
        for (const std::uint32_t b : removed) forget(b);
    }

    /// One past the largest bucket in use or removed.
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    [[nodiscard]] std::uint32_t in_use() const noexcept { return size_ - static_cast<std::uint32_t>(removed_.size()); }
    /// In the order in which they went.
    [[nodiscard]] const std::vector<std::uint32_t>& removed() const noexcept { return removed_; }

    /// The bucket of a key, which is mixed here. Only if one is in use.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t find(std::uint64_t key) const noexcept {
        const std::uint64_t hashed = mix(key);
        const std::uint32_t b = jump_hash(hashed, size_);
        return removed_.empty() ? b : find_from(b, detail::bucket_draws{hashed});
    }
    /// From the bucket jumped to on; `draw(b, n)` gives a number below n for a key whose bucket b is gone.
    template <class Draw>
    [[nodiscard]] std::uint32_t find_from(std::uint32_t b, Draw draw) const noexcept {
        if (removed_.empty()) return b;
        while (const std::uint32_t left = left_[b]) {
            b = draw(b, left);
            while (left_[b] >= left) b = left_[b];
        }
        return b;
    }

    /// The bucket removed last, or a new one.
    std::uint32_t add() {
        if (removed_.empty()) return size_++;
        const std::uint32_t b = removed_.back();
        left_[b] = 0;
        removed_.pop_back();
        return b;
    }
    /// Takes a bucket out of use and returns it. Throws std::invalid_argument: not in use, or the last one in use.
    std::uint32_t remove(std::uint32_t b) {
        if (b >= size_ || (!removed_.empty() && left_[b] != 0))
            detail::reject("memento_buckets: the bucket " + std::to_string(b) + " is not in use");
        if (in_use() == 1)
            detail::reject("memento_buckets: the bucket " + std::to_string(b) + " is the last one in use");
        if (removed_.empty() && b + 1 == size_)
            --size_;
        else
            forget(b);
        return b;
    }
    void reserve(std::uint32_t) const noexcept {}
    void clear() noexcept { *this = {}; }

private:
    void forget(std::uint32_t b) {
        if (removed_.empty()) left_.assign(size_, 0);
        left_[b] = in_use() - 1;  // which is also the number of the bucket that replaces it
        removed_.push_back(b);
    }

    std::uint32_t size_ = 0;
    std::vector<std::uint32_t>
        left_;  // by bucket: how many were left when it went; 0: in use. Stale if none is removed
    std::vector<std::uint32_t> removed_;
};

}  // namespace weir::inline WEIR_ABI
