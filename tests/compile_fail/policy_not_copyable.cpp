// expect: a policy is a copyable value
#include <weir/registry.hpp>
#include <weir/selector.hpp>

struct mine {
#ifndef WEIR_FIXED
    mine() = default;
    mine(mine&&) = default;
#endif
    struct table {};
    struct state {};
    table build(const weir::view&, const weir::before<table>*, const state&) const { return {}; }
    template <class Accept>
    weir::choice choose(const weir::view&, const table&, state&, const weir::query&, Accept) const noexcept {
        return {};
    }
};

void use(weir::registry<int>& r) { weir::basic_selector<int, mine> s{r}; }
