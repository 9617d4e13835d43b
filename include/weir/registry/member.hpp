#pragma once

#include "../detail/error.hpp"
#include "../snapshot.hpp"
#include "../weight.hpp"

#include <cstdint>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::inline WEIR_ABI {

/// What `registry::add` and `assign` may be told about a backend.
struct backend_options {
    weir::weight weight = 1;                   ///< share of the traffic relative to the others'
    std::optional<std::string> identity = {};  ///< instead of the one that the backend itself has
    std::uint32_t max_in_flight = unlimited;   ///< leases at once, at least 1; above 2^20 it is 2^20
    std::uint32_t priority = 0;                ///< 0 comes first, for the adaptor `priority` and the selector `first`
    std::string zone = {};                     ///< where it is; empty: unknown; no selector of this version heeds it
};

namespace detail {

inline void check(const backend_options& options) {
    if (options.max_in_flight == 0)
        reject("max_in_flight 0 is not at least 1; a weight of 0 or condition::disabled takes a backend out");
}

}  // namespace detail

/// One backend as it stands: a copy, of a moment.
struct member {
    backend_id id;
    std::string identity;  ///< empty: it has none
    std::uint32_t weight = 0;
    weir::conditions conditions;
    bool eligible = false;  ///< by its conditions and weight, whether there is panic or not
    std::uint32_t in_flight = 0;
    std::uint32_t max_in_flight = unlimited;
    std::uint32_t priority = 0;
    std::string zone;
    outcome_counts outcomes;
};

enum class change_kind : std::uint8_t { added, removed, options, conditions };

[[nodiscard]] constexpr std::string_view to_string(change_kind value) noexcept {
    constexpr std::string_view names[] = {"added", "removed", "options", "conditions"};
    return static_cast<std::size_t>(value) < std::size(names) ? names[static_cast<std::size_t>(value)] : "unknown";
}

/// One change of one backend, told to observers after it was published.
struct change_event {
    change_kind kind;
    backend_id id;
    std::string identity;
    weir::conditions before;  ///< of `conditions` changes, else empty
    weir::conditions after;
    std::uint64_t version;  ///< of the publication that carries it
};

/// What `assign` did.
struct assign_result {
    std::vector<backend_id> added;
    std::vector<backend_id> removed;
    std::vector<backend_id> changed;  ///< stayed, with another weight, limit, priority or zone
};

}  // namespace weir::inline WEIR_ABI
