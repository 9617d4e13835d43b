#pragma once

#include "../functions/crc32.hpp"
#include "../keyed_table.hpp"
#include "point_circle.hpp"

#include <string_view>
#include <utility>

namespace weir::inline WEIR_ABI {

/// nginx's `hash KEY consistent`, a dialect: 160 points per unit of weight, chained by CRC-32.
///
/// Identities are the servers as nginx's configuration spells them: `10.0.0.1:80`, `unix:/run/app`. Text is hashed by
/// CRC-32; a key that is a number is such a hash already, of which the low 32 bits count.
///
/// nginx's laws, not weir's: 32-bit points, of equal ones the first stays (nginx leaves its C library to say which that
/// is; here the lesser identity); a key tries 21 points, whomever they belong to. Then nginx goes over to round robin,
/// and weir to the draw that every selector ends with.
/// history_free: the mapping depends on identities and weights alone.
/// Complexity: look-up O(log points); building O(points log points). Memory: 8 bytes a point.
/// Source: answers of nginx 1.22.1; the points are those of Cache::Memcached::Fast.
class nginx_consistent_hash_table {
public:
    static constexpr bool history_free = true;
    static constexpr std::uint32_t walk_steps = 21;

    struct options {
        bool operator==(const options&) const = default;
    };

    /// Throws std::invalid_argument for more than 2^24 points.
    explicit nginx_consistent_hash_table(std::span<const hash_member> members, const options& = {}) {
        constexpr std::uint64_t per_weight = 160;
        const std::uint64_t weight = detail::total_weight(members);
        detail::point_circle<std::uint32_t>::check_size("nginx_consistent_hash_table", weight, per_weight);
        points_.reserve(weight * per_weight);
        for (const hash_member& m : detail::by_identity(members)) {
            const auto [host, port] = split(m.identity);
            const std::uint32_t named = crc32{crc32{crc32{}(host)}(std::string_view{"\0", 1})}(port);
            std::uint32_t point = 0;
            for (std::uint64_t left = m.weight * per_weight; left > 0; --left) {
                const char bytes[4] = {static_cast<char>(point), static_cast<char>(point >> 8),
                                       static_cast<char>(point >> 16), static_cast<char>(point >> 24)};
                point = crc32{named}(std::string_view{bytes, 4});
                points_.place(point, m.index);
            }
        }
        points_.close();
        points_.drop_equal();
    }

    [[nodiscard]] bool empty() const noexcept { return points_.size() == 0; }
    /// How many points there are.
    [[nodiscard]] std::size_t size() const noexcept { return points_.size(); }

    /// The key of a text.
    [[nodiscard]] static std::uint64_t key_of(std::string_view text) noexcept { return crc32{}(text); }

    [[nodiscard]] std::uint32_t find(std::uint64_t key) const noexcept {
        return points_.find(static_cast<std::uint32_t>(key));
    }
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        return points_.walk_points(static_cast<std::uint32_t>(key), steps, accept);
    }

private:
    /// Host and port as nginx takes a server's name apart: the port is what follows the last colon if it is digits alone.
    static std::pair<std::string_view, std::string_view> split(std::string_view server) noexcept {
        constexpr std::string_view unix_prefix = "unix:";
        const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
        if (server.size() >= unix_prefix.size() && std::equal(unix_prefix.begin(), unix_prefix.end(), server.begin(),
                                                              [&](char a, char b) { return a == lower(b); }))
            return {server.substr(unix_prefix.size()), {}};
        const std::size_t digits = server.find_last_not_of("0123456789");
        if (digits == std::string_view::npos || server[digits] != ':') return {server, {}};
        return {server.substr(0, digits), server.substr(digits + 1)};
    }

    detail::point_circle<std::uint32_t> points_;
};

static_assert(keyed_table<nginx_consistent_hash_table>);

}  // namespace weir::inline WEIR_ABI
