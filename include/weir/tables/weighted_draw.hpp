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

    explicit weighted_draw(const view& v)
        : count_{static_cast<std::uint32_t>(v.eligible().size())}, even_{v.equal_weights()} {
        if (even_) return;
        std::vector<std::uint32_t> weights;
        weights.reserve(count_);
        for (const std::uint32_t i : v.eligible()) weights.push_back(v.weight(i));
        aliases_ = alias_table{weights};
    }

    /// The member that 64 uniform bits stand for; of the view it was made for, with at least one eligible.
    [[nodiscard]] std::uint32_t draw(const view& v, std::uint64_t random) const noexcept {
        return v.eligible()[draw_of_all(random)];
    }

    /// Its rank among the eligible, which is its index where every slot is eligible.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t draw_of_all(std::uint64_t random) const noexcept {
        return even_ ? static_cast<std::uint32_t>(detail::scale(random, count_)) : aliases_.draw(random);
    }

    /// How many are eligible.
    [[nodiscard]] std::uint32_t size() const noexcept { return count_; }
    [[nodiscard]] bool even() const noexcept { return even_; }

private:
    std::uint32_t count_ = 0;
    bool even_ = true;
    alias_table aliases_;
};

}  // namespace weir::inline WEIR_ABI
