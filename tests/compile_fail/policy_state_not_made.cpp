// expect: a policy's `state` is default-constructible, or made from (const Policy&, weir::metric_set&)
#include <weir/registry.hpp>
#include <weir/selector.hpp>

struct mine {
    struct table {};
    struct state {
#ifdef WEIR_FIXED
        state(const mine&, weir::metric_set&) {}
#else
        explicit state(int) {}
#endif
    };
    table build(const weir::view&, const weir::before<table>*, const state&) const { return {}; }
    template <class Accept>
    weir::choice choose(const weir::view&, const table&, state&, const weir::query&, Accept) const noexcept {
        return {};
    }
};

void use(weir::registry<int>& r) { weir::basic_selector<int, mine> s{r}; }
