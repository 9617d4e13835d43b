#pragma once

#include "../maglev_fill.hpp"

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

// What the dialects of Maglev share. Private.
namespace weir::inline WEIR_ABI::detail {

/// Look-ups in a table of Maglev.
class maglev_slots {
public:
    maglev_slots() = default;
    /// Of the numbers of members; `index_of` gives their indices.
    template <class Index>
    maglev_slots(std::vector<std::uint32_t> members, Index&& index_of) : slots_{std::move(members)} {
        for (std::uint32_t& slot : slots_) slot = index_of(slot);
    }

    [[nodiscard]] std::span<const std::uint32_t> all() const noexcept { return slots_; }

    [[nodiscard]] std::uint32_t find(std::uint64_t key) const noexcept { return slots_[key % slots_.size()]; }
    /// Envoy's order of retries: the key with its bits turned over by the number of the attempt.
    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        for (std::uint64_t step = 0; step < steps; ++step)
            if (accept(find(key ^ (0 - step)))) return static_cast<std::uint32_t>(step);
        return steps;
    }

private:
    std::vector<std::uint32_t> slots_;
};

}  // namespace weir::inline WEIR_ABI::detail
