// expect: choices compares at most 16 backends; to compare all use weir::least_load
#include <weir/select/choices.hpp>

#ifdef WEIR_FIXED
constexpr std::uint32_t d = 16;
#else
constexpr std::uint32_t d = 17;
#endif

void use(weir::registry<int>& r) { weir::choices<int, weir::in_flight, d> s{r}; }
