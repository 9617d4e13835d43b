// expect: a registry holds backends by value: name the type itself, without const or &
#include <weir/registry.hpp>

#ifdef WEIR_FIXED
using backend = int;
#else
using backend = int&;
#endif

using made = weir::registry_base<backend>;
constexpr auto size = sizeof(made);
