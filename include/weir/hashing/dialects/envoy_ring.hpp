#pragma once

#include "../../detail/as_written.hpp"
#include "../functions/murmur.hpp"
#include "../keyed_table.hpp"
#include "point_circle.hpp"

#include <cmath>
#include <limits>
#include <utility>

namespace weir::inline WEIR_ABI {

/// The functions of Envoy's `ring_hash_lb_config`.
enum class envoy_function : std::uint8_t { xx_hash, murmur_hash_2 };

namespace detail {

/// Members as Envoy takes them: by identity, with shares of the sum in double precision.
/// Throws std::invalid_argument, naming the table, where the weights sum up to 2^32 or more, as Envoy does.
[[nodiscard]] inline std::vector<std::pair<hash_member, double>> envoy_shares(const char* who,
                                                                              std::span<const hash_member> members) {
    const std::uint64_t sum = total_weight(members);
    if (sum > (std::numeric_limits<std::uint32_t>::max)())
        reject(std::string{who} + ": weights of " + std::to_string(sum) + " in all are more than " +
               std::to_string((std::numeric_limits<std::uint32_t>::max)()));
    std::vector<std::pair<hash_member, double>> shares;
    for (const hash_member& m : by_identity(members))
        shares.emplace_back(m, static_cast<double>(m.weight) / static_cast<double>(sum));
    return shares;
}

}  // namespace detail

/// Envoy's ring hash, a dialect: a ring of about `minimum_ring_size` points, shared out by weight.
///
/// Identities are what Envoy hashes: the address `10.0.0.1:80`, or the host name. Text is hashed by xxHash64, as Envoy
/// does with a header; a key that is a number is such a hash already, and is not mixed.
///
/// Envoy's laws, not weir's: the size is a minimum for all together, so that survivors' points change when the pool
/// does; what a share leaves over goes to the next member, and where the maximum caps the ring a small one may end up
/// with no point at all; retries look at the next points, of whomever they are. Envoy goes through hosts in the order of
/// its list, gRPC for Go by name: weir by identity, so that the ring is history_free. It matters only where shares are no
/// whole numbers of points. Envoy builds a ring of the healthy hosts alone; weir goes on to the key's next points, and
/// to the draw that every selector ends with. To follow Envoy set the weight of who is down to 0.
/// Complexity: look-up O(log points); building O(points log points). Memory: 16 bytes a point.
/// Source: the rings that Envoy's tests assert.
class envoy_ring_table {
public:
    static constexpr bool history_free = true;
    static constexpr std::uint64_t largest_ring = 8'388'608;

    struct options {
        std::uint64_t minimum_ring_size = 1024;          ///< from 1 to the maximum
        std::uint64_t maximum_ring_size = largest_ring;  ///< up to 8,388,608
        envoy_function function = envoy_function::xx_hash;
        bool operator==(const options&) const = default;
    };

    /// Throws std::invalid_argument: sizes out of range, or weights of 2^32 or more in all.
    envoy_ring_table(std::span<const hash_member> members, const options& o) {
        if (o.maximum_ring_size == 0 || o.maximum_ring_size > largest_ring)
            detail::reject("envoy_ring_table: a maximum_ring_size of " + std::to_string(o.maximum_ring_size) +
                           " is not from 1 to " + std::to_string(largest_ring));
        if (o.minimum_ring_size == 0 || o.minimum_ring_size > o.maximum_ring_size)
            detail::reject("envoy_ring_table: a minimum_ring_size of " + std::to_string(o.minimum_ring_size) +
                           " is not from 1 to the maximum, " + std::to_string(o.maximum_ring_size));
        const auto shares = detail::envoy_shares("envoy_ring_table", members);
        if (shares.empty()) return;
        double least = 1;
        for (const auto& [m, share] : shares) least = (std::min)(least, share);
        // The least share gets a whole number of points, where the maximum allows.
        const double size = (std::min)(std::ceil(least * static_cast<double>(o.minimum_ring_size)) / least,
                                       static_cast<double>(o.maximum_ring_size));
        points_.reserve(static_cast<std::uint64_t>(std::ceil(size)));
        std::string name;
        double placed = 0, target = 0;  // over all members, so that fractions are not lost
        for (const auto& [m, share] : shares) {
            name.assign(m.identity).push_back('_');
            const std::size_t stem = name.size();
            target += detail::as_written(size * share);
            for (std::uint64_t i = 0; placed < target; ++i, ++placed) {
                name.resize(stem);
                name += std::to_string(i);
                points_.place(o.function == envoy_function::xx_hash ? hash(name) : murmur2_64a{murmur_seed}(name),
                              m.index);
            }
        }
        points_.close();
    }

    [[nodiscard]] bool empty() const noexcept { return points_.size() == 0; }
    /// How many points there are.
    [[nodiscard]] std::size_t size() const noexcept { return points_.size(); }

    [[nodiscard]] std::uint32_t find(std::uint64_t key) const noexcept { return points_.find(key); }
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        return points_.walk_points(key, steps, accept);
    }

protected:
    static constexpr std::uint64_t murmur_seed = 0xc70f6907;  // of libstdc++'s std::hash, which Envoy once called
    detail::point_circle<std::uint64_t> points_;
};

/// gRPC's ring hash, a dialect: Envoy's ring, by xxHash64 and of at most 4,096 points.
///
/// gRPC's laws, not weir's, are those of Envoy's ring but one: it keeps the ring when an endpoint fails and goes on to
/// the first usable one, and so does weir, so that other endpoints' keys stay. Points of one endpoint in a row are one
/// step. gRPC for Go goes through endpoints by name, which weir follows; for C++ in the order of its list.
/// history_free, complexity and memory: as envoy_ring_table.
/// Source: gRFC A42, which takes the ring from Envoy; the rings that Envoy's tests assert.
class grpc_ring_table : public envoy_ring_table {
public:
    struct options {
        std::uint64_t min_ring_size = 1024;  ///< from 1 to the maximum
        std::uint64_t max_ring_size = 4096;  ///< up to 8,388,608, where gRPC's own cap was raised
        bool operator==(const options&) const = default;
    };

    /// Throws std::invalid_argument as envoy_ring_table, in its name.
    grpc_ring_table(std::span<const hash_member> members, const options& o)
        : envoy_ring_table{members, {o.min_ring_size, o.max_ring_size, envoy_function::xx_hash}} {}

    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        return points_.walk_members(key, steps, accept);
    }
};

static_assert(keyed_table<envoy_ring_table> && keyed_table<grpc_ring_table>);

}  // namespace weir::inline WEIR_ABI
