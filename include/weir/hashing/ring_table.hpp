#pragma once

#include "../detail/error.hpp"
#include "../hash.hpp"
#include "hash_member.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::inline WEIR_ABI {

/// A hash ring: each member has points on a circle of 64-bit numbers, and a key belongs to the next point.
///
/// The points of a member are xxHash64 of `identity_i`, i from 0, a fixed number per unit of weight: what others do
/// never moves them. Losing a member moves exactly its keys; raising a weight moves keys only towards it. Keys are mixed
/// first, so that counters will do. A key's own order is the ring from its point on.
///
/// history_free: the mapping depends on identities and weights alone. Equal points are ordered by identity.
/// Complexity: look-up O(1) on average, through an index on the key's top bits; building O(points log points).
/// Memory: 20 to 24 bytes a point. Imbalance: max/mean about 1.26 with 160 points and 100 members. Immutable.
/// Source: Karger et al. 1997; the points' names are Envoy's.
class ring_table {
public:
    static constexpr bool history_free = true;

    struct options {
        std::uint32_t points_per_weight = 160;  ///< above 0
        std::uint64_t seed = 0;                 ///< of the points' hash
        bool operator==(const options&) const = default;
    };
    /// 384 MiB of points. More than that is a weight in the wrong unit.
    static constexpr std::uint64_t max_points = std::uint64_t{1} << 24;

    ring_table() = default;

    /// Throws std::invalid_argument: no points per weight, or more than `max_points` in all.
    explicit ring_table(std::span<const hash_member> members, const options& o) {
        if (o.points_per_weight == 0) detail::reject("ring_table: points_per_weight 0 is not above 0");
        std::uint64_t total = 0;
        for (const hash_member& m : members) total += m.weight;
        if (total > max_points / o.points_per_weight)
            detail::reject("ring_table: weights of " + std::to_string(total) + " in all times " +
                           std::to_string(o.points_per_weight) + " points are more than " + std::to_string(max_points) +
                           " points; use smaller weights");
        points_.reserve(static_cast<std::size_t>(total * o.points_per_weight));
        std::vector<std::uint32_t> order(members.size());  // of equal points: by identity
        for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
        std::sort(order.begin(), order.end(),
                  [&](auto a, auto b) { return members[a].identity < members[b].identity; });
        std::string name;
        for (std::uint32_t rank = 0; rank < order.size(); ++rank) {
            const hash_member& m = members[order[rank]];
            name.assign(m.identity).push_back('_');
            const std::size_t stem = name.size();
            for (std::uint64_t p = 0; p < std::uint64_t{m.weight} * o.points_per_weight; ++p) {
                name.resize(stem);
                name += std::to_string(p);
                points_.push_back({hash(name, o.seed), rank});
            }
        }
        std::sort(points_.begin(), points_.end(),
                  [](point a, point b) { return a.hash != b.hash ? a.hash < b.hash : a.index < b.index; });
        for (point& p : points_) p.index = members[order[p.index]].index;
        make_index();
    }

    [[nodiscard]] bool empty() const noexcept { return points_.empty(); }
    /// How many points there are.
    [[nodiscard]] std::size_t size() const noexcept { return points_.size(); }

    /// The index of the member a key belongs to. Only for a ring that is not empty.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t find(std::uint64_t key) const noexcept {
        return points_[position(mix(key))].index;
    }

    /// Gives `accept` the key's candidates in the key's own order, at most `steps` of them, until it returns true: then
    /// that candidate's number, from 0, else `steps`. A member may come again later on; twice in a row only
    /// behind 64 points of its own.
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        std::size_t at = position(mix(key));
        for (std::uint32_t step = 0; step < steps; ++step) {
            const std::uint32_t here = points_[at].index;
            if (accept(here)) return step;
            std::size_t left = (std::min)(points_.size(),
                                          std::size_t{64});  // of one member in a row: bad luck, bounded
            do at = at + 1 == points_.size() ? 0 : at + 1;
            while (points_[at].index == here && --left > 0);
        }
        return steps;
    }

private:
    struct point {
        std::uint64_t hash;
        std::uint32_t index;
    };

    /// One bucket a point: on average the first or second point of the bucket is the one.
    void make_index() {
        if (points_.empty()) return;
        const std::size_t buckets = std::bit_ceil((std::max)(points_.size(), std::size_t{2}));
        shift_ = 64 - static_cast<int>(std::bit_width(buckets) - 1);
        first_.resize(buckets);
        std::size_t p = 0;
        for (std::size_t b = 0; b < buckets; ++b) {
            while (p < points_.size() && points_[p].hash >> shift_ < b) ++p;
            first_[b] = static_cast<std::uint32_t>(p);
        }
    }

    [[nodiscard]] WEIR_ALWAYS_INLINE std::size_t position(std::uint64_t hashed) const noexcept {
        std::size_t p = first_[hashed >> shift_];
        while (p < points_.size() && points_[p].hash < hashed) ++p;
        return p == points_.size() ? 0 : p;
    }

    std::vector<point> points_;
    std::vector<std::uint32_t> first_;  // by the top bits: the first point that is not before the bucket
    int shift_ = 63;
};

}  // namespace weir::inline WEIR_ABI
