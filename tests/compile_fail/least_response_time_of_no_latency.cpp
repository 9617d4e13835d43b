// expect: least_response_time compares a latency: name ewma or peak_ewma
#include <weir/select/least_response_time.hpp>

#ifdef WEIR_FIXED
using metric = weir::ewma;
#else
using metric = weir::in_flight;
#endif

void use(weir::registry<int>& r) { weir::least_response_time s{r, metric{}}; }
