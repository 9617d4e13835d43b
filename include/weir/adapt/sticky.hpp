#pragma once

#include "../detail/error.hpp"
#include "../hashing/session_key.hpp"
#include "../policy.hpp"

#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

namespace weir::inline WEIR_ABI {

/// Keeps a session on its backend: an adaptor for any policy.
///
///     const weir::session_key key{secret};
///     weir::basic_selector balancer{servers, weir::sticky{weir::round_robin_policy{}, key}};
///     auto lease = balancer.pick({.session = cookie});              // the token, or nothing
///     if (lease && lease.reason() != weir::pick_reason::sticky)
///         set_cookie(key.token(lease.identity()));                  // a new session, or a new backend for an old one
///
/// Rule: a token that names a member sends the pick there, if it may be chosen or is draining and nothing else, and is
/// neither excluded nor at its limit. The lease says `sticky`. Any other token, unknown, malformed or forged, counts as
/// none: the policy picks, and the lease gives the policy's reason.
/// Complexity: a token is read and looked up in O(1); the table is made when members change, 24 to 48 bytes a backend.
/// Thread safety: that of the policy.
/// Bias: sessions weigh what they weigh; the policy evens out the new ones alone.
/// One backend: that one. None: the error. A backend without an identity: std::invalid_argument, in words.
/// Put it outermost: what is outside it may refuse a backend that drains.
/// A lookup takes as long for a forged token as for a true one but for the chain in the table, whose place follows from
/// the keyed hash: time tells nothing by which a token could be guessed digit by digit.
/// Source: the cookies of HAProxy (`cookie ... insert`) and nginx (`sticky`), with a keyed hash instead of a name.
template <class Policy>
struct sticky {
    static_assert(detail::explain_policy<Policy>::value);

    /// Without a key it makes one of its own, whose tokens end with the process; `token` gives them all the same.
    explicit sticky(const Policy& p = Policy{}, const session_key& key = session_key::random()) : inner{p}, key_{key} {}

    /// What a client shall bring to come back to this backend.
    [[nodiscard]] std::string token(std::string_view identity) const { return key_.token(identity); }

    /// From tokens to members.
    class directory {
    public:
        directory(const view& v, const session_key& key) : entries_(std::bit_ceil(2 * std::size_t{v.size()} + 1)) {
            for (std::uint32_t i = 0; i < v.slots(); ++i) {
                if (!v.is_member(i)) continue;
                const std::uint64_t token = key.hash(v.identity(i));
                std::size_t at = place(token);
                while (entries_[at].index != choice::nobody) at = place(at + 1);
                entries_[at] = {token, i};
            }
        }
        [[nodiscard]] std::uint32_t find(std::uint64_t token) const noexcept {
            std::size_t at = place(token);
            // At least every second place is empty.
            while (entries_[at].index != choice::nobody && entries_[at].token != token) at = place(at + 1);
            return entries_[at].index;
        }

    private:
        struct entry {
            std::uint64_t token = 0;
            std::uint32_t index = choice::nobody;
        };
        [[nodiscard]] std::size_t place(std::uint64_t at) const noexcept {
            return static_cast<std::size_t>(at & (entries_.size() - 1));
        }
        std::vector<entry> entries_;  // a power of two of them
    };

    struct table {
        std::shared_ptr<const directory> sessions;
        typename Policy::table inner;
    };
    struct state {
        state(const sticky& p, metric_set& metrics) : inner(detail::make_state(p.inner, metrics)) {}
        typename Policy::state inner;
    };

    [[nodiscard]] table build(const view& v, const before<table>* b, const state& s) const {
        if (!v.all_have_identities())
            detail::reject("sticky needs an identity for each backend: give the type identity(), or set "
                           "backend_options::identity");
        const bool same = b != nullptr && b->members.mapping_version() == v.mapping_version();
        auto sessions = same ? b->table.sessions : std::make_shared<const directory>(v, key_);
        if (b == nullptr) return {std::move(sessions), inner.build(v, nullptr, s.inner)};
        const before<typename Policy::table> of_inner{b->members, b->table.inner};
        return {std::move(sessions), inner.build(v, &of_inner, s.inner)};
    }

    template <class Accept>
    [[nodiscard]] WEIR_ALWAYS_INLINE choice choose(const view& v, const table& t, state& s, const query& q,
                                                   Accept accept) const noexcept {
        if (!q.options().session.empty())
            if (const std::uint32_t i = keep(v, t, q, accept); i != choice::nobody)
                return {.index = i, .reason = pick_reason::sticky};
        if (v.eligible().empty()) return {};
        return inner.choose(v, t.inner, s.inner, q, accept);
    }

    Policy inner;
    static constexpr bool timed = detail::reads_clock<Policy>;
    static constexpr bool by_key = detail::chooses_by_key<Policy>;
    static constexpr bool keeps_sessions = true;

private:
    /// Whose session it is, if that one may go on with it.
    template <class Accept>
    WEIR_NEVER_INLINE static std::uint32_t keep(const view& v, const table& t, const query& q, Accept accept) noexcept {
        const auto token = session_key::parse(q.options().session);
        const std::uint32_t i = token ? t.sessions->find(*token) : choice::nobody;
        return i != choice::nobody && (accept(i) || drains(v, i, q)) ? i : choice::nobody;
    }
    static bool drains(const view& v, std::uint32_t i, const query& q) noexcept {
        return v.conditions(i).has(condition::draining) && detail::accept_some{v, q.options().exclude}.for_session(i);
    }

    session_key key_;
};

template <class Policy>
sticky(const Policy&, const session_key&) -> sticky<Policy>;
template <class Policy>
sticky(const Policy&) -> sticky<Policy>;

}  // namespace weir::inline WEIR_ABI
