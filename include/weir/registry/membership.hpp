#pragma once

#include "../hash.hpp"
#include "../snapshot.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
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

    /// Finds out whether the words of all members of `next` are in a row. If not, and nobody can have a lease yet, as no
    /// member is one of `current`, they are laid in a new one; then `before` is the one to resume if it is all undone.
    void lay_in_a_row(roster& next, const view& current, std::optional<lease_words::row_block>& before) {
        next.find_in(words.row());
        if (next.row) return;
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
};

}  // namespace weir::inline WEIR_ABI::detail
