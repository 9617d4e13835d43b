#pragma once

#include "../selector.hpp"
#include "../tables/smooth_sequence.hpp"
#include "../tables/weighted_intervals.hpp"

#include <algorithm>
#include <atomic>
#include <vector>

namespace weir::inline WEIR_ABI {

/// Takes the backends in turn: plain where weights are equal, interleaved as nginx does where they differ.
///
/// Rule: equal weights: by slot, going on after the last one picked across every update. Different weights: the smooth
/// sequence, written out for a whole cycle (sum / gcd of the weights, up to 65,536 picks); across updates each backend
/// keeps what it is owed, newcomers start at 0. Longer cycles: the multiples of the golden ratio walk through intervals
/// of the weights' lengths, which spreads each backend's turns evenly, needs no position but the counter, and is off
/// from the exact share by a few picks at most at any time.
/// Complexity: O(1) a pick (long cycles: one search within a bucket); an update costs O(n) where weights are equal, else
/// O(cycle (log n + different weights)). Memory: 4 bytes an entry of the cycle, at least 2 KiB.
/// Thread safety: one shared cursor, a locked addition a pick: exact across threads.
/// Bias: none over a cycle; an equal-weight backend that goes and comes back loses up to part of one turn. Where the one
/// in turn is excluded or full, the pick is drawn at random from the cycle, so that its neighbour is not favoured; it
/// counts as a turn.
/// One backend: that one. None: the error.
/// Source: nginx (smooth weighted round robin); Weyl's equidistribution for long cycles.
struct round_robin_policy {
    struct state {
        alignas(detail::cache_line) std::atomic<std::uint64_t> cursor{0};
    };

    class table {
    public:
        table() = default;
        table(table&& other) noexcept
            : base_{other.base_.load(std::memory_order_relaxed)}, first_{other.first_}, size_{other.size_},
              entries_{std::move(other.entries_)}, lead_in_{other.lead_in_}, cycle_{other.cycle_},
              intervals_{std::move(other.intervals_)}, sequence_{std::move(other.sequence_)},
              owed_{std::move(other.owed_)}, next_{other.next_} {}

        /// The slot at turn t; nobody where there is none.
        [[nodiscard]] std::uint32_t at(const view& v, std::uint64_t t) const noexcept {
            return at(v, t, base_.load(std::memory_order_relaxed));
        }
        /// The next slot of a cursor. Reads its own words first: behind a locked addition they would wait for it.
        [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t next(const view& v,
                                                            std::atomic<std::uint64_t>& cursor) const noexcept {
            const std::uint64_t base = base_.load(std::memory_order_relaxed);
            return at(v, cursor.fetch_add(1, std::memory_order_relaxed), base);
        }

        [[nodiscard]] WEIR_ALWAYS_INLINE bool usable() const noexcept {
            return !entries_.empty() || intervals_.size() > 0;
        }

        [[nodiscard]] std::uint32_t draw(const view& v, std::uint64_t random) const noexcept {
            if (entries_.empty()) return v.eligible()[intervals_.find(random)];
            return entries_[lead_in_ + detail::scale(random, cycle_)];
        }

    private:
        friend round_robin_policy;
        static constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;  // 2^64 / the golden ratio, made odd: period 2^64

        WEIR_ALWAYS_INLINE std::uint32_t at(const view& v, std::uint64_t t, std::uint64_t base) const noexcept {
            std::uint64_t place = t - base;
            if (place >= size_) [[unlikely]] {
                if (size_ == 0) return at_interval(v, t);
                place = wrap(t);
            }
            return first_[place];
        }

        WEIR_NEVER_INLINE std::uint32_t at_interval(const view& v, std::uint64_t t) const noexcept {
            return intervals_.size() > 0 ? v.eligible()[intervals_.find(t * golden)] : choice::nobody;
        }

        /// The place of a turn beyond the entries; moves the base on by whole cycles, so that few picks come here.
        WEIR_NEVER_INLINE std::uint64_t wrap(std::uint64_t t) const noexcept {
            std::uint64_t base = base_.load(std::memory_order_relaxed);
            const std::uint64_t whole = entries_.size() - lead_in_;
            if (t - base < std::uint64_t{1} << 63) {
                const std::uint64_t place = t - base;
                if (place < entries_.size()) return place;
                const std::uint64_t ahead = (place - lead_in_) / whole * whole;
                base_.compare_exchange_strong(base, base + ahead, std::memory_order_relaxed);
                return place - ahead;
            }
            // A late pick, from before the base moved.
            const std::uint64_t behind = (base + lead_in_ - t) % whole;
            return lead_in_ + (behind == 0 ? 0 : whole - behind);
        }

        mutable std::atomic<std::uint64_t> base_{0};  // the turn of the first entry
        const std::uint32_t* first_ = nullptr;        // of the entries, and how many: what a pick reads, side by side
        std::uint64_t size_ = 0;
        std::vector<std::uint32_t> entries_;  // slots: the lead-in, then the cycle, repeated while it is short
        std::uint64_t lead_in_ = 0;
        std::uint64_t cycle_ = 0;
        weighted_intervals intervals_;  // for cycles that are too long to write out, by rank among the eligible
        smooth_sequence sequence_;      // where weights differ, by rank
        std::vector<double> owed_;      // by slot, at the first entry; empty for a rotation of equals
        std::uint32_t next_ = 0;        // whose turn it was when the table was made
    };

    [[nodiscard]] table build(const view& v, const before<table>* b, const state& s) const {
        table t;
        t.base_.store(s.cursor.load(std::memory_order_relaxed), std::memory_order_relaxed);
        // A rotation of equals that was one before needs to know only whose turn it is.
        const bool was_rotation = b == nullptr || (b->table.owed_.empty() && b->table.sequence_.entries().empty());
        if (b != nullptr) t.next_ = b->table.usable() ? b->table.at(b->members, t.base_) : b->table.next_;
        if (v.eligible().empty()) {
            if (!was_rotation) t.owed_ = owed_now(v, *b, t.base_);
            return t;
        }
        if (v.equal_weights() && (was_rotation || v.eligible().size() > smooth_sequence::max_length)) {
            const auto from = std::lower_bound(v.eligible().begin(), v.eligible().end(), t.next_);
            t.entries_.assign(from, v.eligible().end());
            t.entries_.insert(t.entries_.end(), v.eligible().begin(), from);
        } else if (!write_sequence(t, v, b)) {
            return t;
        }
        t.cycle_ = t.entries_.size() - t.lead_in_;
        while (t.entries_.size() < shortest) {
            const std::size_t size = t.entries_.size();
            t.entries_.resize(size + t.cycle_);
            std::copy(t.entries_.begin() + static_cast<std::ptrdiff_t>(t.lead_in_),
                      t.entries_.begin() + static_cast<std::ptrdiff_t>(t.lead_in_ + t.cycle_),
                      t.entries_.begin() + static_cast<std::ptrdiff_t>(size));
        }
        t.first_ = t.entries_.data();
        t.size_ = t.entries_.size();
        return t;
    }

    template <class Accept>
    [[nodiscard]] WEIR_ALWAYS_INLINE choice choose(const view& v, const table& t, state& s, const query& q,
                                                   Accept accept) const noexcept {
        const std::uint32_t next = t.next(v, s.cursor);
        if constexpr (std::same_as<Accept, detail::accept_any>) return {.index = next};
        if (next != choice::nobody && accept(next)) return {.index = next};
        if (!t.usable()) return {};
        for (int tries = 0; tries < 8; ++tries)
            if (const std::uint32_t i = t.draw(v, q.random()); accept(i))
                return {.index = i, .reason = pick_reason::rerouted};
        return {};
    }

private:
    static constexpr std::size_t shortest = 512;  // entries: wrapping then costs one pick in 512 a division

    /// False: the cycle is too long to be written out, and `t` has intervals instead.
    static bool write_sequence(table& t, const view& v, const before<table>* b) {
        std::vector<std::uint32_t> weights;
        weights.reserve(v.eligible().size());
        for (const std::uint32_t i : v.eligible()) weights.push_back(v.weight(i));
        if (smooth_sequence::length(weights) > smooth_sequence::max_length) {
            t.intervals_ = weighted_intervals{weights};
            return false;
        }
        std::vector<double> credits;
        if (b != nullptr) {
            t.owed_ = owed_now(v, *b, t.base_);
            for (const std::uint32_t i : v.eligible()) credits.push_back(t.owed_[i]);
        }
        t.sequence_ = smooth_sequence{weights, credits};
        t.lead_in_ = t.sequence_.lead_in();
        for (const std::uint32_t rank : t.sequence_.entries()) t.entries_.push_back(v.eligible()[rank]);
        return true;
    }

    /// What each slot of `v` is owed: survivors what they were, newcomers (also into a used slot) nothing.
    static std::vector<double> owed_now(const view& v, const before<table>& b, std::uint64_t now) {
        std::vector<double> result = owed(b, now);
        result.resize(v.slots());
        for (std::uint32_t i = 0; i < v.slots(); ++i)
            if (!b.members.is_member(i) || !v.is_member(i) || b.members.id(i) != v.id(i)) result[i] = 0;
        return result;
    }

    /// How many picks each slot of the previous table is behind its share at turn `now`.
    static std::vector<double> owed(const before<table>& b, std::uint64_t now) {
        std::vector<double> result = b.table.owed_;
        result.resize(b.members.slots());
        if (b.table.entries_.empty()) return result;
        const std::uint64_t place = b.table.wrap(now);
        const auto eligible = b.members.eligible();
        if (b.table.sequence_.entries().empty()) {  // a rotation: the next one is owed most, the last one least
            const auto n = static_cast<double>(b.table.cycle_);
            for (std::size_t r = 0; r < b.table.cycle_; ++r)
                result[b.table.entries_[(place + r) % b.table.cycle_]] = (n - 1 - 2 * static_cast<double>(r)) / (2 * n);
            return result;
        }
        const std::size_t once = b.table.sequence_.entries().size();
        const std::size_t folded = place < once ? place
                                                : b.table.lead_in_ + (place - b.table.lead_in_) % b.table.cycle_;
        const std::vector<double> by_rank = b.table.sequence_.owed_after(folded);
        for (std::size_t r = 0; r < by_rank.size(); ++r) result[eligible[r]] = by_rank[r];
        return result;
    }
};

/// The selector of `round_robin_policy`.
template <class Backend>
class round_robin : public basic_selector<Backend, round_robin_policy> {
public:
    explicit round_robin(registry_base<Backend>& r, const selector_options& options = {})
        : basic_selector<Backend, round_robin_policy>{r, {}, options} {}
};

template <class Registry, class... Options>
round_robin(Registry&, const Options&...) -> round_robin<typename Registry::backend_type>;

}  // namespace weir::inline WEIR_ABI
