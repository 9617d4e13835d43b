#pragma once

#include "../../hash.hpp"
#include "../functions/murmur.hpp"
#include "../keyed_table.hpp"
#include "maglev_slots.hpp"
#include "point_circle.hpp"

#include <string_view>

namespace weir::inline WEIR_ABI {

/// What Katran knows of a real server when it fills a ring.
struct katran_endpoint {
    std::uint64_t hash;
    std::uint32_t weight;  ///< above 0
};

/// Katran's Maglev, second version (`MaglevHashV2`): the position in `endpoints` of each slot's endpoint. In their order:
/// a round adds each one's weight to its account, and who has the greatest weight together pays it and takes a slot.
/// Throws std::invalid_argument: a size that is no prime from 3 to 5,000,011 or below the number of endpoints, a weight
/// of 0.
[[nodiscard]] inline std::vector<std::uint32_t> katran_slots(std::span<const katran_endpoint> endpoints,
                                                             std::uint32_t table_size) {
    detail::check_maglev("katran_maglev_table", table_size, endpoints.size());
    std::vector<detail::maglev_way> ways;
    std::uint64_t most = 0;
    for (const katran_endpoint& e : endpoints) {
        if (e.weight == 0) detail::reject("katran_maglev_table: an endpoint's weight of 0 is not above 0");
        const auto scatter = [&e](std::uint64_t other, std::uint32_t seed) {
            char bytes[16];  // both, little-endian
            for (int i = 0; i < 8; ++i) {
                bytes[i] = static_cast<char>(e.hash >> (8 * i));
                bytes[8 + i] = static_cast<char>(other >> (8 * i));
            }
            return murmur3_128{seed}({bytes, sizeof bytes});
        };
        ways.push_back({static_cast<std::uint32_t>(scatter(42, 0) % table_size),
                        static_cast<std::uint32_t>(scatter(2'718'281'828, 2307) % (table_size - 1) + 1)});
        most = (std::max)(most, std::uint64_t{e.weight});
    }
    std::vector<std::uint64_t> accounts(endpoints.size());
    return detail::fill_maglev(table_size, std::move(ways), [&](std::uint32_t e, std::uint64_t round) {
        const std::uint64_t weight = endpoints[e].weight, rounds = (most - accounts[e] + weight - 1) / weight;
        accounts[e] = accounts[e] + rounds * weight - most;
        return round + rounds;
    });
}

/// Katran's Maglev, second version, a dialect.
///
/// Katran is given a 64-bit hash of each real server by its caller, and takes them in the order of those hashes:
/// `options::hash_of` makes them of identities. A key is the packet's hash, a number; text is hashed by xxHash64.
///
/// Katran's laws, not weir's: a member whose weight is small beside the greatest takes its first slot late, or, where
/// the table is full by then, never; Katran has no retries: weir's are those of Envoy's Maglev.
/// history_free: the mapping depends on identities and weights alone; equal hashes go by identity.
/// Complexity: look-up O(1); building O(slots log n) on average. Memory: 4 bytes a slot.
/// Source: Katran's rings for given endpoints, by MaglevHashV2. Its first version, which nearly ignores weights, is not
/// here.
class katran_maglev_table {
public:
    static constexpr bool history_free = true;

    struct options {
        std::uint32_t table_size = 65'537;  ///< a prime from 3 to 5,000,011
        std::uint64_t (*hash_of)(std::string_view identity) = [](std::string_view identity) { return hash(identity); };
        bool operator==(const options&) const = default;
    };

    /// Throws std::invalid_argument: a size that is not prime, or below the number of members; no `hash_of`.
    katran_maglev_table(std::span<const hash_member> members, const options& o) {
        if (o.hash_of == nullptr) detail::reject("katran_maglev_table: hash_of is null; it has to be a function");
        const std::vector<hash_member> all = detail::by_identity(members);
        std::vector<std::pair<std::uint64_t, std::size_t>> order;  // by hash, and where that is equal by identity
        order.reserve(all.size());
        for (std::size_t i = 0; i < all.size(); ++i) order.emplace_back(o.hash_of(all[i].identity), i);
        std::sort(order.begin(), order.end());
        std::vector<katran_endpoint> endpoints;
        endpoints.reserve(all.size());
        for (const auto& [hashed, i] : order) endpoints.push_back({hashed, all[i].weight});
        slots_ = {katran_slots(endpoints, o.table_size), [&](std::uint32_t e) { return all[order[e].second].index; }};
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
    detail::maglev_slots slots_;
};

static_assert(keyed_table<katran_maglev_table>);

}  // namespace weir::inline WEIR_ABI
