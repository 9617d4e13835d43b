#pragma once

#include "hash.hpp"
#include "load/metric_reader.hpp"
#include "selector/accept.hpp"
#include "selector/counters.hpp"

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace weir::inline WEIR_ABI {

/// What one pick may be told. All of it is optional; what it refers to must live until the pick returns. A text is hashed
/// by xxHash64, or as the dialect does. Where both `key` and `key_text` are given, weir's own tables go by the key,
/// dialects by the text.
struct pick_options {
    std::optional<std::uint64_t> key = {};     ///< for hashing selectors; `weir::hash(text)` makes one
    std::string_view key_text = {};            ///< or its text, hashed by the table; empty: no key
    std::span<const backend_id> exclude = {};  ///< never these: an array or vector, or {&id, 1} for one
    /// `Clock::now().time_since_epoch()` of the registry's clock: saves reading it. Another clock's is taken for it.
    std::optional<std::chrono::nanoseconds> now = {};
    std::string_view session = {};  ///< the token that the client brings, for the adaptor `sticky`
};

namespace detail {
inline constexpr pick_options no_options{};  // a constant, so that picks without options test none
}  // namespace detail

/// One pick as a policy sees it.
class query {
public:
    /// Made by selectors. Without `now` the clock is read when a policy asks.
    query(const pick_options& options, std::atomic<std::uint64_t>* seeded, detail::clock_function clock,
          std::chrono::nanoseconds now = (std::chrono::nanoseconds::min)(),
          std::uint32_t stripe = detail::own_stripes) noexcept
        : options_{options}, seeded_{seeded}, clock_{clock}, now_{now}, stripe_{stripe} {}

    [[nodiscard]] bool has_key() const noexcept { return options_.key.has_value() || !options_.key_text.empty(); }
    /// The key; without one, the hash of its text.
    [[nodiscard]] std::uint64_t key() const noexcept {
        return options_.key.has_value() ? *options_.key : hash(options_.key_text);
    }
    [[nodiscard]] std::string_view key_text() const noexcept { return options_.key_text; }

    /// 64 random bits: of the selector's own counter if it was made with a seed, else of the thread's generator.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint64_t random() const noexcept {
        if (seeded_ == nullptr) [[likely]]
            return detail::scramble(detail::this_thread.random += detail::weyl_step);
        return detail::scramble(seeded_->fetch_add(detail::weyl_step, std::memory_order_relaxed));
    }
    /// A random number below n; 0 for n = 0.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint64_t random_below(std::uint64_t n) const noexcept {
        return detail::scale(random(), n);
    }

    [[nodiscard]] std::chrono::nanoseconds now() const noexcept {
        return now_ != (std::chrono::nanoseconds::min)() ? now_ : clock_();
    }
    [[nodiscard]] const pick_options& options() const noexcept { return options_; }

    /// Below `detail::own_stripes` a number that no other thread has while this pick runs; else one of those that share.
    [[nodiscard]] std::uint32_t stripe() const noexcept { return stripe_; }

private:
    const pick_options& options_;
    std::atomic<std::uint64_t>* seeded_;
    detail::clock_function clock_;
    std::chrono::nanoseconds now_;
    std::uint32_t stripe_;
};

/// What a policy answers: an index of the view, nobody, or that the pick is refused.
struct choice {
    static constexpr std::uint32_t nobody = ~std::uint32_t{0};
    static constexpr std::uint32_t refused_index = nobody - 1;

    std::uint32_t index = nobody;
    pick_reason reason = pick_reason::chosen;
    std::uint32_t bound = unlimited;  ///< the backend's leases, this one counted, must not exceed it

    /// For a policy with bounds of its own: all that may be chosen are at theirs. Where `nobody` leads to a draw over all,
    /// which knows no bounds, this ends in `overloaded`.
    [[nodiscard]] static constexpr choice refused() noexcept { return {.index = refused_index}; }
    [[nodiscard]] constexpr bool is_refused() const noexcept { return index == refused_index; }

    [[nodiscard]] explicit constexpr operator bool() const noexcept { return index < refused_index; }
};

/// What a policy built for the previous snapshot, when it builds the next.
template <class Table>
struct before {
    const view& members;
    const Table& table;
};

namespace detail {

template <class P>
concept has_table = requires { typename P::table; };
template <class P>
concept has_state = requires { typename P::state; };
template <class P>
concept can_make_state = std::constructible_from<typename P::state, const P&, metric_set&> ||
                         std::default_initializable<typename P::state>;
template <class P>
concept can_build = requires(const P& p, const view& v, const before<typename P::table>* b,
                             const typename P::state& s) {
    { p.build(v, b, s) } -> std::same_as<typename P::table>;
};
template <class P, class Accept>
concept can_choose = requires(const P& p, const view& v, const typename P::table& t, typename P::state& s,
                              const query& q, Accept accept) {
    { p.choose(v, t, s, q, accept) } -> std::same_as<choice>;
};
template <class P, class Accept>
concept chooses_noexcept = requires(const P& p, const view& v, const typename P::table& t, typename P::state& s,
                                    const query& q, Accept accept) {
    { p.choose(v, t, s, q, accept) } noexcept;
};

}  // namespace detail

/// One balancing algorithm, pure: from a view to an index. The exemplar, complete:
///
///     struct first_eligible {
///         struct table {};                    // immutable, made for each snapshot in the writer
///         struct state {};                    // shared by all picks: a cursor, a total; may be made from
///                                             // (const first_eligible&, metric_set&)
///         table build(const view&, const before<table>*, const state&) const { return {}; }
///         template <class Accept>
///         choice choose(const view& v, const table&, state&, const query&, Accept accept) const noexcept {
///             for (const auto i : v.eligible())
///                 if (accept(i)) return {.index = i};
///             return {};
///         }
///     };
///
/// `build` may throw: the update (or the construction of the selector) is then refused as a whole. `before` is null for
/// the first table. `choose` runs in many threads at once; it is bounded, takes no lock and allocates nothing. It must
/// choose only what `accept` accepts: eligible, not excluded, below its limit, and whatever adaptors add. A policy that
/// gives up returns nobody; a naive one that returns what is not acceptable is overruled. Either way a weighted draw
/// over all that are acceptable decides. One that must not be overruled returns `choice::refused()`.
///
/// Models: rotation_policy, random_policy, first_policy, least_load_policy, nginx_least_conn_policy,
/// haproxy_leastconn_policy, choices_policy, consistent_hash_policy and ip_hash_policy, and the adaptors bounded_load,
/// slow_start, priority and sticky.
template <class P>
concept policy = std::copyable<P> && detail::has_table<P> && detail::has_state<P> && detail::can_make_state<P> &&
                 detail::can_build<P> && detail::can_choose<P, detail::accept_any> &&
                 detail::chooses_noexcept<P, detail::accept_any> && detail::can_choose<P, detail::accept_some>;

namespace detail {

/// A policy that compares times says so by `static constexpr bool timed`: then one reading serves the whole pick.
template <class P>
inline constexpr bool reads_clock = [] {
    if constexpr (requires { P::timed; }) return bool{P::timed};
    return false;
}();

/// A policy that may keep a session on a draining backend says so by `static constexpr bool keeps_sessions`: it is asked
/// even where nobody is eligible, and a choice for pick_reason::sticky may be one that drains.
template <class P>
inline constexpr bool keeps_sessions = [] {
    if constexpr (requires { P::keeps_sessions; }) return bool{P::keeps_sessions};
    return false;
}();

/// A policy that sends a key to the same backend each time says so by `static constexpr bool by_key`: what adaptors leave to
/// chance elsewhere, the key decides then.
template <class P>
inline constexpr bool chooses_by_key = [] {
    if constexpr (requires { P::by_key; }) return bool{P::by_key};
    return false;
}();

/// One that by itself chooses eligible members only says so by `static constexpr bool eligible_only`: it need not be asked.
template <class P>
inline constexpr bool chooses_eligible_only = [] {
    if constexpr (requires { P::eligible_only; }) return bool{P::eligible_only};
    return false;
}();

/// How many must be eligible that a policy need not be asked: all members, if it chooses members only, whatever their
/// condition, and says so by naming itself, `using members_only = its_own_name`, which no policy made from it inherits; of
/// others all slots, for what is chosen must not be a free one.
template <class P>
[[nodiscard]] std::size_t must_be_eligible(const view& v) noexcept {
    if constexpr (requires { typename P::members_only; })
        if (std::same_as<typename P::members_only, P>) return v.size();
    return chooses_eligible_only<P> ? 0 : v.slots();
}

/// One that chooses somebody wherever somebody is eligible and `accept_any` asks says so by naming itself, `using
/// always_chooses = its_own_name`, which no policy made from it inherits: its answer is taken as it is.
template <class P>
inline constexpr bool chooses_always = [] {
    if constexpr (requires { typename P::always_chooses; }) return std::same_as<typename P::always_chooses, P>;
    return false;
}();

/// One of those that finds the record of its choice sooner than the slot has `record_base& choose_record(view, table, state,
/// query)`, which chooses as `choose` with `accept_any` for whoever needs no slot. It names itself as well, `using
/// has_records = its_own_name`: who overrides `choose` alone does not inherit this.
template <class P>
inline constexpr bool chooses_records = [] {
    if constexpr (requires { typename P::has_records; })
        return chooses_always<P> && std::same_as<typename P::has_records, P>;
    return false;
}();

/// The state of a policy, and of the policies inside an adaptor, made whichever way it allows.
template <class P>
[[nodiscard]] typename P::state make_state(const P& p, metric_set& metrics) {
    if constexpr (std::constructible_from<typename P::state, const P&, metric_set&>)
        return typename P::state(p, metrics);
    else
        return typename P::state();
}

/// Says in words what a type that should be a policy lacks. Instantiate it to ask.
template <class P>
struct explain_policy {
    static_assert(
        !requires { typename P::policy_type; },
        "weir: this is a selector; name its policy, such as weir::ring_hash_policy");
    static_assert(std::copyable<P>,
                  "weir: a policy is a copyable value: it holds options, its `state` holds what is shared");
    static_assert(has_table<P>,
                  "weir: a policy names `struct table`, what it builds for each snapshot (it may be empty)");
    static_assert(has_state<P>, "weir: a policy names `struct state`, what all its picks share (it may be empty)");
    static_assert(can_make_state<P>,
                  "weir: a policy's `state` is default-constructible, or made from (const Policy&, weir::metric_set&)");
    static_assert(
        can_build<P>,
        "weir: a policy has `table build(const weir::view&, const weir::before<table>*, const state&) const`");
    static_assert(can_choose<P, accept_any> && can_choose<P, accept_some>,
                  "weir: a policy has `template <class Accept> weir::choice choose(const weir::view&, const table&, "
                  "state&, const weir::query&, Accept) const noexcept`");
    static_assert(chooses_noexcept<P, accept_any>, "weir: a policy's `choose` is noexcept: picks never throw");
    static constexpr bool value = true;
};

}  // namespace detail
}  // namespace weir::inline WEIR_ABI
