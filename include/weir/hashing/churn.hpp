#pragma once

#include "../detail/error.hpp"
#include "key_sample.hpp"
#include "keyed_table.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::inline WEIR_ABI {

/// What a change of a mapping does to the keys of a sample.
struct churn_report {
    /// One identity, of either side.
    struct member {
        std::string identity;
        std::uint32_t weight_before = 0;  ///< 0: it has no keys, or is no member
        std::uint32_t weight_after = 0;
        std::uint64_t keys_before = 0;
        std::uint64_t keys_after = 0;
    };

    std::uint64_t keys = 0;         ///< looked up on both sides
    std::uint64_t moved = 0;        ///< of these, with an owner of another identity afterwards
    std::uint64_t unavoidable = 0;  ///< of these, what any mapping had to move for the weights that changed
    double imbalance_before = 0;    ///< max/mean of keys per weight; 0 without members
    double imbalance_after = 0;
    std::vector<member> members;  ///< by identity

    /// Moved without need.
    [[nodiscard]] std::uint64_t excess() const noexcept { return moved - unavoidable; }
};

/// A table and the members it was made of, whose identities and weights it does not tell.
template <keyed_table Table>
struct mapping {
    const Table& table;
    std::span<const hash_member> members;
};
template <class Table, class Members>
mapping(const Table&, const Members&) -> mapping<Table>;

namespace detail {

/// The owners of keys, by identity: what two sides of a change have in common.
class churn_count {
public:
    /// Throws std::invalid_argument for an index or an identity that comes twice, or an index that numbers nobody.
    churn_count(std::span<const hash_member> before, std::span<const hash_member> after) {
        enter(before, before_, &churn_report::member::weight_before);
        enter(after, after_, &churn_report::member::weight_after);
    }

    template <class Before, class After>
    [[nodiscard]] churn_report compare(const Before& before, const After& after, const key_sample& sample) {
        churn_report report;
        report.keys = sample.size();
        std::uint64_t orphans = 0;
        sample.for_each(before, after, [&](std::uint64_t key_before, std::uint64_t key_after) {
            std::size_t was = nobody, is = nobody;
            if (!before.empty()) ++members_[was = owner(before_, before.find(key_before))].keys_before;
            if (!after.empty()) ++members_[is = owner(after_, after.find(key_after))].keys_after;
            report.moved += was != is ? 1 : 0;
            orphans += was != is && (was == nobody || members_[was].weight_after == 0) ? 1 : 0;
        });
        finish(report, orphans);
        return report;
    }

private:
    static constexpr std::size_t nobody = ~std::size_t{0};
    static constexpr std::uint32_t max_index = std::uint32_t{1} << 24;
    using by_index = std::vector<std::size_t>;  // where in members_

    void enter(std::span<const hash_member> side, by_index& places, std::uint32_t churn_report::member::* weight) {
        std::map<std::string_view, bool> seen;
        for (const hash_member& m : side) {
            if (!seen.emplace(m.identity, true).second)
                reject("churn: the identity \"" + std::string{m.identity} + "\" is in one list of members twice");
            if (m.index >= max_index)
                reject("churn: an index of " + std::to_string(m.index) + " is not below " + std::to_string(max_index) +
                       "; indices number the members");
            const auto place = names_.try_emplace(m.identity, members_.size()).first->second;
            if (place == members_.size()) members_.push_back({.identity = std::string{m.identity}});
            members_[place].*weight = m.weight;
            if (m.index >= places.size()) places.resize(m.index + std::size_t{1}, nobody);
            if (places[m.index] != nobody)
                reject("churn: the index " + std::to_string(m.index) + " is in one list of members twice");
            places[m.index] = place;
        }
    }

    static std::size_t owner(const by_index& places, std::uint32_t index) {
        if (index >= places.size() || places[index] == nobody)
            reject("churn: a table gave the index " + std::to_string(index) +
                   ", which is not in the list of its members");
        return places[index];
    }

    void finish(churn_report& report, std::uint64_t orphans) {
        const auto keys = static_cast<double>(report.keys);
        double total_before = 0, total_after = 0, given_up = 0;
        for (const auto& m : members_) {
            total_before += m.weight_before;
            total_after += m.weight_after;
        }
        for (const auto& m : members_) {
            const double share_before = m.weight_before > 0 ? m.weight_before / total_before : 0;
            const double share_after = m.weight_after > 0 ? m.weight_after / total_after : 0;
            if (share_before > 0)
                report.imbalance_before = (std::max)(report.imbalance_before,
                                                     static_cast<double>(m.keys_before) / keys / share_before);
            if (share_after > 0)
                report.imbalance_after = (std::max)(report.imbalance_after,
                                                    static_cast<double>(m.keys_after) / keys / share_after);
            if (share_after > 0) given_up += (std::max)(0.0, share_before - share_after);
        }
        // Who stays with a smaller share gives up the difference: that is what newcomers and raised weights get beyond
        // the keys of those who left.
        report.unavoidable = (std::min)(report.moved,
                                        orphans + static_cast<std::uint64_t>(std::llround(keys * given_up)));
        std::sort(members_.begin(), members_.end(),
                  [](const auto& a, const auto& b) { return a.identity < b.identity; });
        report.members = std::move(members_);
    }

    std::map<std::string_view, std::size_t> names_;
    std::vector<churn_report::member> members_;
    by_index before_, after_;
};

}  // namespace detail

/// What going from one mapping to another moves: keys are looked up in both, and owners are compared by identity, not by
/// index. Of what moved, unavoidable are the keys whose owner left, and what newcomers and raised weights must get beyond
/// those. O(sample) look-ups. Throws std::invalid_argument where members do not belong to their table.
///
///     weir::churn(weir::mapping{before, members}, weir::mapping{after, fewer}, 1'000'000)
template <class Before, class After>
[[nodiscard]] churn_report churn(const mapping<Before>& before, const mapping<After>& after, const key_sample& sample) {
    return detail::churn_count{before.members, after.members}.compare(before.table, after.table, sample);
}

/// The same for two lists of members and a kind of table, the second made of the first where such tables follow:
/// `weir::churn<weir::ring_table>(now, then, 1'000'000)`. Throws also what the table refuses.
template <keyed_table Table>
[[nodiscard]] churn_report churn(std::span<const hash_member> before, std::span<const hash_member> after,
                                 const key_sample& sample, const typename Table::options& o = {}) {
    const Table first(before, o);
    if constexpr (detail::is_made_of_previous<Table>)
        return churn(mapping<Table>{first, before}, mapping<Table>{Table(first, after), after}, sample);
    else
        return churn(mapping<Table>{first, before}, mapping<Table>{Table(after, o), after}, sample);
}

}  // namespace weir::inline WEIR_ABI
