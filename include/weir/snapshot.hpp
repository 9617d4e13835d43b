#pragma once

#include "detail/record.hpp"
#include "panic.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

inline constexpr std::uint32_t unlimited = ~std::uint32_t{0};

namespace detail {

/// The half of a snapshot that only membership, weights and limits change; snapshots that differ in conditions share it.
struct roster {
    std::vector<record_base*> records;       // by slot; null where a slot is free
    std::vector<lease_word*> words;          // of the records
    lease_row row;                           // in which all these words are; else none
    std::vector<std::uint32_t> generations;  // of the slot's present or next user
    std::vector<std::uint32_t> weights;
    std::vector<std::uint32_t> limits;
    std::vector<std::uint32_t> priorities;
    std::vector<std::uint32_t> zones;  // into zone_names
    std::vector<std::string> zone_names{std::string{}};
    std::uint32_t size = 0;
    std::uint32_t limited = 0;          // how many have a limit
    std::uint32_t nameless = 0;         // how many have no identity
    std::uint64_t version = 0;          // differs between rosters that differ
    std::uint64_t mapping_version = 0;  // ... in identities or weights

    /// Slots that were not there are free.
    void grow(std::size_t slots) {
        generations.resize(slots);
        weights.resize(slots);
        limits.resize(slots, unlimited);
        priorities.resize(slots);
        zones.resize(slots);
        words.resize(slots);
        records.resize(slots);  // last: its size is what counts
    }
    /// Into a slot; null: frees it.
    void put(std::uint32_t slot, record_base* record) noexcept {
        records[slot] = record;
        words[slot] = record != nullptr ? &record->leases() : nullptr;
    }
    /// Sets `row` to this one, if all words are in it.
    void find_in(const lease_row& one) noexcept {
        std::uint32_t slot = 0;
        while (one && slot < words.size() && (words[slot] == nullptr || one.holds(slot, words[slot]))) ++slot;
        row = slot == words.size() ? one : lease_row{};
    }

    /// Tells the same of the same members as the one that it was copied from. Slots that came since are free again.
    [[nodiscard]] bool is_as(const roster& before) const noexcept {
        const auto alike = [&](auto column) {
            return std::equal((before.*column).begin(), (before.*column).end(), (this->*column).begin());
        };
        return size == before.size && alike(&roster::records) && alike(&roster::weights) && alike(&roster::limits) &&
               alike(&roster::priorities) && alike(&roster::zones);
    }
};

}  // namespace detail

/// The face of one immutable snapshot that policies see: members by slot index, without their type.
///
/// An index is a slot: stable for as long as the backend is a member, and reused afterwards. All but `in_flight` is fixed
/// from publication on. Thread safety: read from any thread, inside the read section that handed it out.
class view {
public:
    /// One past the largest index that was ever in use: who leaves frees a slot for those who come later, but takes none away.
    [[nodiscard]] std::uint32_t slots() const noexcept { return slots_; }
    /// How many backends there are, whatever their condition.
    [[nodiscard]] std::uint32_t size() const noexcept { return roster_->size; }
    [[nodiscard]] bool is_member(std::uint32_t index) const noexcept {
        return index < slots_ && roster_->records[index] != nullptr;
    }

    /// The indices that may be chosen, ascending. In panic: with those that only their health keeps out, or nobody.
    [[nodiscard]] std::span<const std::uint32_t> eligible() const noexcept { return eligible_; }
    [[nodiscard]] bool is_eligible(std::uint32_t index) const noexcept {
        return index < slots_ && ((bits_[index / 64] >> (index % 64)) & 1) != 0;
    }
    /// The same for 64 indices at once, from a multiple of 64 on: a bit for each.
    [[nodiscard]] std::uint64_t eligible_from(std::uint32_t first) const noexcept { return bits_[first / 64]; }
    /// Every slot holds an eligible backend: whatever index a policy returns may be chosen.
    [[nodiscard]] bool all_eligible() const noexcept { return eligible_.size() == slots_; }
    /// The eligible ones all have the same weight.
    [[nodiscard]] bool equal_weights() const noexcept { return equal_weights_; }
    /// The sum of the weights of the eligible ones. Cannot wrap: fewer than 2^32 weights below 2^32.
    [[nodiscard]] std::uint64_t total_weight() const noexcept { return total_weight_; }

    [[nodiscard]] std::uint32_t weight(std::uint32_t index) const noexcept { return weights_[index]; }
    /// Leases at once: `max_in_flight`, or what a trial leaves of it.
    [[nodiscard]] std::uint32_t limit(std::uint32_t index) const noexcept {
        const std::uint32_t own = roster_->limits[index];
        if (!conditions_[index].has(condition::half_open)) return own;
        return (std::min)(own, records_[index]->half_open_limit.load(std::memory_order_relaxed));
    }
    [[nodiscard]] std::uint32_t max_in_flight(std::uint32_t index) const noexcept { return roster_->limits[index]; }
    /// Some of the eligible may have a limit; if not, all are unlimited.
    [[nodiscard]] bool limited() const noexcept { return limited_; }
    [[nodiscard]] std::uint32_t priority(std::uint32_t index) const noexcept { return roster_->priorities[index]; }
    [[nodiscard]] std::string_view zone(std::uint32_t index) const noexcept {
        return roster_->zone_names[roster_->zones[index]];
    }
    /// Too few are eligible by their conditions, so that `eligible` is the answer to that; see panic_options.
    [[nodiscard]] bool in_panic() const noexcept { return in_panic_; }
    [[nodiscard]] const panic_options& panic() const noexcept { return panic_; }
    [[nodiscard]] weir::conditions conditions(std::uint32_t index) const noexcept { return conditions_[index]; }
    [[nodiscard]] backend_id id(std::uint32_t index) const noexcept { return {index, roster_->generations[index]}; }
    /// Empty: this backend has none.
    [[nodiscard]] std::string_view identity(std::uint32_t index) const noexcept {
        return roster_->records[index]->identity;
    }
    /// `hash(identity)`; without an identity a number that only this registry knows.
    [[nodiscard]] std::uint64_t identity_hash(std::uint32_t index) const noexcept {
        return roster_->records[index]->identity_hash;
    }
    [[nodiscard]] bool all_have_identities() const noexcept { return roster_->nameless == 0; }

    /// Leases of this backend that have not ended, by any selector: as of now, not of the publication.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t in_flight(std::uint32_t index) const noexcept {
        return row_ ? row_[index].in_flight() : words_[index]->in_flight();
    }
    /// Of two at once.
    [[nodiscard]] WEIR_ALWAYS_INLINE std::pair<std::uint32_t, std::uint32_t> in_flight(std::uint32_t a,
                                                                                       std::uint32_t b) const noexcept {
        if (row_) [[likely]]
            return {row_[a].in_flight(), row_[b].in_flight()};
        return {words_[a]->in_flight(), words_[b]->in_flight()};
    }

    /// Numbers the publications of a registry, from 1 on.
    [[nodiscard]] std::uint64_t version() const noexcept { return version_; }
    /// Equal in two views of a registry only if members, weights and limits are equal: what depends on those alone
    /// can be kept.
    [[nodiscard]] std::uint64_t roster_version() const noexcept { return roster_->version; }

    /// The same for identities and weights alone: what keyed tables depend on.
    [[nodiscard]] std::uint64_t mapping_version() const noexcept { return roster_->mapping_version; }

    /// The record behind an index. For the library's own selectors.
    [[nodiscard]] WEIR_ALWAYS_INLINE detail::record_base& record(std::uint32_t index) const noexcept {
        return *records_[index];
    }

    /// Some of the members only, see view_part: what is counted over the whole registry does not fit.
    [[nodiscard]] bool is_part() const noexcept { return part_; }

    /// Made by the registry.
    view(std::shared_ptr<const detail::roster> roster, std::vector<weir::conditions> conditions, std::uint64_t version,
         const panic_options& panic = {}, bool part = false)
        : roster_{std::move(roster)}, records_{roster_->records.data()}, words_{roster_->words.data()},
          row_{roster_->row}, weights_{roster_->weights.data()}, conditions_{std::move(conditions)}, panic_{panic},
          version_{version}, slots_{static_cast<std::uint32_t>(roster_->records.size())},
          limited_{roster_->limited != 0}, part_{part}, bits_((roster_->records.size() + 63) / 64) {
        in_panic_ = panic_.threshold_percent > 0 && too_few();
        if (in_panic_ && panic_.fail_closed) return;
        const weir::conditions ignored = in_panic_ ? detail::of_health : weir::conditions{};
        eligible_.reserve(slots_);
        for (std::uint32_t i = 0; i < slots_; ++i) {
            if (roster_->weights[i] == 0 || conditions_[i].without(ignored).exclude())
                continue;  // a free slot has weight 0
            eligible_.push_back(i);
            bits_[i / 64] |= std::uint64_t{1} << (i % 64);
            total_weight_ += roster_->weights[i];
            limited_ = limited_ || conditions_[i].has(condition::half_open);
            equal_weights_ = equal_weights_ && roster_->weights[i] == roster_->weights[eligible_.front()];
        }
    }

    [[nodiscard]] const std::shared_ptr<const detail::roster>& roster() const noexcept { return roster_; }
    [[nodiscard]] const std::vector<weir::conditions>& all_conditions() const noexcept { return conditions_; }

private:
    [[nodiscard]] bool too_few() const noexcept {
        std::uint64_t eligible = 0, able = 0;
        for (std::uint32_t i = 0; i < slots_; ++i) {
            if (weights_[i] == 0) continue;
            eligible += conditions_[i].exclude() ? 0 : 1;
            able += conditions_[i].without(detail::of_health).exclude() ? 0 : 1;
        }
        return detail::is_panic(panic_, eligible, able);
    }

    std::shared_ptr<const detail::roster> roster_;
    detail::record_base* const* records_;  // of the roster: one load less in a pick
    detail::lease_word* const* words_;     // likewise
    detail::lease_row row_;                // likewise
    const std::uint32_t* weights_;
    std::vector<weir::conditions> conditions_;
    panic_options panic_;
    bool in_panic_ = false;
    std::uint64_t version_;
    std::uint64_t total_weight_ = 0;
    std::uint32_t slots_;
    bool equal_weights_ = true;
    bool limited_;
    bool part_;
    std::vector<std::uint32_t> eligible_;
    std::vector<std::uint64_t> bits_;
};

}  // namespace weir::inline WEIR_ABI
