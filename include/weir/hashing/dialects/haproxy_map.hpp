#pragma once

#include "haproxy_hash.hpp"

#include <numeric>

namespace weir::inline WEIR_ABI {

/// HAProxy's `hash-type map-based`, a dialect: a map of as many slots as the weights have units, filled as by its static
/// round robin, and the key modulo its size.
///
/// Servers count in the order of their ids, for which see haproxy_hash_table, and so is text hashed.
///
/// HAProxy's laws, not weir's: one server that comes or goes moves nearly all keys, and so does one that goes down, for
/// then HAProxy fills the map anew. weir keeps the map and goes on in it from the key's slot; to follow HAProxy set the
/// weight of who is down to 0.
/// Not history_free: alike after the same sequence of changes, or with another's `state()`.
/// Complexity: look-up O(1); building O(n x slots), which may be 2^29 at most. Memory: 4 bytes a slot.
/// Source: answers of HAProxy 2.6.12.
class haproxy_map_table {
public:
    static constexpr bool history_free = false;
    using options = haproxy_hash_table::options;

    /// Throws std::invalid_argument: a state with an id of 0 or twice, or a map that takes too long to fill.
    haproxy_map_table(std::span<const hash_member> members, const options& o)
        : haproxy_map_table{members, o.function, o.avalanche, o.state} {}
    haproxy_map_table(const haproxy_map_table& previous, std::span<const hash_member> members)
        : haproxy_map_table{members, previous.function_, previous.avalanche_, previous.state_} {}

    [[nodiscard]] bool empty() const noexcept { return slots_.empty(); }
    /// How many slots there are.
    [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }
    [[nodiscard]] const std::vector<server_number>& state() const noexcept { return state_; }

    /// The key of a text.
    [[nodiscard]] std::uint64_t key_of(std::string_view text) const noexcept {
        return detail::haproxy_key(function_, avalanche_, text);
    }

    [[nodiscard]] std::uint32_t find(std::uint64_t key) const noexcept { return slots_[slot(key)]; }
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        std::size_t at = slot(key);
        for (std::uint32_t step = 0; step < steps; ++step, at = at + 1 == slots_.size() ? 0 : at + 1)
            if (accept(slots_[at])) return step;
        return steps;
    }

private:
    static constexpr std::uint64_t most_work = std::uint64_t{1} << 29;

    haproxy_map_table(std::span<const hash_member> members, haproxy_function function, bool avalanche,
                      std::span<const server_number> known)
        : function_{function}, avalanche_{avalanche} {
        const std::vector<std::uint32_t> numbers = detail::number_servers("haproxy_map_table", members, known);
        std::vector<hash_member> servers;
        std::uint32_t common = 0;
        for (const std::size_t i : detail::by_number(numbers)) {
            if (members[i].weight == 0) continue;
            servers.push_back(members[i]);
            common = std::gcd(common, members[i].weight);
        }
        for (hash_member& s : servers) s.weight /= common;
        const std::uint64_t total = detail::total_weight(servers);
        if (!servers.empty() && total > most_work / servers.size())
            detail::reject("haproxy_map_table: " + std::to_string(servers.size()) + " servers times " +
                           std::to_string(total) + " slots are more than " + std::to_string(most_work) +
                           "; use smaller weights");
        fill(servers, static_cast<std::int64_t>(total));
        state_ = detail::named_numbers(members, numbers);
    }

    /// Each slot: everybody is credited with the own weight, the first with the most whole totals of credit has it and
    /// pays a total. Whoever owes counts a total less than who does not.
    void fill(std::span<const hash_member> servers, std::int64_t total) {
        std::vector<std::int64_t> credit(servers.size());
        slots_.reserve(static_cast<std::size_t>(total));
        for (std::int64_t slot = 0; slot < total; ++slot) {
            std::size_t best = 0;
            std::int64_t most = -1;
            for (std::size_t i = 0; i < servers.size(); ++i) {
                credit[i] += servers[i].weight;
                const std::int64_t level = (credit[i] + total) / total;  // nobody ever owes more than a total
                if (level > most) {
                    most = level;
                    best = i;
                }
            }
            credit[best] -= total;
            slots_.push_back(servers[best].index);
        }
    }

    [[nodiscard]] std::size_t slot(std::uint64_t key) const noexcept {
        return static_cast<std::uint32_t>(key) % slots_.size();
    }

    haproxy_function function_;
    bool avalanche_;
    std::vector<server_number> state_;
    std::vector<std::uint32_t> slots_;
};

static_assert(keyed_table<haproxy_map_table>);

}  // namespace weir::inline WEIR_ABI
