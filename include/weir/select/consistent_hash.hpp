#pragma once

#include "../hashing/keyed_table.hpp"
#include "../hashing/ring_table.hpp"
#include "../selector.hpp"

#include <concepts>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace weir::inline WEIR_ABI {

namespace detail {

/// A table may hash the text of keys in its own way, where weir would take xxHash64.
template <class Table>
concept hashes_text = requires(const Table& t, std::string_view text) {
    { t.key_of(text) } noexcept -> std::same_as<std::uint64_t>;
};

/// How far a key's own order is followed: 16 steps, unless the table says `walk_steps`.
template <class Table>
inline constexpr std::uint32_t walk_steps = [] {
    if constexpr (requires { Table::walk_steps; }) return std::uint32_t{Table::walk_steps};
    return std::uint32_t{16};
}();

}  // namespace detail

/// Sends a key to the same backend for as long as it is there, by any table of hashing/.
///
/// Rule: the table maps the key over all members with a weight, whatever their health. If that one may not be chosen,
/// the key's own next candidates follow (16 steps), then a weighted rendezvous draw by the same key over all that may
/// be: only the lost backend's keys move, and they come back. Without a key it draws at random through the table.
/// Complexity: the table's. Remade, in the updating thread, only when membership or weights change, never for health.
/// Thread safety: picks write nothing that is shared.
/// Bias: the table's imbalance.
/// One backend: that one. None: the error. A backend without an identity: std::invalid_argument, in words.
///
/// A table that can is made of its predecessor: a ring merges the points of one backend in, and tables that are not
/// `history_free` keep their history. See keyed_table. A table that agrees with other software may also have
/// `key_of(text)`, which then makes the keys of texts (`pick_options::key_text`, also where there is a number beside it),
/// and `walk_steps`, which replaces the 16.
template <class Table>
struct consistent_hash_policy {
    static_assert(detail::explain_keyed_table<Table>::value);

    typename Table::options options{};
    static constexpr bool by_key = true;

    struct table {
        std::shared_ptr<const Table> mapping;
    };
    struct state {};

    [[nodiscard]] table build(const view& v, const before<table>* b, const state&) const {
        if (b != nullptr && b->members.mapping_version() == v.mapping_version()) return b->table;
        return {make(members_of(v), b != nullptr ? b->table.mapping.get() : nullptr)};
    }

    /// All members, also those without a weight. Throws std::invalid_argument where one has no identity.
    [[nodiscard]] static std::vector<hash_member> members_of(const view& v) {
        if (!v.all_have_identities())
            detail::reject("a hashing selector needs an identity for each backend: give the type identity(), or set "
                           "backend_options::identity");
        std::vector<hash_member> members;
        members.reserve(v.size());
        for (std::uint32_t i = 0; i < v.slots(); ++i)
            if (v.is_member(i)) members.push_back({v.identity(i), v.weight(i), i});
        return members;
    }

    /// The table of members, made of its predecessor (may be null) where such tables are.
    [[nodiscard]] std::shared_ptr<const Table> make(std::span<const hash_member> members, const Table* previous) const {
        if constexpr (detail::is_made_of_previous<Table>)
            if (previous != nullptr) return std::make_shared<const Table>(*previous, members);
        return std::make_shared<const Table>(members, options);
    }

    using members_only = consistent_hash_policy;

    template <class Accept>
    [[nodiscard]] WEIR_ALWAYS_INLINE choice choose(const view&, const table& t, state&, const query& q,
                                                   Accept accept) const noexcept {
        if (t.mapping->empty()) [[unlikely]]
            return {};
        const bool keyed = q.has_key();
        const std::uint64_t key = keyed ? key_of(*t.mapping, q) : q.random();
        const pick_reason home = keyed ? pick_reason::chosen : pick_reason::keyless;
        if constexpr (std::same_as<Accept, detail::accept_any>) {
            return {.index = t.mapping->find(key), .reason = home};
        } else {
            choice result;
            const std::uint32_t step = t.mapping->walk(key, detail::walk_steps<Table>, [&](std::uint32_t i) {
                if (accept(i)) result.index = i;
                return result.index == i;
            });
            result.reason = step == 0 || !keyed ? home : pick_reason::rerouted;
            return result;
        }
    }

private:
    [[nodiscard]] WEIR_ALWAYS_INLINE static std::uint64_t key_of(const Table& mapping, const query& q) noexcept {
        if constexpr (detail::hashes_text<Table>)
            if (!q.key_text().empty()) return mapping.key_of(q.key_text());
        return q.key();
    }
};

/// `consistent_hash_policy` as a selector: `weir::consistent_hash<server, weir::ring_table> balancer{servers};`
template <class Backend, class Table>
class consistent_hash : public basic_selector<Backend, consistent_hash_policy<Table>> {
public:
    explicit consistent_hash(registry_base<Backend>& r, const typename Table::options& o = {},
                             const selector_options& options = {})
        : basic_selector<Backend, consistent_hash_policy<Table>>{r, {o}, options} {}

    /// The table that picks use now: to look keys up without picking, to compare it with what a change would make of
    /// it, to export its state. Its indices are slots. Null once the registry is gone.
    [[nodiscard]] std::shared_ptr<const Table> table() const {
        std::shared_ptr<const Table> now;
        this->inspect([&](const view&, const auto& t) { now = t.mapping; });
        return now;
    }
};

using ring_hash_policy = consistent_hash_policy<ring_table>;

/// A hash ring of 160 points per unit of weight.
template <class Backend>
class ring_hash : public consistent_hash<Backend, ring_table> {
public:
    explicit ring_hash(registry_base<Backend>& r, const ring_table::options& o = {},
                       const selector_options& options = {})
        : consistent_hash<Backend, ring_table>{r, o, options} {}
};

template <class Registry, class... Options>
ring_hash(Registry&, const Options&...) -> ring_hash<typename Registry::backend_type>;

}  // namespace weir::inline WEIR_ABI
