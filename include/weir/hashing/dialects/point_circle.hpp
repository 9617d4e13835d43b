#pragma once

#include "../../detail/error.hpp"
#include "../hash_member.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

// What the dialects of rings share. Private.
namespace weir::inline WEIR_ABI::detail {

/// The members with a weight, by identity: the order that no history changes.
[[nodiscard]] inline std::vector<hash_member> by_identity(std::span<const hash_member> members) {
    std::vector<hash_member> sorted;
    sorted.reserve(members.size());
    for (const hash_member& m : members)
        if (m.weight > 0) sorted.push_back(m);
    std::sort(sorted.begin(), sorted.end(),
              [](const hash_member& a, const hash_member& b) { return a.identity < b.identity; });
    return sorted;
}

/// The sum of weights. Cannot wrap: fewer than 2^32 weights below 2^32.
[[nodiscard]] inline std::uint64_t total_weight(std::span<const hash_member> members) noexcept {
    std::uint64_t total = 0;
    for (const hash_member& m : members) total += m.weight;
    return total;
}

/// Points of members on the circle of all `Word`s, sorted. Of equal points the one placed first comes first.
template <std::unsigned_integral Word>
class point_circle {
public:
    /// As ring_table's: more than that is a weight in the wrong unit.
    static constexpr std::uint64_t max_points = std::uint64_t{1} << 24;

    /// Throws std::invalid_argument where `weight` times `per_weight` points are too many; `who` is the table's name.
    static void check_size(const char* who, std::uint64_t weight, std::uint64_t per_weight) {
        if (weight > max_points / per_weight)
            reject(std::string{who} + ": weights of " + std::to_string(weight) + " in all times " +
                   std::to_string(per_weight) + " points are more than " + std::to_string(max_points) +
                   " points; use smaller weights");
    }

    void reserve(std::uint64_t points) { points_.reserve(static_cast<std::size_t>(points)); }
    /// All points of one member are placed before those of the next.
    void place(Word at, std::uint32_t index) {
        if (owners_.empty() || owners_.back() != index) owners_.push_back(index);
        points_.push_back({at, static_cast<std::uint32_t>(owners_.size() - 1)});
    }
    /// After the last `place`.
    void close() {
        std::sort(points_.begin(), points_.end(),
                  [](const point& a, const point& b) { return a.at != b.at ? a.at < b.at : a.index < b.index; });
        for (point& p : points_) p.index = owners_[p.index];
        owners_ = {};
    }
    /// Leaves one of several equal points, the first.
    void drop_equal() {
        const auto equal = [](const point& a, const point& b) { return a.at == b.at; };
        points_.erase(std::unique(points_.begin(), points_.end(), equal), points_.end());
    }

    [[nodiscard]] std::size_t size() const noexcept { return points_.size(); }
    [[nodiscard]] Word at(std::size_t place) const noexcept { return points_[place].at; }
    [[nodiscard]] std::uint32_t index(std::size_t place) const noexcept { return points_[place].index; }

    /// The place of the first point at or after `key`, around the circle. Only where there is a point; so are the others.
    [[nodiscard]] std::size_t next(Word key) const noexcept {
        const auto found = std::lower_bound(points_.begin(), points_.end(), key,
                                            [](const point& p, Word k) { return p.at < k; });
        return found == points_.end() ? 0 : static_cast<std::size_t>(found - points_.begin());
    }
    [[nodiscard]] std::size_t after(std::size_t place) const noexcept {
        return place + 1 == points_.size() ? 0 : place + 1;
    }
    [[nodiscard]] std::size_t before(std::size_t place) const noexcept {
        return place == 0 ? points_.size() - 1 : place - 1;
    }
    [[nodiscard]] std::uint32_t find(Word key) const noexcept { return index(next(key)); }

    /// `walk` of a keyed table in which each point is a step, of whomever it is.
    template <class Accept>
    std::uint32_t walk_points(Word key, std::uint32_t steps, Accept&& accept) const noexcept {
        std::size_t place = next(key);
        for (std::uint32_t step = 0; step < steps; ++step, place = after(place))
            if (accept(index(place))) return step;
        return steps;
    }

    /// `walk` of a keyed table in which points of one member in a row are one step (up to 64 of them: bad luck, bounded).
    template <class Accept>
    std::uint32_t walk_members(Word key, std::uint32_t steps, Accept&& accept) const noexcept {
        std::size_t place = next(key);
        for (std::uint32_t step = 0; step < steps; ++step) {
            const std::uint32_t here = index(place);
            if (accept(here)) return step;
            std::size_t left = (std::min)(size(), std::size_t{64});
            do place = after(place);
            while (index(place) == here && --left > 0);
        }
        return steps;
    }

private:
    struct point {
        Word at;
        std::uint32_t index;  // until `close` the rank of its member
    };
    std::vector<point> points_;
    std::vector<std::uint32_t> owners_;  // until `close`: indices, by rank
};

}  // namespace weir::inline WEIR_ABI::detail
