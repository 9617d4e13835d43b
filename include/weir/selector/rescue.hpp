#pragma once

#include "../detail/fixed_log.hpp"
#include "../policy.hpp"

namespace weir::inline WEIR_ABI::detail {

/// The last word where a policy found nobody: an exact weighted rendezvous draw over the eligible that `accept` takes.
/// With a key, the key's own choice, which moves only when that backend goes; without, a fresh draw. O(eligible).
template <class Accept>
WEIR_NEVER_INLINE choice rescue(const view& v, const query& q, Accept accept) noexcept {
    const std::uint64_t key = mix(q.has_key() ? q.key() : q.random());
    choice best{.reason = pick_reason::fallback};
    std::uint64_t best_score = 0;
    for (const std::uint32_t i : v.eligible()) {
        if (!accept(i)) continue;
        // The least of exponential variables with rates w is each one's with probability w / W. Compared without division.
        const std::uint64_t score = negative_log2(mix(key ^ v.identity_hash(i)));
        if (!best || multiply(score, v.weight(best.index)) < multiply(best_score, v.weight(i))) {
            best.index = i;
            best_score = score;
        }
    }
    return best;
}

/// Why nobody is acceptable: the first of the four reasons that applies. Without a view: there is no registry any more.
WEIR_NEVER_INLINE inline pick_error why_nobody(const view* v, const pick_options& options) noexcept {
    if (v == nullptr || v->size() == 0) return pick_error::empty;
    if (v->eligible().empty()) return pick_error::none_eligible;
    const accept_some accept{*v, options.exclude};
    for (const std::uint32_t i : v->eligible())
        if (!accept.excluded(i)) return pick_error::overloaded;
    return pick_error::all_excluded;
}

}  // namespace weir::inline WEIR_ABI::detail
