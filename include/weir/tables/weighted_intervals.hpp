#pragma once

#include "../detail/error.hpp"
#include "../detail/wide.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace weir::inline WEIR_ABI {

/// Cuts the circle of 64-bit numbers into one interval per weight, in order and in proportion, and finds the one that a
/// number lies in. Exact for any weights; one bucket per weight narrows the search, so O(1) on average and O(log n) at
/// worst. 12 to 16 bytes a weight. Immutable.
class weighted_intervals {
public:
    weighted_intervals() = default;

    /// The sum of the weights is above 0; weights of 0 get no interval.
    explicit weighted_intervals(std::span<const std::uint32_t> weights)
        : shift_{64 - static_cast<int>(std::bit_width(std::bit_ceil(weights.size() | 1)) - 1)} {
        std::uint64_t sum = 0;
        ends_.reserve(weights.size());
        for (const std::uint32_t w : weights) ends_.push_back(sum += w);
        if (sum == 0) detail::reject("weighted_intervals: all weights are 0; at least one has to be above");
        if (shift_ == 64) shift_ = 63;
        std::uint32_t i = 0;
        for (std::uint64_t b = 0; b < std::uint64_t{1} << (64 - shift_); ++b) {
            while (ends_[i] <= detail::scale(b << shift_, sum)) ++i;
            first_.push_back(i);
        }
        first_.push_back(static_cast<std::uint32_t>(ends_.size() - 1));
    }

    [[nodiscard]] std::uint32_t find(std::uint64_t point) const noexcept {
        const std::uint64_t at = detail::scale(point, ends_.back());
        const std::uint64_t bucket = point >> shift_;
        const auto begin = ends_.begin() + first_[bucket], end = ends_.begin() + first_[bucket + 1];
        return static_cast<std::uint32_t>(std::upper_bound(begin, end, at) - ends_.begin());
    }

    [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }

private:
    int shift_ = 63;
    std::vector<std::uint64_t> ends_;   // sums of the weights up to and with each
    std::vector<std::uint32_t> first_;  // by the number's top bits: where the search begins; ends where the next does
};

}  // namespace weir::inline WEIR_ABI
