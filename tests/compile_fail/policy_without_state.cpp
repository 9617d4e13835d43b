// expect: a policy names `struct state`
#include <weir/registry.hpp>
#include <weir/selector.hpp>

struct mine {
    struct table {};
#ifdef WEIR_FIXED
    struct state {};
    table build(const weir::view&, const weir::before<table>*, const state&) const { return {}; }
    template <class Accept>
    weir::choice choose(const weir::view&, const table&, state&, const weir::query&, Accept) const noexcept {
        return {};
    }
#endif
};

void use(weir::registry<int>& r) { weir::basic_selector<int, mine> s{r}; }
