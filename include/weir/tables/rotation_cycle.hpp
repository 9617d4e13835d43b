#pragma once

#include "../snapshot.hpp"
#include "smooth_sequence.hpp"
#include "staggered_turns.hpp"
#include "weighted_intervals.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI::detail {

/// The turns of a `rotation`, written out as far as they are; immutable, and shared by rotations.
struct rotation_cycle {
    std::vector<std::uint32_t> entries;  ///< slots: the lead-in, then the cycle, repeated while it is short
    std::vector<record_base*> records;   ///< of the entries: who needs no slot reads nothing else
    std::uint64_t lead_in = 0;
    std::uint64_t length = 0;          ///< of the cycle; 0: too long to be written out, intervals follow the entries
    smooth_sequence sequence;          ///< where weights differ, by rank among the eligible
    weighted_intervals intervals;      ///< by rank
    std::vector<std::uint32_t> ranks;  ///< the slots behind the intervals

    /// For the eligible members of a view. By slot and of everybody, `owed` is what they are owed at the beginning; null:
    /// nothing.
    static std::shared_ptr<const rotation_cycle> make(const view& v, const std::vector<double>* owed) {
        rotation_cycle c;
        if (owed == nullptr && v.equal_weights())
            c.entries.assign(v.eligible().begin(), v.eligible().end());
        else
            c.write_weighted(v, owed);
        if (c.intervals.size() == 0) {
            c.length = c.entries.size() - c.lead_in;
            while (c.entries.size() < shortest)
                for (std::size_t k = 0; k < c.length; ++k) c.entries.push_back(c.entries[c.lead_in + k]);
        }
        c.records.reserve(c.entries.size());
        for (const std::uint32_t i : c.entries) c.records.push_back(&v.record(i));
        return std::make_shared<const rotation_cycle>(std::move(c));
    }

private:
    static constexpr std::size_t shortest = 512;  // entries: wrapping then costs one pick in 512 a division

    void write_weighted(const view& v, const std::vector<double>* owed) {
        const auto eligible = v.eligible();
        std::vector<std::uint32_t> weights;
        std::vector<double> credits;
        weights.reserve(eligible.size());
        for (const std::uint32_t i : eligible) weights.push_back(v.weight(i));
        if (owed != nullptr)
            for (const std::uint32_t i : eligible) credits.push_back((*owed)[i]);
        if (smooth_sequence::length(weights) > smooth_sequence::max_length) {
            intervals = weighted_intervals{weights};
            ranks.assign(eligible.begin(), eligible.end());
            if (owed == nullptr) return;
            // By slot: by rank, whoever goes or comes would shift the others' parts of a turn, and bring many of them
            // forward. Two turns a backend on average leave nobody owed a whole one.
            std::vector<std::uint32_t> of_slots(v.slots());
            credits.assign(v.slots(), 0);
            for (const std::uint32_t i : eligible) of_slots[i] = v.weight(i), credits[i] = (*owed)[i];
            entries = staggered_turns(of_slots, credits, (std::max)(2 * weights.size(), shortest));
            return;
        }
        sequence = smooth_sequence{weights, credits};
        lead_in = sequence.lead_in();
        entries.reserve(sequence.entries().size());
        for (const std::uint32_t rank : sequence.entries()) entries.push_back(eligible[rank]);
    }
};

}  // namespace weir::inline WEIR_ABI::detail
