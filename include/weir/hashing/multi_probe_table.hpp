#pragma once

#include "../detail/error.hpp"
#include "../hash.hpp"
#include "keyed_table.hpp"
#include "probe_points.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::inline WEIR_ABI {

/// Multi-probe consistent hashing: a ring with one point for each unit of weight, and several probes for each key, of
/// which the one that is closest to the next point decides.
///
/// Rule: the first point of a member is xxHash64 of its identity, its others are mixed from that. The probes of a key are
/// independent: as h1 + i h2, which published code takes, they leave more on the fullest member. Losing a member moves
/// exactly its keys. What others do never moves a point, so weights are not divided by what they have in common: choose
/// small ones. A key's own order is by the distance of the points from its probes.
///
/// history_free. Equal points are ordered by identity. Complexity: look-up O(probes); building O(points log points).
/// Memory: 16 to 20 bytes a point. Imbalance: with k probes nobody has much more than k / (k - 1) of a fair share; some
/// have less, by a standard deviation of 1 / sqrt(2 k - 1) of it. Immutable.
/// Source: Appleton and O'Reilly 2015.
class multi_probe_table {
public:
    static constexpr bool history_free = true;

    struct options {
        std::uint32_t probes = 21;  ///< of a key, 1 to `max_probes`
        std::uint64_t seed = 0;     ///< of the identities' hash
        bool operator==(const options&) const = default;
    };
    static constexpr std::uint32_t max_probes = detail::probe_points::max_probes;
    static constexpr std::uint64_t max_points = std::uint64_t{1} << 24;

    multi_probe_table() = default;

    /// Throws std::invalid_argument: no probes or too many, more than `max_points` in all, an identity twice.
    explicit multi_probe_table(std::span<const hash_member> members, const options& o) : count_{o.probes} {
        if (o.probes == 0 || o.probes > max_probes)
            detail::reject("multi_probe_table: " + std::to_string(o.probes) + " probes are not from 1 to " +
                           std::to_string(max_probes));
        std::uint64_t total = 0;
        for (const hash_member& m : members) total += m.weight;
        if (total > max_points)
            detail::reject("multi_probe_table: weights of " + std::to_string(total) + " in all are more than " +
                           std::to_string(max_points) + " points; use smaller weights");
        std::vector<detail::probe_points::point> points;
        points.reserve(static_cast<std::size_t>(total));
        for (std::uint32_t i = 0; i < members.size(); ++i) {
            const std::uint64_t first = hash(members[i].identity, o.seed);
            for (std::uint32_t p = 0; p < members[i].weight; ++p) points.push_back({detail::attempt(first, p), i});
        }
        std::sort(points.begin(), points.end(), [&](auto& a, auto& b) {
            return a.hash != b.hash ? a.hash < b.hash : members[a.index].identity < members[b.index].identity;
        });
        for (std::size_t p = 1; p < points.size(); ++p)
            if (points[p - 1].hash == points[p].hash && points[p - 1].index != points[p].index &&
                members[points[p - 1].index].identity == members[points[p].index].identity)
                detail::reject("multi_probe_table: the identity \"" + std::string{members[points[p].index].identity} +
                               "\" comes twice");
        for (auto& p : points) p.index = members[p.index].index;
        points_ = detail::probe_points{points};
    }

    [[nodiscard]] bool empty() const noexcept { return points_.size() == 0; }

    /// The index of the member a key belongs to. Only for a table that is not empty.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t find(std::uint64_t key) const noexcept {
        return points_.nearest(count_, probes{mix(key)});
    }

    /// Gives `accept` the key's candidates, as keyed_table has it. A member may come again.
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        return points_.walk(count_, probes{mix(key)}, steps, accept);
    }

private:
    struct probes {
        std::uint64_t hashed;
        std::uint64_t operator()(std::uint32_t i) const noexcept { return detail::attempt(hashed, i); }
    };

    std::uint32_t count_ = 0;
    detail::probe_points points_;
};

}  // namespace weir::inline WEIR_ABI
