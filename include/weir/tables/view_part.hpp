#pragma once

#include "../snapshot.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

namespace detail {

inline constexpr condition elsewhere = static_cast<condition>(1
                                                              << 15);  // a member of the part that another part serves

/// Lists of different lengths are equal if the longer one goes on with zeros.
template <class T>
[[nodiscard]] bool equal_but_for_zeros(const std::vector<T>& one, const std::vector<T>& other) {
    const std::vector<T>& longer = one.size() < other.size() ? other : one;
    const auto common = static_cast<std::ptrdiff_t>((std::min)(one.size(), other.size()));
    return std::equal(one.begin(), one.begin() + common, other.begin()) &&
           std::all_of(longer.begin() + common, longer.end(), [](T value) { return value == T{}; });
}

/// The members of `all` that `belongs` names, in their slots. Shared with `before`, or with `all`, where nothing differs.
template <class Belongs>
std::shared_ptr<const roster> part_of(const std::shared_ptr<const roster>& all,
                                      const std::shared_ptr<const roster>& before, Belongs& belongs) {
    auto part = std::make_shared<roster>(*all);
    for (std::uint32_t i = 0; i < part->records.size(); ++i) {
        if (part->records[i] == nullptr || belongs(i)) continue;
        --part->size;
        part->limited -= part->limits[i] != unlimited ? 1 : 0;
        part->nameless -= part->records[i]->identity.empty() ? 1 : 0;
        part->limits[i] = unlimited;
        part->weights[i] = 0;
        part->put(i, nullptr);
    }
    if (part->size == all->size) return all;
    // Numbers that no registry gives: a part is not mistaken for the whole.
    constexpr std::uint64_t parts = std::uint64_t{1} << 63;
    part->version = part->mapping_version = all->version | parts;
    if (before == nullptr) return part;
    if (equal_but_for_zeros(part->records, before->records) && equal_but_for_zeros(part->weights, before->weights))
        part->mapping_version = before->mapping_version;
    return part;
}

}  // namespace detail

/// A view of a part of the members, by the same indices: what an adaptor hands to a policy of which it keeps several.
///
/// `belongs(index)` says who is a member of the part: it may depend on membership, priority and zone, but not on
/// conditions, so that keyed tables stay. `serves(index)` says which of them the part may choose, if they are eligible at
/// all. `before` and `part_before` are the previous views, or null.
/// Complexity: O(slots), in the writer.
template <class Belongs, class Serves>
[[nodiscard]] std::shared_ptr<const view> view_part(const view& v, Belongs&& belongs, Serves&& serves,
                                                    const view* before = nullptr, const view* part_before = nullptr) {
    std::shared_ptr<const detail::roster> roster;
    if (part_before != nullptr && before != nullptr && before->roster_version() == v.roster_version())
        roster = part_before->roster();
    else
        roster = detail::part_of(v.roster(), part_before != nullptr ? part_before->roster() : nullptr, belongs);
    std::vector<conditions> conditions = v.all_conditions();
    for (std::uint32_t i = 0; i < v.slots(); ++i) {
        if (roster->records[i] == nullptr) continue;
        if (!serves(i)) conditions[i] = conditions[i].with(detail::elsewhere);
        if (v.in_panic() && v.is_eligible(i)) conditions[i] = conditions[i].without(detail::of_health);
    }
    return std::make_shared<const view>(std::move(roster), std::move(conditions), v.version(), panic_options{}, true);
}

}  // namespace weir::inline WEIR_ABI
