#pragma once

#include "../snapshot.hpp"
#include "rotation_cycle.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

/// The order in which one cursor takes the eligible members of a view. The cursor only counts turns; a rotation says
/// whose a turn is, and the one made for the next view goes on where this one stands.
///
/// Equal weights: by slot, going on after the last one. Different weights: nginx's smooth sequence, written out for a
/// whole cycle; what each is owed goes along. Cycles longer than `smooth_sequence` takes: the multiples of the golden
/// ratio walk through intervals of the weights' lengths, after an opening that evens out what is owed.
/// Complexity: O(1) a turn (long cycles: one search within a bucket). Making one: O(n) where weights are equal or no turn
/// changes; else O(cycle (log n + different weights)); for long cycles O(n log n), and up to 65,536 turns of the last one.
/// Memory: 12 bytes an entry of the cycle, 16 where weights differ; at least 6 KiB. Thread safety: const members, any thread.
class alignas(detail::cache_line) rotation {
    using cycle = detail::rotation_cycle;

public:
    /// What the rotations of one view share.
    class common {
        friend rotation;
        std::shared_ptr<const cycle> even_;  // in which nobody is owed anything, once somebody has made it
        std::shared_ptr<const cycle> any_;   // one that may be joined at any place, if there is one
    };

    rotation() = default;
    rotation(rotation&& other) noexcept { *this = std::move(other); }
    rotation& operator=(rotation&& other) noexcept {
        base_.store(other.base(), std::memory_order_relaxed);
        first_ = other.first_;
        records_ = other.records_;
        size_ = other.size_;
        cycle_ = std::move(other.cycle_);
        owed_ = std::move(other.owed_);
        phase_ = other.phase_;
        next_ = other.next_;
        return *this;
    }

    /// The first one of a cursor, at turn `now`: begins `phase` / 2^64 of the way through a cycle.
    rotation(const view& v, common& shared, std::uint64_t now, std::uint64_t phase) : phase_{phase} {
        if (v.eligible().empty()) return;
        take(shared.any_ != nullptr ? shared.any_ : even_cycle(v, shared));
        base_.store(now - cycle_->lead_in - detail::scale(phase, cycle_->length), std::memory_order_relaxed);
    }

    /// The one that follows `before`, which was made for the view `was`, at turn `now`. `same`: see `same_turns`.
    rotation(const view& v, common& shared, std::uint64_t now, const view& was, const rotation& before, bool same)
        : phase_{before.phase_} {
        next_ = before.usable() ? before.at(now) : before.next_;
        if (same) {
            if (!before.owed_.empty()) owed_ = of_survivors(before.owed_, v, was);
            if (before.usable()) take(before.cycle_);
            base_.store(before.base(), std::memory_order_relaxed);
            return;
        }
        base_.store(now, std::memory_order_relaxed);
        if (v.equal_weights() && (before.only_place() || v.eligible().size() > smooth_sequence::max_length)) {
            if (v.eligible().empty()) return;
            take(even_cycle(v, shared));
            const auto turn = std::lower_bound(v.eligible().begin(), v.eligible().end(), next_) - v.eligible().begin();
            base_.store(now - static_cast<std::uint64_t>(turn), std::memory_order_relaxed);
            return;
        }
        owed_ = of_survivors(before.owed_at(now, was), v, was);
        if (v.eligible().empty()) return;
        take(cycle::make(v, &owed_));
        if (cycle_->length > 0) shared.any_ = cycle_;
    }

    /// Whether a rotation for `v` is that for `was`: the same members are eligible, with the same weights.
    [[nodiscard]] static bool same_turns(const view& v, const view& was) noexcept {
        return std::equal(v.eligible().begin(), v.eligible().end(), was.eligible().begin(), was.eligible().end(),
                          [&](std::uint32_t i, std::uint32_t before) {
                              return v.id(i) == was.id(before) && v.weight(i) == was.weight(before);
                          });
    }

    [[nodiscard]] WEIR_ALWAYS_INLINE bool usable() const noexcept { return cycle_ != nullptr; }

    /// Whose a turn is; nobody's unless `usable()`. `base()` may be read before the turn is taken.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t at(std::uint64_t turn, std::uint64_t base) const noexcept {
        const std::uint64_t place = turn - base;
        if (place >= size_) [[unlikely]]
            return beyond(turn);
        return first_[place];
    }
    /// The same one's record; `v` is the view that the rotation was made for. Only where `usable()`.
    [[nodiscard]] WEIR_ALWAYS_INLINE detail::record_base& record_at(std::uint64_t turn, std::uint64_t base,
                                                                    const view& v) const noexcept {
        const std::uint64_t place = turn - base;
        if (place >= size_) [[unlikely]]
            return v.record(beyond(turn));
        return *records_[place];
    }
    [[nodiscard]] std::uint32_t at(std::uint64_t turn) const noexcept { return at(turn, base()); }
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint64_t base() const noexcept {
        return base_.load(std::memory_order_relaxed);
    }

    /// A slot by weight. Only where somebody has a turn.
    [[nodiscard]] std::uint32_t draw(std::uint64_t random) const noexcept {
        if (cycle_->length == 0) return cycle_->ranks[cycle_->intervals.find(random)];
        return cycle_->entries[cycle_->lead_in + detail::scale(random, cycle_->length)];
    }

    /// Whether the two stand for one piece of memory.
    [[nodiscard]] bool shares_entries(const rotation& other) const noexcept { return cycle_ == other.cycle_; }

    static constexpr std::uint32_t nobody = ~std::uint32_t{0};

private:
    static constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;  // 2^64 / the golden ratio, made odd: period 2^64
    static constexpr std::uint64_t most_recounted = std::uint64_t{1} << 16;  // turns: half a millisecond

    void take(std::shared_ptr<const cycle> c) noexcept {
        cycle_ = std::move(c);
        first_ = cycle_->entries.data();
        records_ = cycle_->records.data();
        size_ = cycle_->entries.size();
    }

    /// A rotation of equals, or of nobody since then: all that counts is whose turn it is.
    [[nodiscard]] bool only_place() const noexcept {
        return owed_.empty() &&
               (cycle_ == nullptr || (cycle_->sequence.entries().empty() && cycle_->intervals.size() == 0));
    }

    static const std::shared_ptr<const cycle>& even_cycle(const view& v, common& shared) {
        if (shared.even_ == nullptr) shared.even_ = cycle::make(v, nullptr);
        return shared.even_;
    }

    /// How many turns each slot of `was`, the view that this was made for, is behind its share at turn `now`.
    [[nodiscard]] std::vector<double> owed_at(std::uint64_t now, const view& was) const {
        std::vector<double> result = owed_;
        result.resize(was.slots());
        if (cycle_ == nullptr) return result;
        const auto eligible = was.eligible();
        if (cycle_->length == 0) {
            const std::uint64_t turns = now - base();
            if (turns > cycle_->entries.size() + most_recounted) {  // by now less than a pick in a thousand
                for (const std::uint32_t i : eligible) result[i] = 0;
                return result;
            }
            const double each = static_cast<double>(turns) / static_cast<double>(was.total_weight());
            for (const std::uint32_t i : eligible) result[i] += each * was.weight(i);
            for (std::uint64_t t = 0; t < turns; ++t) result[at(base() + t)] -= 1;
            return result;
        }
        const std::uint64_t place = wrap(now);
        if (cycle_->sequence.entries().empty()) {  // of equals: the next one is owed most, the last one least
            const auto n = static_cast<double>(cycle_->length);
            for (std::size_t r = 0; r < cycle_->length; ++r)
                result[first_[(place + r) % cycle_->length]] = (n - 1 - 2 * static_cast<double>(r)) / (2 * n);
            return result;
        }
        const std::size_t once = cycle_->sequence.entries().size();
        const std::size_t folded = place < once ? place : cycle_->lead_in + (place - cycle_->lead_in) % cycle_->length;
        const std::vector<double> by_rank = cycle_->sequence.owed_after(folded);
        for (std::size_t r = 0; r < by_rank.size(); ++r) result[eligible[r]] = by_rank[r];
        return result;
    }

    /// Newcomers, also into a used slot, are owed nothing.
    static std::vector<double> of_survivors(std::vector<double> owed, const view& v, const view& was) {
        owed.resize(v.slots());
        for (std::uint32_t i = 0; i < v.slots(); ++i)
            if (!was.is_member(i) || !v.is_member(i) || was.id(i) != v.id(i)) owed[i] = 0;
        return owed;
    }

    /// A turn that is not among the entries. Asks for nothing but the turn: a pick keeps nothing else at hand for it.
    WEIR_NEVER_INLINE std::uint32_t beyond(std::uint64_t turn) const noexcept {
        if (cycle_ == nullptr) return nobody;
        if (cycle_->length > 0) return first_[wrap(turn)];
        return cycle_->ranks[cycle_->intervals.find(turn * golden + phase_)];
    }

    /// The place of a turn beyond the entries; moves the base on by whole cycles, so that few picks come here.
    [[nodiscard]] std::uint64_t wrap(std::uint64_t turn) const noexcept {
        std::uint64_t base = base_.load(std::memory_order_relaxed);
        const std::uint64_t lead_in = cycle_->lead_in, length = cycle_->entries.size() - lead_in;
        if (const std::uint64_t place = turn - base; place < std::uint64_t{1} << 63) {
            if (place < lead_in + length) return place;
            const std::uint64_t ahead = (place - lead_in) / length * length;
            base_.compare_exchange_strong(base, base + ahead, std::memory_order_relaxed);
            return place - ahead;
        }
        // A late pick, from before the base moved.
        const std::uint64_t behind = (base + lead_in - turn) % length;
        return lead_in + (behind == 0 ? 0 : length - behind);
    }

    mutable std::atomic<std::uint64_t> base_{0};  // the turn of the first entry
    // Of the entries and their records, and how many: what a pick reads, side by side.
    const std::uint32_t* first_ = nullptr;
    detail::record_base* const* records_ = nullptr;
    std::uint64_t size_ = 0;
    std::shared_ptr<const cycle> cycle_;  // none: nobody is eligible
    std::vector<double> owed_;            // by slot, at the first entry; empty: nobody is owed anything
    std::uint64_t phase_ = 0;
    std::uint32_t next_ = 0;  // whose turn it was when this was made
};

}  // namespace weir::inline WEIR_ABI
