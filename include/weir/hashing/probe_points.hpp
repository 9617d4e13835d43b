#pragma once

#include "../detail/config.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace weir::inline WEIR_ABI::detail {

/// Points on the circle of 64-bit numbers, and which of them is closest behind one of several probes.
class probe_points {
public:
    static constexpr std::uint32_t max_probes = 64;
    struct point {
        std::uint64_t hash;
        std::uint32_t index;
    };

    probe_points() = default;

    /// Fewer than 2^32 points, in order.
    explicit probe_points(std::span<const point> sorted)
        : size_{sorted.size()},
          shift_{65 - static_cast<int>(std::bit_width(std::bit_ceil((std::max)(sorted.size(), std::size_t{2}))))} {
        if (sorted.empty()) return;
        first_.assign((std::size_t{1} << (64 - shift_)) + 1, 0);
        for (const point& p : sorted) {
            hashes_.push_back(p.hash);
            indices_.push_back(p.index);
            ++first_[static_cast<std::size_t>(p.hash >> shift_) + 1];
        }
        for (std::size_t b = 1; b < first_.size(); ++b) first_[b] += first_[b - 1];
        hashes_.insert(hashes_.end(), ahead, ~std::uint64_t{0});  // `behind` may read on
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// The index of the point that has the least distance from a probe in front of it; of equal ones that of the first
    /// probe. `probe(i)` gives the i-th of k probes. Only if there are points.
    template <class Probe>
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t nearest(std::uint32_t k, Probe probe) const noexcept {
        std::size_t best = behind(probe(0));
        std::uint64_t least = distance(probe(0), best);
        for (std::uint32_t i = 1; i < k; ++i) {
            const std::uint64_t from = probe(i);
            const std::size_t at = behind(from);
            const std::uint64_t here = distance(from, at);
            // Three or four of 21 probes are the closest so far, nobody can predict which: no branch.
            const std::uint64_t closer = 0 - static_cast<std::uint64_t>(here < least);
            best ^= (best ^ at) & static_cast<std::size_t>(closer);
            least ^= (least ^ here) & closer;
        }
        return indices_[best];
    }

    /// The points in the order of their distances from any of k probes: at most `steps` of them go to `accept`, until it
    /// returns true. The number of that one, else `steps`.
    template <class Probe, class Accept>
    std::uint32_t walk(std::uint32_t k, Probe probe, std::uint32_t steps, Accept&& accept) const noexcept {
        struct cursor {
            std::uint64_t from, distance;
            std::size_t at;
        };
        std::array<cursor, max_probes> cursors;
        for (std::uint32_t i = 0; i < k; ++i) {
            const std::uint64_t from = probe(i);
            const std::size_t at = behind(from);
            cursors[i] = {from, distance(from, at), at};
        }
        for (std::uint32_t step = 0; step < steps; ++step) {
            cursor& c = *std::min_element(cursors.begin(), cursors.begin() + k,
                                          [](const cursor& a, const cursor& b) { return a.distance < b.distance; });
            if (accept(indices_[c.at])) return step;
            c.at = c.at + 1 == size_ ? 0 : c.at + 1;
            c.distance = distance(c.from, c.at);
        }
        return steps;
    }

private:
    static constexpr std::size_t ahead = 3;  // points of a bucket that are looked at without branches

    /// From behind a hash to a point, around the circle: one at the hash itself is the furthest.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint64_t distance(std::uint64_t from, std::size_t to) const noexcept {
        return hashes_[to] - from - 1;
    }
    /// The first point behind a hash, around the circle: through a bucket a point, and without branches.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::size_t behind(std::uint64_t hash) const noexcept {
        std::size_t p = first_[static_cast<std::size_t>(hash >> shift_)];
        const std::uint64_t* const hashes = hashes_.data() + p;
        const auto passed = [&](std::size_t i) -> std::size_t { return hashes[i] <= hash ? 1 : 0; };
        p += passed(0) + passed(1) + passed(2);
        if (hashes[ahead - 1] <= hash) [[unlikely]]
            while (p < size_ && hashes_[p] <= hash) ++p;
        return p & (std::size_t{0} - (p < size_ ? 1 : 0));  // behind the last one comes the first
    }

    std::size_t size_ = 0;
    int shift_ = 63;
    std::vector<std::uint64_t> hashes_;
    std::vector<std::uint32_t> indices_;
    std::vector<std::uint32_t> first_;  // by the top bits: the first point with these or larger ones
};

}  // namespace weir::inline WEIR_ABI::detail
