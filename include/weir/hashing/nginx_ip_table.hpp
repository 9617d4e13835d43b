#pragma once

#include "../detail/error.hpp"
#include "hash_member.hpp"
#include "ip_address.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::inline WEIR_ABI {

/// nginx's ip_hash, bit for bit: which member a client's address belongs to, and where it goes on to.
///
/// With h = 89, for the first three bytes of an IPv4 address, all 16 of an IPv6 one: h = (113 h + byte) mod 6271; then
/// h mod the total weight falls to a member, in the order given. The next candidate comes from going on with the same h.
///
/// Only 6,271 values, so clients are spread evenly as far as 6,271 is a multiple of the total weight; more weight than
/// that is refused. The order is the mapping, and a member more or less moves most keys.
/// Complexity: a look-up O(1), building O(n). Memory: 25 KiB. Immutable.
/// Source: nginx, ngx_http_upstream_ip_hash_module.
class nginx_ip_table {
public:
    static constexpr std::uint32_t values = 6271;

    nginx_ip_table() = default;

    /// Throws std::invalid_argument for weights of more than `values` in all.
    explicit nginx_ip_table(std::span<const hash_member> members) {
        std::uint64_t total = 0;
        for (const hash_member& m : members) total += m.weight;
        if (total > values)
            detail::reject("nginx_ip_table: weights of " + std::to_string(total) + " in all are more than the " +
                           std::to_string(values) + " values of the hash; use smaller weights");
        for (const hash_member& m : members) indices_.insert(indices_.end(), m.weight, m.index);
        for (std::size_t value = indices_.size(); value < values && total > 0; ++value)
            indices_.push_back(indices_[value - total]);
    }

    /// What counts of an address, as a key. Any other key is taken for one, too.
    [[nodiscard]] static constexpr std::uint64_t key(const ip_address& client) noexcept {
        std::uint32_t added = 0;  // after all its bytes the rule makes h into (113^length h + added) mod 6271
        for (const std::uint8_t byte : client.bytes().first(client.is_v4() ? 3 : 16))
            added = (113 * added + byte) % values;
        return client.is_v4() ? added : values + added;
    }

    [[nodiscard]] bool empty() const noexcept { return indices_.empty(); }

    /// The index of the member a key belongs to. Only for a table that is not empty.
    [[nodiscard]] std::uint32_t find(std::uint64_t key) const noexcept { return indices_[step(key, first)]; }

    /// Gives `accept` the key's candidates in order, at most `steps` of them, until it returns true: then that candidate's
    /// number, from 0, else `steps`.
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        std::uint32_t h = first;
        for (std::uint32_t tried = 0; tried < steps; ++tried) {
            h = step(key, h);
            if (accept(indices_[h])) return tried;
        }
        return steps;
    }

private:
    static constexpr std::uint32_t first = 89;

    static constexpr std::uint32_t power(int length) noexcept {
        std::uint32_t result = 1;
        for (int i = 0; i < length; ++i) result = result * 113 % values;
        return result;
    }
    static constexpr std::uint32_t step(std::uint64_t key, std::uint32_t h) noexcept {
        const auto added = static_cast<std::uint32_t>(key % (2 * values));
        return added < values ? (power(3) * h + added) % values : (power(16) * h + added) % values;
    }

    std::vector<std::uint32_t> indices_;  // by h
};

}  // namespace weir::inline WEIR_ABI
