#pragma once

#include "../ip_address.hpp"
#include "../keyed_table.hpp"
#include "server_numbers.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::inline WEIR_ABI {

/// nginx's `ip_hash`, a dialect: which server a client's address belongs to.
///
/// With h = 89, for the first three bytes of an IPv4 address, all 16 of an IPv6 one: h = (113 h + byte) mod 6271; then
/// h modulo the sum of the weights falls to a server, and further tries go on with the same h. A text that is no address
/// counts as 0.0.0.0, as everything does in nginx that is neither IPv4 nor IPv6.
///
/// nginx's laws, not weir's: servers count in the order of the configuration, which is here the order in which they came
/// (`options::state` says another); one that comes or goes moves nearly all keys; one that is down still counts. The hash
/// has 6,271 values, so that shares are off by up to weights / 6,271 of each; where nginx would leave the servers beyond
/// without a client, weights of more than that in all are refused.
/// Not history_free: alike after the same sequence of changes, or with another's `state()`. Who leaves makes room for
/// who comes.
/// Complexity: look-up O(1), building O(n). Memory: 25 KiB, and a member's identity.
/// Source: nginx, ngx_http_upstream_ip_hash_module, and answers of nginx 1.22.1.
class nginx_ip_hash_table {
public:
    static constexpr bool history_free = false;
    static constexpr std::uint32_t walk_steps = 21;  // nginx gives up when more than 20 tries have failed
    static constexpr std::uint32_t values = 6271;

    struct options {
        std::vector<server_number> state = {};  ///< servers' places in the configuration; the others take the free ones
        bool operator==(const options&) const = default;
    };

    /// Throws std::invalid_argument for weights above `values` in all, and a state with a place or an identity twice.
    nginx_ip_hash_table(std::span<const hash_member> members, const options& o)
        : nginx_ip_hash_table{std::span{o.state}, members} {}
    nginx_ip_hash_table(const nginx_ip_hash_table& previous, std::span<const hash_member> members)
        : nginx_ip_hash_table{std::span{previous.state_}, members} {}

    [[nodiscard]] bool empty() const noexcept { return indices_.empty(); }
    [[nodiscard]] const std::vector<server_number>& state() const noexcept { return state_; }

    /// What counts of an address. Any other key is taken for one, too.
    [[nodiscard]] static constexpr std::uint64_t key_of(const ip_address& client) noexcept {
        std::uint32_t added = 0;  // after all its bytes the rule makes h into (113^length h + added) mod 6271
        for (const std::uint8_t byte : client.bytes().first(client.is_v4() ? 3 : 16))
            added = (113 * added + byte) % values;
        return client.is_v4() ? added : values + added;
    }
    /// The key of an address's text.
    [[nodiscard]] static std::uint64_t key_of(std::string_view text) noexcept {
        const auto client = ip_address::parse(text);
        return client ? key_of(*client) : 0;
    }

    [[nodiscard]] std::uint32_t find(std::uint64_t key) const noexcept { return indices_[step(key, first)]; }

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

    nginx_ip_hash_table(std::span<const server_number> known, std::span<const hash_member> members) {
        std::uint64_t total = 0;
        for (const hash_member& m : members) total += m.weight;
        if (total > values)
            detail::reject("nginx_ip_hash_table: weights of " + std::to_string(total) + " in all are more than the " +
                           std::to_string(values) + " values of the hash; use smaller weights");
        const std::vector<std::uint32_t> numbers = detail::number_servers("nginx_ip_hash_table", members, known);
        state_ = detail::named_numbers(members, numbers);
        for (const std::size_t i : detail::by_number(numbers))
            indices_.insert(indices_.end(), members[i].weight, members[i].index);
        while (total > 0 && indices_.size() < values) indices_.push_back(indices_[indices_.size() - total]);
    }

    static constexpr std::uint32_t power(int length) noexcept {
        std::uint32_t result = 1;
        for (int i = 0; i < length; ++i) result = result * 113 % values;
        return result;
    }
    static constexpr std::uint32_t step(std::uint64_t key, std::uint32_t h) noexcept {
        const auto added = static_cast<std::uint32_t>(key % (2 * values));
        return ((added < values ? power(3) : power(16)) * h + added) % values;
    }

    std::vector<server_number> state_;
    std::vector<std::uint32_t> indices_;  // by h
};

static_assert(keyed_table<nginx_ip_hash_table>);

}  // namespace weir::inline WEIR_ABI
