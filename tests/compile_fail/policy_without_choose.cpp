// expect: a policy has `template <class Accept> weir::choice choose(
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
    std::uint32_t choose(const weir::view&) const noexcept { return 0; }
#endif
};

void use(weir::registry<int>& r) { weir::basic_selector<int, mine> s{r}; }
