#pragma once

#include "../hashing/churn.hpp"
#include "../registry.hpp"
#include "consistent_hash.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

/// What an update would move, before it is published: takes the function that `registry.update` would take, runs it,
/// and takes all of it back. Nobody sees it: no selector, no observer, no pick.
///
///     const auto report = weir::churn(nodes, balancer, [&](auto& change) { change.remove(id); }, 1'000'000);
///     if (report.excess() == 0) nodes.update(...);
///
/// Keys belong to backends whatever their condition: setting conditions moves nothing here. Backends that the function
/// adds are made, and destroyed again.
/// Complexity: that of an update, under the writer's lock; then, without it, one table and O(sample) look-ups.
/// Throws what the update would throw, and std::invalid_argument for a selector of another registry.
template <class Backend, class Table, class F>
[[nodiscard]] churn_report churn(registry_base<Backend>& r,
                                 const basic_selector<Backend, consistent_hash_policy<Table>>& selector, F&& change,
                                 const key_sample& sample) {
    struct side {
        std::vector<std::string> identities;
        std::vector<hash_member> members;

        void copy(const view& v) {
            members = consistent_hash_policy<Table>::members_of(v);
            identities.reserve(members.size());
            for (hash_member& m : members) m.identity = identities.emplace_back(m.identity);
        }
    };
    side before, after;
    std::shared_ptr<const Table> table;
    r.rehearse(std::forward<F>(change), [&](const view& now, const view& next) {
        (void)selector.inspect([&](const view& seen, const auto& t) {
            if (&seen == &now) table = t.mapping;
        });
        if (table == nullptr) return;
        before.copy(now);
        after.copy(next);
    });
    if (table == nullptr) detail::reject("churn: the selector is not one of this registry");
    const std::shared_ptr<const Table> next = selector.policy().make(after.members, table.get());
    return churn(mapping<Table>{*table, before.members}, mapping<Table>{*next, after.members}, sample);
}

}  // namespace weir::inline WEIR_ABI
