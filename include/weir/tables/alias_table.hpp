#pragma once

#include "../detail/branchless.hpp"
#include "../detail/error.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::inline WEIR_ABI {

/// Draws an index with probability proportional to its weight in O(1): one load and one comparison.
///
/// Rule: as many columns as the next power of two, at least 2, of equal probability; each holds one index or two. The top
/// bits of a random number are a column, and the lower ones say which of its two. (With as many columns as weights, finding
/// one takes a multiplication, on which all else waits.)
/// Built in O(n) with integers alone, so equal on every platform; 8 to 16 bytes a weight. A probability is off by at most
/// 2^-32, and weights above 0 are never rounded to 0. Immutable: read from any thread.
/// Source: Walker 1977, built as Vose 1991 does.
class alias_table {
public:
    alias_table() = default;

    /// Up to 2^31 weights; their sum above 0 unless there are none. Throws std::invalid_argument.
    explicit alias_table(std::span<const std::uint32_t> weights) : size_{static_cast<std::uint32_t>(weights.size())} {
        if (weights.size() > std::uint64_t{1} << 31)
            detail::reject("alias_table: " + std::to_string(weights.size()) + " weights are more than 2^31");
        if (weights.empty()) return;
        std::uint64_t sum = 0;
        for (const std::uint32_t w : weights) sum += w;
        if (sum == 0) detail::reject("alias_table: all weights are 0; at least one has to be above");
        const std::uint64_t n = std::bit_ceil((std::max)(weights.size(), std::size_t{2}));
        shift_ = static_cast<std::uint32_t>(64 - std::countr_zero(n));
        columns_.resize(n);
        // In units of 1 / (n sum), a column holds `sum` and weight w is n w: the small ones are topped up by large ones.
        // Columns beyond the weights have none of their own.
        std::vector<std::uint64_t> left(n);
        std::vector<std::uint32_t> small, large;
        for (std::uint32_t i = 0; i < n; ++i) {
            if (i < size_) left[i] = n * weights[i];
            (left[i] < sum ? small : large).push_back(i);
        }
        while (!small.empty() && !large.empty()) {
            const std::uint32_t s = small.back(), l = large.back();
            small.pop_back();
            columns_[s] = {threshold(left[s], sum), l};
            left[l] -= sum - left[s];
            if (left[l] < sum) {
                large.pop_back();
                small.push_back(l);
            }
        }
        // With exact arithmetic only full columns are left over.
        for (const std::uint32_t i : large) columns_[i] = {~std::uint32_t{0}, i};
        for (const std::uint32_t i : small) columns_[i] = {~std::uint32_t{0}, i};
    }

    /// How many weights there were; 0 once it was moved from, as for a table without any.
    [[nodiscard]] std::size_t size() const noexcept { return columns_.empty() ? 0 : size_; }

    /// The index that 64 uniform random bits stand for. Only for a table that is not empty.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t draw(std::uint64_t random) const noexcept {
        const auto at = static_cast<std::uint32_t>(random >> shift_);
        const column c = columns_[at];
        return detail::branchless(static_cast<std::uint32_t>(random) < c.keep, at, c.alias);
    }

    /// The probability of an index that the table implies, for tests and inspection; O(n).
    [[nodiscard]] double probability(std::uint32_t index) const noexcept {
        double sum = 0;
        for (std::uint32_t i = 0; i < columns_.size(); ++i) {
            const double keep = columns_[i].alias == i ? 1 : columns_[i].keep / 4294967296.0;
            if (i == index) sum += keep;
            if (columns_[i].alias == index && i != index) sum += 1 - keep;
        }
        return sum / static_cast<double>(columns_.size());
    }

private:
    struct column {
        std::uint32_t keep;   // of 2^32
        std::uint32_t alias;  // its own index where it is never left
    };

    /// part / whole in 2^-32ths, rounded down, but above 0 where part is. part is below whole, and whole below 2^63.
    static std::uint32_t threshold(std::uint64_t part, std::uint64_t whole) noexcept {
        if (part >> 32 == 0)
            return static_cast<std::uint32_t>((std::max)((part << 32) / whole, std::uint64_t{part > 0}));
        std::uint64_t quotient = 0;  // by long division; above 2, since whole is no more than 2^31 times part
        for (int bit = 0; bit < 32; ++bit) {
            part <<= 1;
            quotient <<= 1;
            if (part < whole) continue;
            part -= whole;
            quotient |= 1;
        }
        return static_cast<std::uint32_t>(quotient);
    }

    std::vector<column> columns_;
    std::uint32_t size_ = 0;
    std::uint32_t shift_ = 63;  // leaves as many top bits as number the columns
};

}  // namespace weir::inline WEIR_ABI
