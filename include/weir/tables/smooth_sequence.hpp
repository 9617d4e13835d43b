#pragma once

#include "../detail/error.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <numeric>
#include <queue>
#include <span>
#include <string>
#include <vector>

namespace weir::inline WEIR_ABI {

/// nginx's smooth weighted round robin, written out: each pick adds to every index its weight, takes the first with the
/// largest sum, and subtracts the total from that one. {5, 1, 1} gives a a b a c a a.
///
/// What an index has left of its sum is its credit; a sequence may start with credits, as they stood when the weights
/// changed. Then a lead-in evens them out, and a cycle follows that is repeated for ever; without credits there is only
/// the cycle. In a cycle each index comes weight / gcd times.
///
/// Complexity: building takes O(length (log n + number of different weights)); 4 bytes an entry. Immutable.
/// Source: nginx, ngx_http_upstream_get_peer (2012).
class smooth_sequence {
public:
    /// Longer cycles are refused: their table would be larger than what it saves.
    static constexpr std::uint64_t max_length = std::uint64_t{1} << 16;

    /// The length of the cycle that weights make, their sum / gcd; 0 if all are 0.
    [[nodiscard]] static std::uint64_t length(std::span<const std::uint32_t> weights) noexcept {
        std::uint64_t sum = 0;
        std::uint32_t divisor = 0;
        for (const std::uint32_t w : weights) {
            sum += w;
            divisor = std::gcd(divisor, w);
        }
        return divisor == 0 ? 0 : sum / divisor;
    }

    smooth_sequence() = default;

    /// `owed` has, for each index, how many picks it is behind (above 0) or ahead of its share; empty: none.
    /// Throws std::invalid_argument for a cycle longer than `max_length`.
    explicit smooth_sequence(std::span<const std::uint32_t> weights, std::span<const double> owed = {})
        : total_{static_cast<std::int64_t>(length(weights))}, weights_(weights.size()), credits_(weights.size()) {
        if (length(weights) > max_length)
            detail::reject("smooth_sequence: a cycle of " + std::to_string(length(weights)) + " picks is longer than " +
                           std::to_string(max_length));
        if (!owed.empty() && owed.size() != weights.size())
            detail::reject("smooth_sequence: " + std::to_string(owed.size()) + " owed for " +
                           std::to_string(weights.size()) + " weights; there is one for each");
        if (total_ == 0) return;
        std::uint32_t divisor = 0;
        for (const std::uint32_t w : weights) divisor = std::gcd(divisor, w);
        for (std::size_t i = 0; i < weights.size(); ++i) weights_[i] = weights[i] / divisor;
        if (!owed.empty()) take_over(owed);
        write();
    }

    /// All entries: the lead-in, then the cycle.
    [[nodiscard]] std::span<const std::uint32_t> entries() const noexcept { return entries_; }
    [[nodiscard]] std::size_t lead_in() const noexcept { return lead_in_; }
    [[nodiscard]] std::size_t cycle() const noexcept { return entries_.size() - lead_in_; }

    /// How many picks each index is behind its share after the first `picks` entries. O(picks + n).
    [[nodiscard]] std::vector<double> owed_after(std::size_t picks) const {
        std::vector<std::int64_t> now = credits_;
        for (std::size_t i = 0; i < now.size(); ++i) now[i] += static_cast<std::int64_t>(picks) * weights_[i] * parts;
        for (std::size_t k = 0; k < picks; ++k) now[entries_[k]] -= total_ * parts;
        std::vector<double> owed(now.size());
        for (std::size_t i = 0; i < now.size(); ++i)
            owed[i] = static_cast<double>(now[i]) / static_cast<double>((std::max)(total_, std::int64_t{1}) * parts);
        return owed;
    }

private:
    /// Credits are kept in these parts of a pick / `total_`: rounded to whole ones they would drift apart by a random walk
    /// of as many steps as there are updates. Picks, weights and parts together stay below 2^51.
    static constexpr std::int64_t parts = std::int64_t{1} << 16;

    /// In units of one pick = `total_ * parts`, and adding up to nothing: what those who left took with them is shared out.
    void take_over(std::span<const double> owed) {
        const auto total = static_cast<double>(total_);
        // Nobody is owed more than four picks, or ahead by more than four cycles bring, whatever the caller says; NaN and
        // the like are nothing. More would take more cycles to even out.
        const auto sane = [&](std::size_t i) {
            const double least = -4.0 * (std::max)(weights_[i], 1u), picks = owed[i];
            return picks >= least && picks <= 4 ? picks : picks > 4 ? 4 : picks < least ? least : 0;
        };
        double excess = 0;
        for (std::size_t i = 0; i < owed.size(); ++i) excess += sane(i);
        excess /= total;
        for (std::size_t i = 0; i < credits_.size(); ++i) {
            const double fair = (sane(i) - excess * weights_[i]) * total * static_cast<double>(parts);
            credits_[i] = static_cast<std::int64_t>(fair < 0 ? fair - 0.5 : fair + 0.5);
        }
    }

    // All indices of one weight gain alike, so their order among themselves only changes when one of them is taken:
    // a heap for each weight, and a scan over the heaps' tops.
    struct entry {
        std::int64_t level;  // credit without what the weight has added since the start
        std::uint32_t index;
        bool operator<(const entry& other) const noexcept {
            return level != other.level ? level < other.level : index > other.index;
        }
    };
    struct rank {
        std::int64_t weight;
        std::priority_queue<entry> members;
    };

    void write() {
        std::map<std::uint32_t, std::vector<entry>> by_weight;
        for (std::uint32_t i = 0; i < weights_.size(); ++i)
            if (weights_[i] > 0) by_weight[weights_[i]].push_back({credits_[i], i});
        std::vector<rank> ranks;
        ranks.reserve(by_weight.size());
        for (auto& [weight, members] : by_weight)
            ranks.push_back({weight * parts, std::priority_queue<entry>{{}, std::move(members)}});
        const auto length = static_cast<std::size_t>(total_);
        // A round that takes each index exactly weight times ends where it began: it is the cycle. Credits are below
        // four picks, so they are even after four rounds at most.
        for (int round = 0; round < 6; ++round) {
            lead_in_ = entries_.size();
            std::vector<std::uint32_t> taken(weights_.size());
            for (std::size_t k = 0; k < length; ++k) {
                const std::uint32_t index = take(ranks, static_cast<std::int64_t>(entries_.size()) + 1);
                entries_.push_back(index);
                ++taken[index];
            }
            if (taken == weights_) return;
        }
    }

    std::uint32_t take(std::vector<rank>& ranks, std::int64_t step) const {
        rank* best = nullptr;
        std::int64_t best_credit = 0;
        for (rank& r : ranks) {
            const std::int64_t credit = r.members.top().level + step * r.weight;
            if (best == nullptr || credit > best_credit ||
                (credit == best_credit && r.members.top().index < best->members.top().index)) {
                best = &r;
                best_credit = credit;
            }
        }
        entry taken = best->members.top();
        best->members.pop();
        const std::uint32_t index = taken.index;
        taken.level -= total_ * parts;
        best->members.push(taken);
        return index;
    }

    std::int64_t total_ = 0;
    std::vector<std::uint32_t> weights_;  // divided by their gcd
    std::vector<std::int64_t> credits_;   // at the start
    std::vector<std::uint32_t> entries_;
    std::size_t lead_in_ = 0;
};

}  // namespace weir::inline WEIR_ABI
