#pragma once

#include "../detail/wide.hpp"
#include "../snapshot.hpp"
#include "alias_table.hpp"

#include <vector>

namespace weir::inline WEIR_ABI {

/// Draws an eligible member of a view in proportion to its weight: evenly where weights are equal, else by an alias
/// table. What draws and choices share.
class weighted_draw {
public:
    weighted_draw() = default;

    explicit weighted_draw(const view& v)
        : count_{static_cast<std::uint32_t>(v.eligible().size())}, even_{v.equal_weights()}, all_{v.all_eligible()} {
        if (even_) return;
        std::vector<std::uint32_t> weights;
        weights.reserve(count_);
        for (const std::uint32_t i : v.eligible()) weights.push_back(v.weight(i));
        aliases_ = alias_table{weights};
    }

    /// The member that 64 uniform bits stand for; of the view it was made for, with at least one eligible.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t draw(const view& v, std::uint64_t random) const noexcept {
        return index_of(v, even_ ? static_cast<std::uint32_t>(detail::scale(random, count_)) : aliases_.draw(random));
    }

    /// The member of a rank among the eligible.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t index_of(const view& v, std::uint32_t rank) const noexcept {
        return all_ ? rank : v.eligible()[rank];
    }

    /// How many are eligible.
    [[nodiscard]] std::uint32_t size() const noexcept { return count_; }
    [[nodiscard]] bool even() const noexcept { return even_; }

private:
    std::uint32_t count_ = 0;
    bool even_ = true;
    bool all_ = false;  // every slot is eligible
    alias_table aliases_;
};

}  // namespace weir::inline WEIR_ABI
