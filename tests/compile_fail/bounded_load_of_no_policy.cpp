// expect: a policy names `struct table`
#include <weir/adapt/bounded_load.hpp>
#include <weir/select/consistent_hash.hpp>

#ifdef WEIR_FIXED
using inner = weir::ring_hash_policy;
#else
struct inner {};
#endif

weir::bounded_load<inner> use();
using factor = decltype(use().capacity(0, 0, 0));
