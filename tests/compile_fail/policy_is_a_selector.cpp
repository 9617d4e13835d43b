// expect: this is a selector; name its policy, such as weir::ring_hash_policy
#include <weir/select/consistent_hash.hpp>

#ifdef WEIR_FIXED
using inner = weir::ring_hash_policy;
#else
using inner = weir::ring_hash<int>;
#endif

void use(weir::registry<int>& r) { weir::basic_selector<int, inner> s{r}; }
