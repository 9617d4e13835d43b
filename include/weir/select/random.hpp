#pragma once

#include "../selector.hpp"
#include "../tables/weighted_draw.hpp"

namespace weir::inline WEIR_ABI {

/// Draws at random, in proportion to the weights.
///
/// Complexity: O(1) a pick; O(n) an update. Memory: 8 to 16 bytes a backend where weights differ, else none.
/// Thread safety: picks write nothing that is shared.
/// Bias: probabilities are off by at most 2^-32. Where something is excluded or full, up to 8 further draws, then a
/// weighted draw over all that are left, so shares among those stay proportional.
/// One backend: that one. None: the error.
/// Source: Walker's alias method.
struct random_policy {
    using table = weighted_draw;
    struct state {};
    static constexpr bool eligible_only = true;
    using always_chooses = random_policy;

    [[nodiscard]] table build(const view& v, const before<table>*, const state&) const { return weighted_draw{v}; }

    template <class Accept>
    [[nodiscard]] WEIR_ALWAYS_INLINE choice choose(const view& v, const table& t, state&, const query& q,
                                                   Accept accept) const noexcept {
        if constexpr (std::same_as<Accept, detail::accept_any>) return {.index = t.draw(v, q.random())};
        if (t.size() == 0) return {};
        // Of the draws that exclusion repeats, 8 leave one in 256 to the rescue when half the weight is excluded.
        for (int tries = 0; tries < 8; ++tries)
            if (const std::uint32_t i = t.draw(v, q.random()); accept(i))
                return {.index = i, .reason = tries == 0 ? pick_reason::chosen : pick_reason::rerouted};
        return {};
    }
};

/// The selector of `random_policy`.
template <class Backend>
class random : public basic_selector<Backend, random_policy> {
public:
    explicit random(registry_base<Backend>& r, const selector_options& options = {})
        : basic_selector<Backend, random_policy>{r, {}, options} {}
};

template <class Registry, class... Options>
random(Registry&, const Options&...) -> random<typename Registry::backend_type>;

/// The same: every selector honours weights.
template <class Backend>
using weighted_random = random<Backend>;

}  // namespace weir::inline WEIR_ABI
