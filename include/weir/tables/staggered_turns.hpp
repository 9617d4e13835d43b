#pragma once

#include "../version.hpp"

#include <cstdint>
#include <functional>
#include <queue>
#include <span>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

/// The first `turns` turns of a rotation by weight, as indices: an index is due whenever it is behind its share by a part
/// of a turn that is its own. The parts lie evenly in [0, 1), so that indices of one weight do not come in a bunch. Of n,
/// one with the share p is never off by more than 1 + n p turns, and what it is owed at first is paid back.
///
/// `owed` has one number for each weight: the turns it is behind (above 0) or ahead of its share. Weights of 0 get no
/// turns; with none above 0 there are none. O(n + turns log n).
[[nodiscard]] inline std::vector<std::uint32_t> staggered_turns(std::span<const std::uint32_t> weights,
                                                                std::span<const double> owed, std::size_t turns) {
    double total = 0, excess = 0;
    for (const std::uint32_t w : weights) total += w;
    for (const double one : owed) excess += one;  // what those who left took with them is shared out
    using due = std::pair<double, std::uint32_t>;
    std::vector<due> first;
    std::uint32_t part = 0;
    for (std::uint32_t i = 0; i < weights.size(); ++i) {
        part += 0x9e3779b9;  // 2^32 / the golden ratio
        if (weights[i] > 0) first.emplace_back((part / 4294967296.0 - owed[i]) * (total / weights[i]) + excess, i);
    }
    std::priority_queue<due, std::vector<due>, std::greater<>> next{{}, std::move(first)};
    std::vector<std::uint32_t> order;
    while (order.size() < turns && !next.empty()) {
        const auto [when, index] = next.top();
        next.pop();
        order.push_back(index);
        next.emplace(when + total / weights[index], index);
    }
    return order;
}

}  // namespace weir::inline WEIR_ABI
