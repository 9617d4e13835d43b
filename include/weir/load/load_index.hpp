#pragma once

#include "../detail/wide.hpp"
#include "../random.hpp"
#include "../snapshot.hpp"
#include "../tables/alias_table.hpp"
#include "../tables/least_tree.hpp"
#include "../tables/lightest_tree.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

/// The backends of a registry by leases in flight / weight: finds the least loaded without looking at all.
///
/// A tree of loads for each different weight, or one of load / weight for many. What it says of a backend is a hint: the
/// lease word decides, and whoever sees the two differ, or changes the word, brings the index up to date. Absent is who has
/// reached its limit, and who is not eligible. It is made anew when members, weights or limits change; otherwise it follows
/// the conditions.
///
/// Complexity: O(log n) to find one, for each of up to 16 different weights or for all, and O(k) with more weights where k
/// that tie have little weight beside the busy; O(log n) to bring one up to date; O(n) to make.
/// Memory: about 22 bytes a backend, 34 with more weights.
/// Thread safety: as word_tree; inside a read section in which a snapshot of these members is seen.
/// Bias: none; ties are drawn by weight.
class load_index {
public:
    static constexpr std::size_t most_weights = 16;     // each costs a pick a look at its top node, a line
    static constexpr std::uint32_t smallest_pool = 32;  // below, looking at all costs less than keeping an index

    /// Null where looking at all backends is better: few of them.
    [[nodiscard]] static std::shared_ptr<load_index> make(const view& v) {
        if (v.size() < smallest_pool || v.size() > word_tree::max_size) return nullptr;
        return std::shared_ptr<load_index>{new load_index{v}};
    }

    /// Whether it is of the same members, weights and limits.
    [[nodiscard]] bool fits(const view& v) const noexcept { return members_ == v.roster(); }
    /// Takes over who is eligible. Called by one thread at a time.
    void follow(const view& v) noexcept {
        for (std::uint32_t first = 0; first < v.slots(); first += 64) {
            const std::uint64_t now = v.eligible_from(first);
            std::uint64_t changed = eligible_[first / 64].exchange(now, std::memory_order_seq_cst) ^ now;
            for (; changed != 0; changed &= changed - 1)
                refresh_slot(first + static_cast<std::uint32_t>(std::countr_zero(changed)));
        }
    }

    struct found {
        std::uint32_t slot = least_tree::nobody;
        std::uint32_t load = 0;
    };
    /// One of the least loaded, by weight among those that tie. Passes over up to `most_refused` slots, none of them named
    /// twice. Nobody: all are at their limit, or loads have moved meanwhile.
    static constexpr std::size_t most_refused = 8;
    [[nodiscard]] found draw(std::uint64_t random, std::span<const std::uint32_t> refused) noexcept {
        if ((random & 63) == 0) correct(static_cast<std::uint32_t>(detail::scale(random, places_.size())));
        if (!any_.slots.empty()) return draw_of_any(random, refused);
        return groups_.size() == 1 && refused.empty() ? draw_of_equals(random) : draw_of_all(random, refused);
    }

    /// Whether the backend still has as many leases as the index says.
    [[nodiscard]] bool agrees(const found& f) const noexcept { return load_now(f.slot) == f.load; }

    /// Brings a slot up to date with its lease word. One that the snapshot does not have is nobody's.
    void refresh_slot(std::uint32_t slot) noexcept {
        if (slot >= places_.size()) return;
        const place p = places_[slot];
        const auto read = [&]() noexcept { return load_now(slot); };
        if (p.group == place::any)
            any_.loads.refresh(p.rank, read);
        else if (p.group != place::nowhere)
            groups_[p.group].loads.refresh(p.rank, read);
    }
    /// The same for all, where they differ.
    void refresh_all() noexcept {
        for (std::uint32_t slot = 0; slot < places_.size(); ++slot) correct(slot);
    }

private:
    struct group {
        std::uint32_t weight = 0;
        std::vector<std::uint32_t> slots;
        least_tree loads;
    };
    /// Of many weights, where there are too many for a group each.
    struct any_weights {
        std::vector<std::uint32_t> slots;
        lightest_tree loads;
        alias_table draw;
    };
    struct place {
        static constexpr std::uint32_t nowhere = ~std::uint32_t{0}, any = nowhere - 1;
        std::uint32_t group = nowhere;
        std::uint32_t rank = 0;
    };

    explicit load_index(const view& v)
        : members_{v.roster()}, limited_{v.limited()}, places_(v.slots()), eligible_((v.slots() + 63) / 64) {
        for (std::uint32_t first = 0; first < v.slots(); first += 64) eligible_[first / 64] = v.eligible_from(first);
        for (std::uint32_t slot = 0; slot < v.slots(); ++slot) {
            const std::uint32_t weight = v.weight(slot);
            if (weight == 0) continue;  // so has a free slot
            std::uint32_t g = 0;
            while (g < groups_.size() && groups_[g].weight != weight) ++g;
            if (g == groups_.size()) {
                if (g == most_weights) {
                    index_any(v);
                    return;
                }
                groups_.push_back({.weight = weight, .slots = {}, .loads = {}});
            }
            places_[slot] = {g, static_cast<std::uint32_t>(groups_[g].slots.size())};
            groups_[g].slots.push_back(slot);
        }
        std::vector<std::uint32_t> loads;
        for (group& g : groups_) {
            loads.clear();
            for (const std::uint32_t slot : g.slots) loads.push_back(load_now(slot));
            g.loads = least_tree{loads};
        }
    }

    void index_any(const view& v) {
        groups_.clear();
        std::vector<std::uint32_t> weights, loads;
        for (std::uint32_t slot = 0; slot < v.slots(); ++slot) {
            if (v.weight(slot) == 0) continue;
            places_[slot] = {place::any, static_cast<std::uint32_t>(any_.slots.size())};
            any_.slots.push_back(slot);
            weights.push_back(v.weight(slot));
            loads.push_back(load_now(slot));
        }
        any_.draw = alias_table{weights};
        any_.loads = lightest_tree{loads, std::move(weights)};
    }

    void correct(std::uint32_t slot) noexcept {
        const place p = places_[slot];
        if (p.group == place::nowhere) return;
        const std::uint32_t known = p.group == place::any ? any_.loads.load(p.rank)
                                                          : groups_[p.group].loads.load(p.rank);
        if (known != load_now(slot)) refresh_slot(slot);
    }

    [[nodiscard]] std::uint32_t load_now(std::uint32_t slot) const noexcept {
        if (((eligible_[slot / 64].load(std::memory_order_seq_cst) >> (slot % 64)) & 1) == 0) return least_tree::absent;
        const std::uint32_t load = members_->words[slot]->in_flight();
        return limited_ && load >= members_->limits[slot] ? least_tree::absent : load;
    }

    found draw_of_equals(std::uint64_t random) const noexcept {
        const group& g = groups_.front();
        const least_tree::least least = g.loads.total();
        if (least.count == 0) return {};
        // While many tie, a place at random is one of them; the rest of the randomness is as good as new.
        const detail::wide first = detail::multiply(random, g.loads.size());
        auto rank = static_cast<std::uint32_t>(first.high);
        if (g.loads.load(rank) != least.load) rank = g.loads.find(least.load, detail::scale(first.low, least.count));
        return found_at(g, rank, least.load);
    }

    found draw_of_all(std::uint64_t random, std::span<const std::uint32_t> refused) const noexcept {
        least_tree::least least[most_weights];
        std::uint32_t ranks[most_refused];
        const auto passed_over = [&](std::uint32_t g) {
            std::size_t count = 0;
            for (const std::uint32_t slot : refused)
                if (places_[slot].group == g) ranks[count++] = places_[slot].rank;
            return std::span<const std::uint32_t>{ranks, count};
        };
        std::uint32_t best = choice_of_none;
        std::uint64_t tied = 0;
        for (std::uint32_t g = 0; g < groups_.size(); ++g) {
            least[g] = refused.empty() ? groups_[g].loads.total() : groups_[g].loads.total(passed_over(g));
            if (least[g].count == 0) continue;
            const std::uint64_t part = std::uint64_t{least[g].count} * groups_[g].weight;
            if (best == choice_of_none || lighter(least, g, best)) {
                best = g;
                tied = part;
            } else if (!lighter(least, best, g)) {
                tied += part;
            }
        }
        if (best == choice_of_none) return {};
        std::uint64_t rest = detail::scale(random, tied);
        for (std::uint32_t g = best; g < groups_.size(); ++g) {
            if (least[g].count == 0 || lighter(least, best, g)) continue;
            const std::uint64_t part = std::uint64_t{least[g].count} * groups_[g].weight;
            if (rest < part)
                return found_at(groups_[g],
                                groups_[g].loads.find(least[g].load, rest / groups_[g].weight, passed_over(g)),
                                least[g].load);
            rest -= part;
        }
        return {};
    }

    found draw_of_any(std::uint64_t random, std::span<const std::uint32_t> refused) const noexcept {
        std::uint32_t ranks[most_refused];
        std::size_t count = 0;
        for (const std::uint32_t slot : refused) ranks[count++] = places_[slot].rank;
        const std::span<const std::uint32_t> without{ranks, count};
        const lightest_tree::lightest least = any_.loads.top(without);
        if (least.load == lightest_tree::absent) return {};
        generator draws{random};
        // While many are idle, one drawn of all by weight is one of them.
        for (int tries = 0; least.load == 0 && tries < 8; ++tries) {
            const std::uint32_t rank = any_.draw.draw(draws());
            if (any_.loads.load(rank) == 0 && std::find(without.begin(), without.end(), rank) == without.end())
                return {any_.slots[rank], 0};
        }
        const lightest_tree::lightest drawn = any_.loads.draw(least, draws(), without);
        return {any_.slots[drawn.place], drawn.load};
    }

    static found found_at(const group& g, std::uint32_t rank, std::uint32_t load) noexcept {
        return rank == least_tree::nobody ? found{} : found{g.slots[rank], load};
    }
    /// a's load / weight is below b's.
    [[nodiscard]] bool lighter(const least_tree::least* least, std::uint32_t a, std::uint32_t b) const noexcept {
        return std::uint64_t{least[a].load} * groups_[b].weight < std::uint64_t{least[b].load} * groups_[a].weight;
    }

    static constexpr std::uint32_t choice_of_none = ~std::uint32_t{0};

    const std::shared_ptr<const detail::roster> members_;
    const bool limited_;
    std::vector<place> places_;  // by slot
    std::vector<std::atomic<std::uint64_t>> eligible_;
    std::vector<group> groups_;
    any_weights any_;  // then there are no groups
};

}  // namespace weir::inline WEIR_ABI
