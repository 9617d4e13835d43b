#pragma once

#include "../hashing/dialects/nginx_ip_hash.hpp"
#include "../tables/rotation.hpp"
#include "consistent_hash.hpp"

#include <atomic>
#include <memory>
#include <optional>

namespace weir::inline WEIR_ABI {

/// Sends a client to the same backend by its address, exactly as nginx's `ip_hash` does. For those who come from there;
/// with `ip_key` any hashing selector does it, and moves fewer clients when backends come and go.
///
/// Rule: that of `nginx_ip_hash_table`, of the address in `pick_options::key_text`, or else of a `key` that the table's
/// `key_of` made. Backends that may not be chosen count all the same: the hash goes on from them, and after 21 tries the
/// backends take turns. Without a key, or with a text that is no address, it draws at random, by weight.
/// Complexity: O(1) a pick, and what reading the address takes; an update O(n), see `rotation`. Memory: 31 KiB.
/// Thread safety: picks write nothing that is shared; those that end up taking turns share a cursor.
/// Bias: the dialect's. IPv4 clients of one /24 go together.
/// One backend: that one. None: the error. A backend without an identity, or weights of more than 6,271 in all:
/// std::invalid_argument, in words.
/// Source: nginx, ngx_http_upstream_ip_hash_module.
struct ip_hash_policy {
    using mapping = consistent_hash_policy<nginx_ip_hash_table>;

    mapping homes{};
    static constexpr bool by_key = true;

    struct table {
        mapping::table homes;
        rotation turns;
    };
    struct state {
        std::atomic<std::uint64_t> turn{0};
    };

    [[nodiscard]] table build(const view& v, const before<table>* b, const state& s) const {
        rotation::common shared;
        const std::uint64_t now = s.turn.load(std::memory_order_relaxed);
        if (b == nullptr) return {homes.build(v, nullptr, {}), rotation{v, shared, now, 0}};
        const before<mapping::table> of_homes{b->members, b->table.homes};
        return {homes.build(v, &of_homes, {}),
                rotation{v, shared, now, b->members, b->table.turns, rotation::same_turns(v, b->members)}};
    }

    template <class Accept>
    [[nodiscard]] choice choose(const view& v, const table& t, state& s, const query& q, Accept accept) const noexcept {
        if (!t.turns.usable()) return {};
        const auto key = key_of(q);
        if (!key) {
            for (int draws = 0; draws < 8; ++draws)
                if (const std::uint32_t i = t.turns.draw(q.random()); accept(i))
                    return {.index = i, .reason = pick_reason::keyless};
            return {};
        }
        choice result;
        const std::uint32_t step = t.homes.mapping->walk(*key, nginx_ip_hash_table::walk_steps, [&](std::uint32_t i) {
            if (accept(i)) result.index = i;
            return result.index == i;
        });
        if (step > 0) result.reason = pick_reason::rerouted;
        for (std::size_t tries = v.eligible().size(); !result && tries > 0; --tries)
            if (const std::uint32_t i = t.turns.at(s.turn.fetch_add(1, std::memory_order_relaxed)); accept(i))
                result.index = i;
        return result;
    }

private:
    static std::optional<std::uint64_t> key_of(const query& q) noexcept {
        if (q.key_text().empty()) return q.options().key;
        const auto client = ip_address::parse(q.key_text());
        return client ? std::optional{nginx_ip_hash_table::key_of(*client)} : std::nullopt;
    }
};

/// `ip_hash_policy` as a selector: `balancer.pick({.key_text = "203.0.113.7"})`.
template <class Backend>
class ip_hash : public basic_selector<Backend, ip_hash_policy> {
public:
    explicit ip_hash(registry_base<Backend>& r, const nginx_ip_hash_table::options& o = {},
                     const selector_options& options = {})
        : basic_selector<Backend, ip_hash_policy>{r, {{o}}, options} {}

    /// The table that picks use now, to export its state. Null once the registry is gone.
    [[nodiscard]] std::shared_ptr<const nginx_ip_hash_table> table() const {
        std::shared_ptr<const nginx_ip_hash_table> now;
        this->inspect([&](const view&, const auto& t) { now = t.homes.mapping; });
        return now;
    }
};

template <class Registry, class... Options>
ip_hash(Registry&, const Options&...) -> ip_hash<typename Registry::backend_type>;

}  // namespace weir::inline WEIR_ABI
