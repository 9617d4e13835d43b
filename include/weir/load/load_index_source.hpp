#pragma once

#include "load_index.hpp"

#include <memory>

namespace weir::inline WEIR_ABI {

/// Where policies find the index when they build a table. Written under the registry's lock.
struct load_index_source {
    struct entry {
        std::shared_ptr<load_index> index;  // null: there is none for that view
        std::shared_ptr<const view> of;
    };
    entry current;
    entry next;  // of the update that is under way

    /// Null: there is none for this very view.
    [[nodiscard]] std::shared_ptr<load_index> of(const view& v) const {
        return next.of.get() == &v ? next.index : current.of.get() == &v ? current.index : nullptr;
    }
};

}  // namespace weir::inline WEIR_ABI
