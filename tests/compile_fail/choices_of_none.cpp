// expect: choices compares at least 2 backends; one draw is weir::random
#include <weir/select/choices.hpp>

#ifdef WEIR_FIXED
constexpr std::uint32_t d = 2;
#else
constexpr std::uint32_t d = 0;
#endif

void use(weir::registry<int>& r) { weir::choices<int, weir::in_flight, d> s{r}; }
