#pragma once

#include "../hash.hpp"
#include "hash_member.hpp"

#include <concepts>
#include <cstdint>
#include <span>

namespace weir::inline WEIR_ABI {

namespace detail {

/// What a walk is given in the probes below: any predicate on an index.
struct accept_none {
    constexpr bool operator()(std::uint32_t) const noexcept { return false; }
};

template <class T>
concept has_options = requires { typename T::options; } && std::copyable<typename T::options> &&
                      std::default_initializable<typename T::options>;
template <class T>
concept says_history = requires {
    { T::history_free } -> std::convertible_to<bool>;
};
template <class T>
concept is_made_of_members = has_options<T> &&
                             std::constructible_from<T, std::span<const hash_member>, const typename T::options&>;
template <class T>
concept is_made_of_previous = std::constructible_from<T, const T&, std::span<const hash_member>>;
template <class T>
concept finds_keys = requires(const T& t, std::uint64_t key) {
    { t.empty() } noexcept -> std::convertible_to<bool>;
    { t.find(key) } noexcept -> std::same_as<std::uint32_t>;
};
template <class T>
concept walks_keys = requires(const T& t, std::uint64_t key, std::uint32_t steps, accept_none accept) {
    { t.walk(key, steps, accept) } noexcept -> std::same_as<std::uint32_t>;
};
template <class T>
concept keeps_history = is_made_of_previous<T> && requires(const T& t, typename T::options o) { o.state = t.state(); };
template <class T>
concept history_is_kept = says_history<T> && (bool{T::history_free} || keeps_history<T>);

}  // namespace detail

/// A pure mapping of keys to members, immutable once made: what `consistent_hash` turns into a selector. The exemplar,
/// complete (the key modulo the members, which moves nearly all keys when one leaves):
///
///     struct modulo_table {
///         struct options {};
///         static constexpr bool history_free = true;  // depends on identities and weights, not on the order of changes
///         std::vector<std::uint32_t> indices;
///         modulo_table(std::span<const weir::hash_member> members, const options&);  // may throw: refuses the update
///         bool empty() const noexcept { return indices.empty(); }
///         std::uint32_t find(std::uint64_t key) const noexcept { return indices[key % indices.size()]; }
///         template <class Accept>
///         std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
///             for (std::uint32_t step = 0; step < steps; ++step)
///                 if (accept(find(key + step))) return step;
///             return steps;
///         }
///     };
///
/// `find` gives the `index` of the member that a key belongs to; it is not called where `empty()`, which means that no
/// member has a weight. `walk` gives `accept` the key's candidates in the key's own order, `find(key)` first, at most
/// `steps` of them, until it returns true: then that candidate's number, from 0, else `steps`. Both allocate nothing
/// and take no lock.
///
/// Members come with different identities and indices, in any order; a weight of 0 gets no keys. Identities need not
/// outlive the constructor.
///
/// A table that can follow a change for less than a new one costs is also made of (const Table& previous, members),
/// whose options it takes over. A table that is not `history_free` has to be: it maps alike after the same sequence of
/// changes, or once it was given another's `state()` in `options::state`.
///
/// Models: ring_table, maglev_table, rendezvous_table, multi_probe_table, jump_table, anchor_table, memento_table.
template <class T>
concept keyed_table = detail::is_made_of_members<T> && detail::says_history<T> && detail::finds_keys<T> &&
                      detail::walks_keys<T> && detail::history_is_kept<T>;

namespace detail {

/// Says in words what a type that should be a keyed table lacks. Instantiate it to ask.
template <class T>
struct explain_keyed_table {
    static_assert(has_options<T>,
                  "weir: a keyed table names `struct options`, copyable and with defaults (it may be empty)");
    static_assert(is_made_of_members<T>,
                  "weir: a keyed table is made of (std::span<const weir::hash_member>, const options&)");
    static_assert(says_history<T>,
                  "weir: a keyed table says `static constexpr bool history_free`: whether the mapping depends on "
                  "identities and weights alone, or also on the order of changes");
    static_assert(finds_keys<T>,
                  "weir: a keyed table has `bool empty() const noexcept` and `std::uint32_t find(std::uint64_t key) "
                  "const noexcept`");
    static_assert(
        walks_keys<T>,
        "weir: a keyed table has `template <class Accept> std::uint32_t walk(std::uint64_t key, std::uint32_t "
        "steps, Accept&&) const noexcept`");
    static_assert(!says_history<T> || history_is_kept<T>,
                  "weir: a keyed table that is not history_free is also made of (const Table& previous, "
                  "std::span<const weir::hash_member>), and exports `state()`, which `options::state` imports");
    static constexpr bool value = true;
};

inline constexpr std::uint64_t attempt_step = 0x9e3779b97f4a7c15;  // splitmix64, begun at the key

/// The n-th hash of a hashed key: the 0th is what it is.
[[nodiscard]] constexpr std::uint64_t attempt(std::uint64_t hashed, std::uint32_t n) noexcept {
    return n == 0 ? hashed : mix(hashed + n * attempt_step);
}

/// The walk of a table without an order of its own: what the key finds at its n-th attempt, so that the keys of a lost
/// member spread over all others. `find` mixes its keys, which makes the n-th attempt of them.
template <class Find, class Accept>
std::uint32_t walk_by_attempts(std::uint64_t key, std::uint32_t steps, Find&& find, Accept&& accept) noexcept {
    for (std::uint32_t step = 0; step < steps; ++step)
        if (accept(find(step == 0 ? key : mix(key) + step * attempt_step))) return step;
    return steps;
}

}  // namespace detail
}  // namespace weir::inline WEIR_ABI
