#pragma once

#include "../snapshot.hpp"

#include <algorithm>
#include <cstdint>
#include <span>

// Whom a pick may have: the predicates that policies are given.
namespace weir::inline WEIR_ABI::detail {

/// The predicate of a pick that restricts nothing: somebody is eligible, and every index may be chosen, or every eligible
/// one if the policy is `eligible_only`. The policy is instantiated with it and tests nothing.
struct accept_any {
    constexpr bool operator()(std::uint32_t) const noexcept { return true; }
};

/// The predicate of any other pick: eligible, not excluded, below its limit. Where nobody has one, leases are counted only
/// by a pick that `was_refused`: for the number that no backend exceeds.
class accept_some {
public:
    accept_some(const view& v, std::span<const backend_id> exclude, bool was_refused = false) noexcept
        : view_{v}, exclude_{exclude}, counts_{was_refused || v.limited()} {}
    bool operator()(std::uint32_t index) const noexcept {
        return view_.is_eligible(index) && !excluded(index) && (!counts_ || has_room(index));
    }
    /// A session may also stay on a backend that is draining; all else holds.
    [[nodiscard]] bool for_session(std::uint32_t index) const noexcept {
        return view_.is_member(index) && view_.weight(index) > 0 &&
               !view_.conditions(index).without(condition::draining).exclude() && !excluded(index) && has_room(index);
    }
    [[nodiscard]] bool excluded(std::uint32_t index) const noexcept {
        for (const backend_id id : exclude_)
            if (id.slot == index && view_.id(index) == id) return true;
        return false;
    }

private:
    [[nodiscard]] bool has_room(std::uint32_t index) const noexcept {
        return view_.in_flight(index) < (std::min)(view_.limit(index), lease_word::most_in_flight);
    }

    const view& view_;
    std::span<const backend_id> exclude_;
    bool counts_;
};

}  // namespace weir::inline WEIR_ABI::detail
