// expect: -ffast-math reorders the arithmetic that load estimates and shares rest on; compile without it
#ifndef WEIR_FIXED
#define __FAST_MATH__  // as the option does
#endif
#include <weir/load/metric.hpp>
