#pragma once

#include "../../detail/as_written.hpp"
#include "../../hash.hpp"
#include "../keyed_table.hpp"
#include "envoy_ring.hpp"
#include "maglev_slots.hpp"

#include <cmath>

namespace weir::inline WEIR_ABI {

/// Envoy's Maglev, a dialect: a table of `table_size` slots that members take in turns, less often with less weight.
///
/// Identities are what Envoy hashes: the address `10.0.0.1:80`, or the host name. Text is hashed by xxHash64, as Envoy
/// does with a header; a key that is a number is such a hash already.
///
/// Envoy's laws, not weir's: shares are compared in double precision; a retry looks at the slot of the key with its bits
/// turned over by the attempt; Envoy fills a table of the healthy hosts alone, where weir keeps the table and retries.
/// To follow Envoy set the weight of who is down to 0. Envoy leaves out hosts beyond the table's size; weir refuses them.
/// history_free: members take their turns by identity, as in Envoy since it sorts them.
/// Complexity: look-up O(1); building O(slots log n) on average. Memory: 4 bytes a slot.
/// Source: the tables that Envoy's tests assert.
class envoy_maglev_table {
public:
    static constexpr bool history_free = true;

    struct options {
        std::uint32_t table_size = 65'537;  ///< a prime from 3 to 5,000,011
        bool operator==(const options&) const = default;
    };

    /// Throws std::invalid_argument: a size that is not prime, or below the number of members; weights of 2^32 or more
    /// in all.
    envoy_maglev_table(std::span<const hash_member> members, const options& o) {
        const auto shares = detail::envoy_shares("envoy_maglev_table", members);
        detail::check_maglev("envoy_maglev_table", o.table_size, shares.size());
        std::vector<detail::maglev_way> ways;
        double most = 0;
        for (const auto& [m, share] : shares) {
            ways.push_back({static_cast<std::uint32_t>(hash(m.identity) % o.table_size),
                            static_cast<std::uint32_t>(hash(m.identity, 1) % (o.table_size - 1) + 1)});
            most = (std::max)(most, share);
        }
        // A member has its turn when the rounds times its share have reached its target, which the turn raises by the
        // greatest share: at first in round 1.
        std::vector<double> targets(shares.size());
        const auto due = [&](std::uint32_t m, std::uint64_t round) {
            if (round > 0) targets[m] += most;
            return first_round(targets[m], shares[m].second, round + 1);
        };
        slots_ = {detail::fill_maglev<std::uint32_t>(o.table_size, std::move(ways), due),
                  [&](std::uint32_t m) { return shares[m].first.index; }};
    }

    [[nodiscard]] bool empty() const noexcept { return slots_.all().empty(); }
    /// The index of each slot's member.
    [[nodiscard]] std::span<const std::uint32_t> slots() const noexcept { return slots_.all(); }

    [[nodiscard]] std::uint32_t find(std::uint64_t key) const noexcept { return slots_.find(key); }
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        return slots_.walk(key, steps, accept);
    }

private:
    /// The first round from `from` on whose product with the share is not below the target, as doubles multiply. The
    /// quotient may be off by a rounding, so it only tells where to begin.
    static std::uint64_t first_round(double target, double share, std::uint64_t from) noexcept {
        const double quotient = std::floor(target / share);
        std::uint64_t round = (std::max)(from, quotient > 1 ? static_cast<std::uint64_t>(quotient) - 1 : from);
        while (detail::as_written(static_cast<double>(round) * share) < target) ++round;
        return round;
    }

    detail::maglev_slots slots_;
};

static_assert(keyed_table<envoy_maglev_table>);

}  // namespace weir::inline WEIR_ABI
