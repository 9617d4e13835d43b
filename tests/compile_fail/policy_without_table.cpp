// expect: a policy names `struct table`
#include <weir/registry.hpp>
#include <weir/selector.hpp>

struct mine {
    struct state {};
#ifdef WEIR_FIXED
    struct table {};
    table build(const weir::view&, const weir::before<table>*, const state&) const { return {}; }
    template <class Accept>
    weir::choice choose(const weir::view&, const table&, state&, const weir::query&, Accept) const noexcept {
        return {};
    }
#endif
};

void use(weir::registry<int>& r) { weir::basic_selector<int, mine> s{r}; }
