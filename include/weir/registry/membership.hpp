#pragma once

#include "../hash.hpp"
#include "../snapshot.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI::detail {

struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return static_cast<std::size_t>(hash(text)); }
};

/// What the writer keeps between updates, beside the current view.
struct membership {
    std::unordered_map<std::string, std::uint32_t, text_hash, std::equal_to<>> by_identity;
    std::vector<std::uint32_t> free_slots;
    lease_words words;
    std::uint64_t rosters = 0;      // numbers them
    std::uint64_t mappings = 0;     // and those among them that differ in identities or weights
    std::uint32_t generations = 0;  // one for each backend; of refused updates too: their ids name nobody, ever

    /// The slot for who comes next, as the last of `free_slots` if it is one of them: the last that became free. That whose
    /// last user is still leased, or seen by a read section, would cost all members their row: rather another one, or a new
    /// one that the row has room for. O(1): looks at a few, and at others next time; at all of them where the row is full.
    [[nodiscard]] std::uint32_t next_slot(const roster& r) noexcept {
        constexpr std::size_t most_tries = 64;
        const auto fresh = static_cast<std::uint32_t>(r.records.size());
        if (free_slots.empty()) return fresh;
        if (!r.row || words.is_free(free_slots.back())) return free_slots.back();
        const bool room = words.is_free(fresh);
        for (std::size_t tries = room ? (std::min)(free_slots.size(), most_tries) : free_slots.size(); tries > 0;
             --tries) {
            looked_at_ = looked_at_ > 0 && looked_at_ < free_slots.size() ? looked_at_ - 1 : free_slots.size() - 1;
            if (auto& slot = free_slots[looked_at_]; words.is_free(slot)) {
                std::swap(slot, free_slots.back());
                return free_slots.back();
            }
        }
        return room ? fresh : free_slots.back();
    }

    /// Finds out whether the words of all members of `next` are in a row. If not, and nobody can have a lease yet, as no
    /// member is one of `current`, they are laid in a new one; then `before` is what to resume if it is all undone.
    void lay_in_a_row(roster& next, const view& current, std::optional<lease_words::layout>& before) {
        next.find_in(words.row());
        if (next.row || next.records.size() > 4 * std::size_t{next.size} + lease_words::few) return;
        for (std::uint32_t slot = 0; slot < current.slots(); ++slot)
            if (current.is_member(slot) && next.records[slot] == &current.record(slot)) return;
        before = words.begin_row(next.records.size());
        for (std::uint32_t slot = 0; slot < next.records.size(); ++slot)
            if (record_base* const r = next.records[slot]) {
                r->move_to(words.take(r, slot));
                next.put(slot, r);
            }
        next.find_in(words.row());
    }

private:
    std::size_t looked_at_ = 0;  // of the free slots, the last time
};

}  // namespace weir::inline WEIR_ABI::detail
