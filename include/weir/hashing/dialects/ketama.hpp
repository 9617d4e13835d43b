#pragma once

#include "../../detail/as_written.hpp"
#include "../functions/jenkins.hpp"
#include "../functions/md5.hpp"
#include "../keyed_table.hpp"
#include "point_circle.hpp"

#include <cmath>
#include <string_view>

namespace weir::inline WEIR_ABI {

/// How libmemcached is set up.
enum class ketama_mode : std::uint8_t {
    weighted,  ///< MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED: 160 points for a mean share, by MD5; what `ketama` mostly means
    unweighted,  ///< MEMCACHED_BEHAVIOR_KETAMA: 100 points a server, by Jenkins' one-at-a-time, the library's default
    unweighted_md5  ///< the same with MEMCACHED_BEHAVIOR_HASH set to MD5
};

/// libmemcached's ketama, a dialect: a ring of 32-bit points, shared out by weight in single precision.
///
/// Identities are `host:port`; of the port 11211 libmemcached hashes the host alone, and so does this. Text is hashed as
/// the mode says; a key that is a number is such a hash already, of which the low 32 bits count.
///
/// libmemcached's laws, not weir's: a server has 4 floor(40 n w / W) points, so that everybody's change when the pool
/// does, and one whose share is below a fortieth of the mean has none and gets no keys; unweighted modes ignore weights.
/// Of equal points the lesser identity's comes first, where libmemcached leaves it to its C library. Under loss weir goes on
/// along the ring, libmemcached (told to eject) makes a ring of the others.
/// history_free: the mapping depends on identities and weights alone.
/// Complexity: look-up O(log points) and an MD5; building O(points log points). Memory: 8 bytes a point.
/// Source: rings and answers of libmemcached 1.1.4. Needs the library Nettle, see functions/md5.hpp.
class ketama_table {
public:
    static constexpr bool history_free = true;

    struct options {
        ketama_mode mode = ketama_mode::weighted;
        bool operator==(const options&) const = default;
    };

    /// Throws std::invalid_argument for more than 2^24 points.
    ketama_table(std::span<const hash_member> members, const options& o) : mode_{o.mode} {
        const std::vector<hash_member> sorted = detail::by_identity(members);
        const bool weighted = mode_ == ketama_mode::weighted;
        detail::point_circle<std::uint32_t>::check_size("ketama_table", sorted.size(), weighted ? 160 : 100);
        const std::uint64_t total = detail::total_weight(sorted);
        for (const hash_member& m : sorted) place(m, weighted ? digests(m.weight, total, sorted.size()) : 100);
        points_.close();
    }

    [[nodiscard]] bool empty() const noexcept { return points_.size() == 0; }
    /// How many points there are.
    [[nodiscard]] std::size_t size() const noexcept { return points_.size(); }
    /// One of them, in their order, and the index of its member.
    [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> point(std::size_t at) const noexcept {
        return {points_.at(at), points_.index(at)};
    }

    /// The key of a text.
    [[nodiscard]] std::uint64_t key_of(std::string_view text) const noexcept { return hash_of(text); }

    [[nodiscard]] std::uint32_t find(std::uint64_t key) const noexcept {
        return points_.find(static_cast<std::uint32_t>(key));
    }
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        return points_.walk_members(static_cast<std::uint32_t>(key), steps, accept);
    }

private:
    [[nodiscard]] std::uint32_t hash_of(std::string_view text) const noexcept {
        return mode_ == ketama_mode::unweighted ? one_at_a_time{}(text) : md5{}.word<std::uint32_t>(text);
    }

    /// libmemcached's arithmetic, in its order. (The 1e-10 that it adds at the end is below half a unit of every result
    /// that is not 0 anyway.)
    static std::uint32_t digests(std::uint32_t weight, std::uint64_t total, std::size_t servers) noexcept {
        const float share = static_cast<float>(weight) / static_cast<float>(total);
        const float points = detail::as_written(share * 160.0f) / 4.0f;
        return static_cast<std::uint32_t>(std::floor(detail::as_written(points * static_cast<float>(servers))));
    }

    void place(const hash_member& m, std::uint32_t labels) {
        constexpr std::string_view default_port = ":11211";
        std::string label{m.identity};
        if (label.ends_with(default_port)) label.resize(label.size() - default_port.size());
        label += '-';
        const std::size_t stem = label.size();
        for (std::uint32_t i = 0; i < labels; ++i) {
            label.resize(stem);
            label += std::to_string(i);
            if (mode_ != ketama_mode::weighted) {
                points_.place(hash_of(label), m.index);
                continue;
            }
            const md5::digest digest = md5{}.of(label);
            for (std::size_t part = 0; part < digest.size(); part += 4)
                points_.place(
                    detail::read_little_endian<std::uint32_t>(reinterpret_cast<const char*>(digest.data()) + part),
                    m.index);
        }
    }

    ketama_mode mode_;
    detail::point_circle<std::uint32_t> points_;
};

static_assert(keyed_table<ketama_table>);

}  // namespace weir::inline WEIR_ABI
