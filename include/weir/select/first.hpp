#pragma once

#include "../detail/error.hpp"
#include "../selector.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace weir::inline WEIR_ABI {

struct first_options {
    /// Leases at once on one backend before the next one is used, at least 1; beside each one's own `max_in_flight`.
    std::uint32_t fill = unlimited;
};

/// Takes the first backend in order that has room, so that those at the end stay idle and can be switched off.
///
/// Rule: by `backend_options::priority`, the lowest first, then by slot: the order of adding, as long as nobody has
/// left; a newcomer may take the place of one that has. Priority comes first because slots are not the user's to choose. A backend has room while
/// it has fewer leases than its `max_in_flight` and than `fill`; without either the first takes everything. Weights do
/// not count, but for 0, which takes a backend out.
/// Complexity: O(backends that are full) a pick; O(n log n) an update where priorities differ. Memory: 4 bytes a backend
/// then, else none.
/// Thread safety: picks write nothing that is shared. Nobody exceeds its room: a pick reserves, or goes on to the next.
/// Bias: all of it: that is what it is for.
/// One backend: that one. None: the error; `overloaded` when all are full.
/// Source: HAProxy, `balance first`.
class first_policy {
public:
    /// Throws std::invalid_argument for a `fill` of 0.
    explicit first_policy(const first_options& options = {}) : fill_{options.fill} {
        if (fill_ == 0)
            detail::reject(
                "first: a fill of 0 is not at least 1; a weight of 0 or condition::disabled takes a backend out");
    }

    struct table {
        std::vector<std::uint32_t> order;  // empty: by slot
    };
    struct state {};

    [[nodiscard]] table build(const view& v, const before<table>*, const state&) const {
        const auto eligible = v.eligible();
        const auto earlier = [&](std::uint32_t a, std::uint32_t b) {
            return v.priority(a) != v.priority(b) ? v.priority(a) < v.priority(b) : a < b;
        };
        if (std::is_sorted(eligible.begin(), eligible.end(), earlier)) return {};
        table t{{eligible.begin(), eligible.end()}};
        std::sort(t.order.begin(), t.order.end(), earlier);
        return t;
    }

    template <class Accept>
    [[nodiscard]] choice choose(const view& v, const table& t, state&, const query&, Accept accept) const noexcept {
        bool full = false;
        for (const std::uint32_t i : t.order.empty() ? v.eligible() : std::span<const std::uint32_t>{t.order}) {
            if (!accept(i)) continue;
            if (fill_ == unlimited || v.in_flight(i) < fill_) return {.index = i, .bound = fill_};
            full = true;
        }
        return full ? choice::refused() : choice{};
    }

private:
    std::uint32_t fill_;
};

/// The selector of `first_policy`: `weir::first balancer{servers, weir::first_options{.fill = 100}};`
template <class Backend>
class first : public basic_selector<Backend, first_policy> {
public:
    explicit first(registry_base<Backend>& r, const first_options& f = {}, const selector_options& options = {})
        : basic_selector<Backend, first_policy>{r, first_policy{f}, options} {}
};

template <class Registry, class... Options>
first(Registry&, const Options&...) -> first<typename Registry::backend_type>;

}  // namespace weir::inline WEIR_ABI
