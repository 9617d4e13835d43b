#pragma once

#include "../snapshot.hpp"
#include "alias_table.hpp"

#include <vector>

namespace weir::inline WEIR_ABI {

/// Draws an eligible member of a view in proportion to its weight: evenly where weights are equal, else by an alias
/// table. What draws and choices share.
class weighted_draw {
public:
    weighted_draw() = default;

    explicit weighted_draw(const view& v) : dense_{v.all_eligible()} {
        if (v.equal_weights()) return;
        std::vector<std::uint32_t> weights;
        weights.reserve(v.eligible().size());
        for (const std::uint32_t i : v.eligible()) weights.push_back(v.weight(i));
        aliases_ = alias_table{weights};
    }

    /// The member that 64 uniform bits stand for; of the view it was made for, with at least one eligible.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t draw(const view& v, std::uint64_t random) const noexcept {
        return member(v, aliases_.size() == 0 ? static_cast<std::uint32_t>(detail::scale(random, v.eligible().size()))
                                              : aliases_.draw(random));
    }

    /// The member at a rank among the eligible.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t member(const view& v, std::uint32_t rank) const noexcept {
        return dense_ ? rank : v.eligible()[rank];
    }

    [[nodiscard]] bool even() const noexcept { return aliases_.size() == 0; }

private:
    alias_table aliases_;
    bool dense_ = false;  // every slot is eligible: a rank is an index
};

}  // namespace weir::inline WEIR_ABI
