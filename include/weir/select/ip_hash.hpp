#pragma once

#include "../hashing/nginx_ip_table.hpp"
#include "../selector.hpp"
#include "../tables/rotation.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

namespace weir::inline WEIR_ABI {

/// In which order `ip_hash` lays out the backends; nginx does it as the upstream block names them.
enum class ip_hash_order : std::uint8_t {
    by_identity,  ///< the same in every process, whatever order they came in
    as_added,     ///< nginx's block, if they are added in its order; whoever is added later comes last
};

/// Sends a client to the same backend by its address, exactly as nginx's ip_hash does. For those who come from there;
/// `ip_key` with a hashing selector moves fewer clients when backends come and go.
///
/// Rule: see `nginx_ip_table`; the address is `pick_options::key_text`, or `key` has `nginx_ip_table::key` of it. Backends
/// that may not be chosen count in the total all the same: the hash goes on from them, and after 21 of them the backends
/// take turns. Without a key, or with a text that is no address, it draws at random, by weight.
/// Complexity: O(1) a pick, and what reading the address takes; O(n) an update, see `rotation`. Memory: 25 KiB.
/// Thread safety: picks write nothing that is shared, but for those that end up taking turns: these share a cursor.
/// Bias: 6,271 is no multiple of most total weights: shares are off by up to total / 6,271 of each, and IPv4 clients of
/// one /24 go together.
/// One backend: that one. None: the error. By identity, a backend without one: std::invalid_argument, in words; a total
/// weight above 6,271: the same.
/// Source: nginx, ngx_http_upstream_ip_hash_module.
struct ip_hash_policy {
    ip_hash_order order = ip_hash_order::by_identity;

    struct table {
        std::shared_ptr<const nginx_ip_table> mapping;
        rotation turns;
    };
    struct state {
        std::atomic<std::uint64_t> cursor{0};
    };

    [[nodiscard]] table build(const view& v, const before<table>* b, const state& s) const {
        rotation::common shared;
        const std::uint64_t now = s.cursor.load(std::memory_order_relaxed);
        if (b == nullptr) return {lay_out(v), rotation{v, shared, now, 0}};
        const bool same_members = b->members.mapping_version() == v.mapping_version();
        return {same_members ? b->table.mapping : lay_out(v),
                rotation{v, shared, now, b->members, b->table.turns, rotation::same_turns(v, b->members)}};
    }

    template <class Accept>
    [[nodiscard]] choice choose(const view& v, const table& t, state& s, const query& q, Accept accept) const noexcept {
        if (!t.turns.usable()) return {};
        const auto key = key_of(q);
        if (!key) {
            for (int draws = 0; draws < 8; ++draws)
                if (const std::uint32_t i = t.turns.draw(v, q.random()); accept(i))
                    return {.index = i, .reason = pick_reason::keyless};
            return {};
        }
        choice result;
        const std::uint32_t step = t.mapping->walk(*key, tries, [&](std::uint32_t i) {
            if (accept(i)) result.index = i;
            return result.index == i;
        });
        if (step > 0) result.reason = pick_reason::rerouted;
        for (std::uint64_t turn = 0; !result && turn < v.eligible().size(); ++turn) {
            const std::uint32_t next = t.turns.at(v, s.cursor.fetch_add(1, std::memory_order_relaxed));
            if (accept(next)) result.index = next;
        }
        return result;
    }

private:
    static constexpr std::uint32_t tries = 21;  // nginx gives up when more than 20 have failed

    static std::optional<std::uint64_t> key_of(const query& q) noexcept {
        if (q.options().key) return q.options().key;
        const auto client = ip_address::parse(q.key_text());
        return client ? std::optional{nginx_ip_table::key(*client)} : std::nullopt;
    }

    [[nodiscard]] std::shared_ptr<const nginx_ip_table> lay_out(const view& v) const {
        if (order == ip_hash_order::by_identity && !v.all_have_identities())
            detail::reject("ip_hash orders backends by identity: give the type identity(), set "
                           "backend_options::identity, or use ip_hash_order::as_added");
        std::vector<hash_member> members;
        members.reserve(v.size());
        for (std::uint32_t i = 0; i < v.slots(); ++i)
            if (v.is_member(i)) members.push_back({v.identity(i), v.weight(i), i});
        std::sort(members.begin(), members.end(), [&](const hash_member& x, const hash_member& y) {
            return order == ip_hash_order::by_identity ? x.identity < y.identity
                                                       : v.id(x.index).generation < v.id(y.index).generation;
        });
        return std::make_shared<const nginx_ip_table>(members);
    }
};

/// `ip_hash_policy` as a selector: `balancer.pick({.key_text = "203.0.113.7"})`.
template <class Backend>
class ip_hash : public basic_selector<Backend, ip_hash_policy> {
public:
    explicit ip_hash(registry_base<Backend>& r, ip_hash_order order = ip_hash_order::by_identity,
                     const selector_options& options = {})
        : basic_selector<Backend, ip_hash_policy>{r, {order}, options} {}
};

template <class Registry, class... Options>
ip_hash(Registry&, const Options&...) -> ip_hash<typename Registry::backend_type>;

}  // namespace weir::inline WEIR_ABI
