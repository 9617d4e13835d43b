#pragma once

#include "../functions/classic.hpp"
#include "../functions/crc32.hpp"
#include "../functions/jenkins.hpp"
#include "../keyed_table.hpp"
#include "point_circle.hpp"
#include "server_numbers.hpp"

#include <string_view>

namespace weir::inline WEIR_ABI {

/// The functions of HAProxy's `hash-type`.
enum class haproxy_function : std::uint8_t { sdbm, djb2, wt6, crc32 };

namespace detail {

/// HAProxy's mixer of 32 bits: Jenkins', then times a prime near three quarters of 2^32.
[[nodiscard]] constexpr std::uint32_t haproxy_avalanche(std::uint32_t value) noexcept {
    return jenkins_mix(value) * 3221225473u;
}

[[nodiscard]] inline std::uint32_t haproxy_key(haproxy_function f, bool avalanche, std::string_view text) noexcept {
    const std::uint32_t h = f == haproxy_function::djb2    ? djb2{}(text)
                            : f == haproxy_function::wt6   ? wt6{}(text)
                            : f == haproxy_function::crc32 ? crc32{}(text)
                                                           : sdbm{}(text);
    return avalanche ? haproxy_avalanche(h) : h;
}

}  // namespace detail

/// HAProxy's `hash-type consistent`, a dialect: 16 points per unit of weight, and the nearest point on either side wins.
///
/// Points come from a server's id, which HAProxy numbers from 1 in the order of its `server` lines: here the order in
/// which members came, the lowest free id for each; `options::state` says explicit ones (`id 17`). Text is hashed by the
/// function chosen; a key that is a number is such a hash already, of which the low 32 bits count.
///
/// HAProxy's laws, not weir's: identities do not count, ids do; weights go up to 256; without `avalanche` neighbouring
/// texts have neighbouring keys, and may all belong to one server. The points of a server that is down are passed over,
/// so that its keys go to the next nearest.
/// Not history_free: alike after the same sequence of changes, or with another's `state()`.
/// Complexity: look-up O(log points); building O(points log points). Memory: 8 bytes a point.
/// Source: answers of HAProxy 2.6.12. Version 3.0 changed its mapping.
class haproxy_hash_table {
public:
    static constexpr bool history_free = false;

    struct options {
        haproxy_function function = haproxy_function::sdbm;
        bool avalanche = false;
        std::vector<server_number> state = {};  ///< servers' ids, below 2^20; the others take the free ones
        bool operator==(const options&) const = default;
    };

    /// Throws std::invalid_argument: a weight above 256, an id of 0, of 2^20 or more, or twice, more than 2^24 points.
    haproxy_hash_table(std::span<const hash_member> members, const options& o)
        : haproxy_hash_table{members, o.function, o.avalanche, o.state} {}
    haproxy_hash_table(const haproxy_hash_table& previous, std::span<const hash_member> members)
        : haproxy_hash_table{members, previous.function_, previous.avalanche_, previous.state_} {}

    [[nodiscard]] bool empty() const noexcept { return points_.size() == 0; }
    [[nodiscard]] const std::vector<server_number>& state() const noexcept { return state_; }

    /// The key of a text.
    [[nodiscard]] std::uint64_t key_of(std::string_view text) const noexcept {
        return detail::haproxy_key(function_, avalanche_, text);
    }

    [[nodiscard]] std::uint32_t find(std::uint64_t key) const noexcept {
        const auto at = static_cast<std::uint32_t>(key);
        const std::size_t next = points_.next(at), previous = points_.before(next);
        return points_.index(before_is_nearer(at, previous, next) ? previous : next);
    }

    /// The key's own order is that of distance; points of one member in a row are one step, up to 64 of them.
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        const auto at = static_cast<std::uint32_t>(key);
        std::size_t next = points_.next(at), previous = points_.before(next);
        const auto take_nearest = [&] {
            const bool back = before_is_nearer(at, previous, next);
            const std::uint32_t index = points_.index(back ? previous : next);
            back ? previous = points_.before(previous) : next = points_.after(next);
            return index;
        };
        std::uint32_t here = take_nearest();
        for (std::uint32_t step = 0; step < steps; ++step) {
            if (accept(here)) return step;
            const std::uint32_t refused = here;
            std::size_t left = (std::min)(points_.size(), std::size_t{64});
            do here = take_nearest();
            while (here == refused && --left > 0);
        }
        return steps;
    }

private:
    static constexpr std::uint64_t per_weight = 16, ids = std::uint64_t{1} << 20;
    static constexpr std::uint32_t per_id = 4096, max_weight = 256;

    haproxy_hash_table(std::span<const hash_member> members, haproxy_function function, bool avalanche,
                       std::span<const server_number> known)
        : function_{function}, avalanche_{avalanche} {
        const std::vector<std::uint32_t> numbers = detail::number_servers("haproxy_hash_table", members, known);
        for (std::size_t i = 0; i < members.size(); ++i) check(members[i], numbers[i]);
        const std::uint64_t weight = detail::total_weight(members);
        detail::point_circle<std::uint32_t>::check_size("haproxy_hash_table", weight, per_weight);
        points_.reserve(weight * per_weight);
        for (const std::size_t i : detail::by_number(numbers))
            for (std::uint32_t p = 0; p < members[i].weight * per_weight; ++p)
                points_.place(detail::haproxy_avalanche(numbers[i] * per_id + p), members[i].index);
        points_.close();
        state_ = detail::named_numbers(members, numbers);
    }
    static void check(const hash_member& m, std::uint32_t id) {
        const std::string name = "haproxy_hash_table: \"" + std::string{m.identity} + "\" has ";
        if (m.weight > max_weight)
            detail::reject(name + "a weight of " + std::to_string(m.weight) + "; HAProxy's go up to " +
                           std::to_string(max_weight));
        if (id >= ids)
            detail::reject(name + "the id " + std::to_string(id) + ", which is not below " + std::to_string(ids));
    }

    /// Distances go around the circle; at equal ones the point before the key wins.
    [[nodiscard]] bool before_is_nearer(std::uint32_t key, std::size_t previous, std::size_t next) const noexcept {
        return key - points_.at(previous) <= points_.at(next) - key;
    }

    haproxy_function function_;
    bool avalanche_;
    std::vector<server_number> state_;
    detail::point_circle<std::uint32_t> points_;
};

static_assert(keyed_table<haproxy_hash_table>);

}  // namespace weir::inline WEIR_ABI
