#pragma once

#include "../identity.hpp"
#include "hub.hpp"

#include <concepts>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

/// The verbs of one update, which is published once, as a whole, or refused as a whole. Lives inside `update` alone.
///
/// Each verb takes effect within the change at once, and may be called again after one has thrown.
template <class Backend>
class registry_change {
public:
    /// Throws std::invalid_argument: an identity that is taken or empty, or `max_in_flight` of 0.
    backend_id add(Backend backend, const backend_options& options = {}) {
        auto fresh = std::make_unique<detail::record<Backend>>(std::move(backend));
        detail::record<Backend>& record = *fresh;
        draft_.park(std::move(fresh));
        auto name = options.identity ? options.identity : identity_of(std::as_const(record.backend));
        if (name && name->empty()) detail::reject("an identity is empty; it has to name the backend");
        record.clock = hub_.clock;
        record.readers = &hub_.readers;
        if (name) record.identity = *std::move(name);
        record.identity_hash = record.identity.empty() ? mix(reinterpret_cast<std::uintptr_t>(&record))
                                                       : hash(record.identity);
        return draft_.add_parked(options);
    }
    /// The member of that identity, as this change has it so far.
    [[nodiscard]] std::optional<backend_id> find(std::string_view identity) const { return draft_.find(identity); }
    /// False for an id that is gone; so are the others.
    bool remove(backend_id id) { return draft_.remove(id); }
    bool set_weight(backend_id id, weight w) { return draft_.set_weight(id, w); }
    bool set(backend_id id, condition c) {
        return draft_.has(id) && draft_.set_conditions(id, draft_.conditions_of(id).with(c));
    }
    bool clear(backend_id id, condition c) {
        return draft_.has(id) && draft_.set_conditions(id, draft_.conditions_of(id).without(c));
    }

    /// Throws std::invalid_argument for a threshold outside 0 to 100.
    void set_panic(const panic_options& options) {
        detail::check(options);
        draft_.set_panic(options);
    }

    /// As `registry_base::assign`.
    template <std::ranges::input_range Range>
    assign_result assign(Range&& wanted) {
        assign_result result;
        std::unordered_set<std::string> named;
        std::vector<backend_id> kept;
        // A container that is given away is moved from; a view is not: it only shows what is somebody else's.
        constexpr bool ours = !std::is_lvalue_reference_v<Range> && !std::ranges::view<std::remove_cvref_t<Range>>;
        for (auto&& entry : wanted) {
            if constexpr (ours)
                assign_entry(std::move(entry), named, kept, result);
            else
                assign_entry(std::forward<decltype(entry)>(entry), named, kept, result);
        }
        const auto& records = draft_.read().records;
        std::vector<bool> stays(records.size());
        for (const backend_id id : kept) stays[id.slot] = true;
        for (std::uint32_t i = 0; i < records.size(); ++i)
            if (records[i] != nullptr && !stays[i]) result.removed.push_back(records[i]->id);
        for (const backend_id id : result.removed) draft_.remove(id);
        return result;
    }

    registry_change(detail::hub& h, detail::draft& d) : hub_{h}, draft_{d} {}

private:
    template <class Entry>
    void assign_entry(Entry&& entry, std::unordered_set<std::string>& named, std::vector<backend_id>& kept,
                      assign_result& result) {
        if constexpr (std::same_as<std::remove_cvref_t<Entry>, Backend>)
            assign_one(std::forward<Entry>(entry), {}, named, kept, result);
        else if constexpr (requires {
                               { entry.second } -> std::convertible_to<const backend_options&>;
                           })
            assign_one(std::forward<Entry>(entry).first, entry.second, named, kept, result);
        else
            assign_one(Backend(std::forward<Entry>(entry)), {}, named, kept, result);
    }

    template <class Given>
    void assign_one(Given&& given, const backend_options& options, std::unordered_set<std::string>& named,
                    std::vector<backend_id>& kept, assign_result& result) {
        if constexpr (!std::same_as<std::remove_cvref_t<Given>, Backend>)
            return assign_one(Backend(std::forward<Given>(given)), options, named, kept, result);
        else
            assign_backend(std::forward<Given>(given), options, named, kept, result);
    }

    /// Those that stay are only looked at: nothing of theirs is copied, or destroyed under the lock.
    template <class Given>
    void assign_backend(Given&& backend, const backend_options& options, std::unordered_set<std::string>& named,
                        std::vector<backend_id>& kept, assign_result& result) {
        const auto name = options.identity ? options.identity : identity_of(std::as_const(backend));
        if (!name) detail::reject("assign needs an identity for each backend, to tell who stays");
        if (!named.insert(*name).second)
            detail::reject("the identity \"" + *name + "\" is in the list twice; identities are unique");
        if (const auto known = draft_.find(*name)) {
            bool changed = false;
            draft_.set_options(*known, options, changed);
            if (changed) result.changed.push_back(*known);
            kept.push_back(*known);
        } else {
            kept.push_back(add(Backend(std::forward<Given>(backend)), options));
            result.added.push_back(kept.back());
        }
    }

    detail::hub& hub_;
    detail::draft& draft_;
};

}  // namespace weir::inline WEIR_ABI
