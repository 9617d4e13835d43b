#pragma once

#include "../detail/config.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace weir::inline WEIR_ABI::detail {

/// Points on the circle of 64-bit numbers, each with the index of its owner, sorted, and searched through their top
/// bits.
///
/// A bucket for each value of the top bits, about one a point, says where its points begin. So a point need not
/// keep those bits: it has the index of its owner in their place, and is one 64-bit word, compared without unpacking.
class circle {
public:
    struct point {
        std::uint64_t hash;
        std::uint32_t index;
    };
    /// A point that goes, or comes.
    struct edit : point {
        bool gone;
        std::size_t at;  ///< the old point that goes, or before which this one comes
    };

    circle() = default;

    /// Points in order, with indices below `indices`. Both counts are below 2^31.
    circle(std::span<const point> sorted, std::size_t indices)
        : mask_{(std::max)({buckets_for(sorted.size()), std::bit_ceil(indices), std::size_t{2}}) - 1},
          bits_{static_cast<int>(std::bit_width(mask_))} {
        points_.reserve(sorted.size() + probes);
        first_.assign(static_cast<std::size_t>(mask_) + 2, 0);
        for (const point& p : sorted) {
            points_.push_back(pack(p));
            ++first_[bucket_of(p.hash) + 1];
        }
        for (std::size_t b = 1; b < first_.size(); ++b) first_[b] += first_[b - 1];
        close();
    }

    /// The circle that edits make of another: one copy. They are ordered by `at`, what comes before what goes, and by
    /// hash, and `has_room` for them.
    circle(const circle& old, std::span<const edit> edits) : mask_{old.mask_}, bits_{old.bits_} {
        points_.reserve(old.size() + edits.size() + probes);
        first_.reserve(old.first_.size());
        std::size_t from = 0;
        std::uint32_t more = 0;  // points up to here than there were; wraps below 0
        const auto copy_until = [&](std::size_t to, std::size_t bucket) {
            points_.insert(points_.end(), old.points_.data() + from, old.points_.data() + to);
            const std::size_t begin = first_.size();
            first_.insert(first_.end(), old.first_.data() + begin, old.first_.data() + bucket);
            for (std::size_t b = begin; b < bucket; ++b) first_[b] += more;
            from = to;
        };
        for (const edit& e : edits) {
            copy_until((std::max)(from, e.at), bucket_of(e.hash) + 1);
            if (e.gone)
                ++from;
            else
                points_.push_back(pack(e));
            more += e.gone ? ~std::uint32_t{0} : 1;
        }
        copy_until(old.size(), old.first_.size());
        close();
    }

    /// The same buckets serve that many points and indices well.
    [[nodiscard]] bool has_room(std::uint64_t points, std::uint64_t indices) const noexcept {
        return size_ > 0 && points <= 2 * mask_ && 8 * points > mask_ && indices <= mask_ + 1;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Of the point at `at`; behind the last one comes the first again.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t index_at(std::size_t at) const noexcept {
        return static_cast<std::uint32_t>(points_[at] & mask_);
    }

    /// The first point that is not before `hash`; `size()` if that is behind the last. Only for a circle with points.
    /// Nobody can predict how many points of its bucket are before a hash: the first few are counted without branches.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::size_t lower(std::uint64_t hash) const noexcept {
        const std::uint64_t rest = hash << bits_;
        const std::uint32_t* const bucket = first_.data() + bucket_of(hash);
        std::size_t p = bucket[0];
        const std::size_t left = bucket[1] - p;
        const std::uint64_t* const points = points_.data() + p;
        const auto is_before = [&](std::size_t i) -> std::size_t { return (i < left) & (points[i] < rest); };
        const std::size_t before = is_before(0) + is_before(1) + is_before(2);
        p += before;
        if (before == probes) [[unlikely]]
            while (p != bucket[1] && points_[p] < rest) ++p;
        return p;
    }
    /// One past the last point with that hash, where `lower` gives the first.
    [[nodiscard]] std::size_t upper(std::uint64_t hash) const noexcept {
        std::size_t p = lower(hash);
        for (const std::size_t end = first_[bucket_of(hash) + 1]; p != end && (points_[p] ^ (hash << bits_)) <= mask_;)
            ++p;
        return p;
    }

private:
    /// One or two for a point; beyond what a processor keeps near, where a look-up waits for memory and not for its own
    /// work, half as many.
    static std::size_t buckets_for(std::size_t points) noexcept {
        return points > std::size_t{1} << 18 ? std::bit_floor(points) : std::bit_ceil(points);
    }
    [[nodiscard]] WEIR_ALWAYS_INLINE std::size_t bucket_of(std::uint64_t hash) const noexcept {
        return static_cast<std::size_t>(hash >> (64 - bits_));
    }
    /// Behind the last point come copies of the first: a hash behind the last belongs to it, and probes may read on.
    void close() {
        size_ = points_.size();
        if (size_ > 0) points_.insert(points_.end(), probes, points_.front());
    }
    [[nodiscard]] std::uint64_t pack(const point& p) const noexcept { return (p.hash << bits_) | p.index; }

    static constexpr std::size_t probes = 3;  // of a bucket's points; with a point a bucket 1 in 70 look-ups goes on

    std::uint64_t mask_ = 1;  // of an index in a point
    int bits_ = 1;            // of a bucket's number, and of an index
    std::size_t size_ = 0;
    std::vector<std::uint64_t> points_;
    std::vector<std::uint32_t> first_;  // by bucket: its first point, or where that would be; and the end
};

}  // namespace weir::inline WEIR_ABI::detail
