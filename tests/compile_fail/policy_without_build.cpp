// expect: a policy has `table build(const weir::view&, const weir::before<table>*, const state&) const`
#include <weir/registry.hpp>
#include <weir/selector.hpp>

struct mine {
    struct table {};
    struct state {};
#ifdef WEIR_FIXED
    table build(const weir::view&, const weir::before<table>*, const state&) const { return {}; }
#else
    table build(const weir::view&) const { return {}; }
#endif
    template <class Accept>
    weir::choice choose(const weir::view&, const table&, state&, const weir::query&, Accept) const noexcept {
        return {};
    }
};

void use(weir::registry<int>& r) { weir::basic_selector<int, mine> s{r}; }
