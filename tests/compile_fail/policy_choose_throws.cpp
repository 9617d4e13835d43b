// expect: a policy's `choose` is noexcept: picks never throw
#include <weir/registry.hpp>
#include <weir/selector.hpp>

struct mine {
    struct table {};
    struct state {};
    table build(const weir::view&, const weir::before<table>*, const state&) const { return {}; }
#ifdef WEIR_FIXED
    template <class Accept>
    weir::choice choose(const weir::view&, const table&, state&, const weir::query&, Accept) const noexcept {
        return {};
    }
#else
    template <class Accept>
    weir::choice choose(const weir::view&, const table&, state&, const weir::query&, Accept) const {
        return {};
    }
#endif
};

void use(weir::registry<int>& r) { weir::basic_selector<int, mine> s{r}; }
