#pragma once

#include "../detail/error.hpp"
#include "../hash.hpp"
#include "circle.hpp"
#include "keyed_table.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace weir::inline WEIR_ABI {

/// A hash ring: each member has points on a circle of 64-bit numbers, and a key belongs to the next point.
///
/// The points of a member are xxHash64 of `identity_i`, i from 0, a fixed number per unit of weight: what others do
/// never moves them. Losing a member moves exactly its keys; raising a weight moves keys only towards it. Keys are mixed
/// first, so that counters will do. A key's own order is the ring from its point on.
///
/// history_free: the mapping depends on identities and weights alone. Equal points are ordered by identity.
/// Complexity: look-up O(1) on average, through an index on the key's top bits; building O(points log points); made of
/// its predecessor one copy, and the sorting of the points that changed.
/// Memory: 10 to 16 bytes a point. Imbalance: max/mean about 1.26 with 160 points and 100 members. Immutable.
/// Source: Karger et al. 1997; the points' names are Envoy's.
class ring_table {
public:
    static constexpr bool history_free = true;

    struct options {
        std::uint32_t points_per_weight = 160;  ///< above 0
        std::uint64_t seed = 0;                 ///< of the points' hash
        bool operator==(const options&) const = default;
    };
    /// 192 MiB of points and their index. More than that is a weight in the wrong unit.
    static constexpr std::uint64_t max_points = std::uint64_t{1} << 24;

    ring_table() = default;

    /// Throws std::invalid_argument: no points per weight, more than `max_points` in all, an index that is not below
    /// `max_points` or comes twice.
    explicit ring_table(std::span<const hash_member> members, const options& o) : options_{o} {
        if (o.points_per_weight == 0) detail::reject("ring_table: points_per_weight 0 is not above 0");
        keep(members);
        build();
    }

    /// The same ring as of (members, the options of `previous`), for less where few members have changed.
    explicit ring_table(const ring_table& previous, std::span<const hash_member> members)
        : options_{previous.options_} {
        const std::uint64_t total = keep(members);
        if (previous.circle_.has_room(total, members_.size())) {
            const std::vector<edit> edits = edits_since(previous, total / 8);
            if (edits.size() <= total / 8) {  // from there on a new ring costs no more
                circle_ = detail::circle{previous.circle_, edits};
                return;
            }
        }
        build();
    }

    [[nodiscard]] bool empty() const noexcept { return circle_.size() == 0; }
    /// How many points there are.
    [[nodiscard]] std::size_t size() const noexcept { return circle_.size(); }

    /// The index of the member a key belongs to. Only for a ring that is not empty.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t find(std::uint64_t key) const noexcept {
        return circle_.index_at(circle_.lower(mix(key)));
    }

    /// Gives `accept` the key's candidates in the key's own order, at most `steps` of them, until it returns true: then
    /// that candidate's number, from 0, else `steps`. A member may come again later on; twice in a row only
    /// behind 64 points of its own.
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        std::size_t at = circle_.lower(mix(key));
        for (std::uint32_t step = 0; step < steps; ++step) {
            const std::uint32_t here = circle_.index_at(at);
            if (accept(here)) return step;
            std::size_t left = (std::min)(size(), std::size_t{64});  // of one member in a row: bad luck, bounded
            do at = at + 1 < size() ? at + 1 : at + 1 - size();
            while (circle_.index_at(at) == here && --left > 0);
        }
        return steps;
    }

private:
    using point = detail::circle::point;
    using edit = detail::circle::edit;
    struct member {
        std::string identity;
        std::uint64_t points = 0;
        bool used = false;
    };

    /// Notes who the ring is made for, by index; how many points they have.
    std::uint64_t keep(std::span<const hash_member> members) {
        std::uint64_t total = 0, indices = 0;
        for (const hash_member& m : members) {
            total += m.weight;
            indices = (std::max)(indices, m.index + std::uint64_t{1});
        }
        if (total > max_points / options_.points_per_weight)
            detail::reject("ring_table: weights of " + std::to_string(total) + " in all times " +
                           std::to_string(options_.points_per_weight) + " points are more than " +
                           std::to_string(max_points) + " points; use smaller weights");
        if (indices > max_points)
            detail::reject("ring_table: an index of " + std::to_string(indices - 1) + " is not below " +
                           std::to_string(max_points) + "; indices number the members");
        members_.resize(static_cast<std::size_t>(indices));
        for (const hash_member& m : members) {
            if (members_[m.index].used)
                detail::reject("ring_table: the index " + std::to_string(m.index) + " comes twice");
            members_[m.index] = {std::string{m.identity}, std::uint64_t{m.weight} * options_.points_per_weight, true};
        }
        return total * options_.points_per_weight;
    }

    /// Calls f with the hash of each point of a member, from the `begin`-th to before the `end`-th.
    template <class F>
    void for_points(const member& m, std::uint64_t begin, std::uint64_t end, F&& f) const {
        if (begin == end) return;
        std::string name = m.identity + '_';
        const std::size_t stem = name.size();
        for (std::uint64_t p = begin; p < end; ++p) {
            name.resize(stem);
            name += std::to_string(p);
            f(hash(name, options_.seed));
        }
    }

    void build() {
        std::vector<point> points;
        for (std::uint32_t i = 0; i < members_.size(); ++i)
            for_points(members_[i], 0, members_[i].points, [&](std::uint64_t h) { points.push_back({h, i}); });
        std::sort(points.begin(), points.end(), [&](point a, point b) {
            return a.hash != b.hash ? a.hash < b.hash : before(members_[a.index], a.index, members_[b.index], b.index);
        });
        circle_ = detail::circle{points, members_.size()};
    }

    /// The order of equal points.
    static bool before(const member& a, std::uint32_t index_a, const member& b, std::uint32_t index_b) noexcept {
        return std::tie(a.identity, index_a) < std::tie(b.identity, index_b);
    }

    /// The points that differ from those of `old`, in the order that the circle wants; given up beyond `most`.
    [[nodiscard]] std::vector<edit> edits_since(const ring_table& old, std::uint64_t most) const {
        std::vector<edit> edits;
        const detail::circle& c = old.circle_;
        const member none;
        for (std::uint32_t i = 0; i < (std::max)(members_.size(), old.members_.size()) && edits.size() <= most; ++i) {
            const member& was = i < old.members_.size() ? old.members_[i] : none;
            const member& is = i < members_.size() ? members_[i] : none;
            const std::uint64_t kept = was.identity == is.identity ? (std::min)(was.points, is.points) : 0;
            for_points(was, kept, was.points, [&](std::uint64_t h) {
                std::size_t at = c.lower(h);
                while (c.index_at(at) != i) ++at;
                edits.push_back({{h, i}, true, at});
            });
            for_points(is, kept, is.points, [&](std::uint64_t h) {
                std::size_t at = c.lower(h);
                for (const std::size_t end = c.upper(h); at != end; ++at)
                    if (before(is, i, old.members_[c.index_at(at)], c.index_at(at))) break;
                edits.push_back({{h, i}, false, at});
            });
        }
        const auto member_of = [&](const edit& e) -> const member& { return (e.gone ? old : *this).members_[e.index]; };
        std::sort(edits.begin(), edits.end(), [&](const edit& a, const edit& b) {
            if (std::tie(a.at, a.gone, a.hash) != std::tie(b.at, b.gone, b.hash))
                return std::tie(a.at, a.gone, a.hash) < std::tie(b.at, b.gone, b.hash);
            return before(member_of(a), a.index, member_of(b), b.index);
        });
        return edits;
    }

    options options_;
    std::vector<member> members_;  // by index
    detail::circle circle_;
};

}  // namespace weir::inline WEIR_ABI
