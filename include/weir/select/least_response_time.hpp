#pragma once

#include "../load/ewma.hpp"
#include "least_load.hpp"

namespace weir::inline WEIR_ABI {

/// Takes the backend with the least latency times queue of all: `least_load` by a latency metric, plain unless another is
/// named: `weir::least_response_time balancer{servers, weir::peak_ewma{}};`
///
/// Rule: that of least_load_policy; the load is the expected latency times the queue that is there, which is the metric's
/// to say. A pick reads the clock unless it is told the time, and ending a lease reads it once, unless told the latency.
/// Complexity: O(eligible) a pick, two cache lines a backend; with hundreds of backends p2c_peak_ewma is as good. O(n) an
/// update. Ending a lease: O(1).
/// Memory: 8 bytes a slot; and a state of the metric a backend, shared by all selectors of a registry with an equal metric.
/// Thread safety: picks write nothing that is shared, but that every start and end of a lease of the registry, by whatever
/// selector, writes the backend's state of the metric. Threads that pick at once may choose the same backend.
/// Bias: at rest none, the shares are the weights'. While nothing queues the fastest takes nearly all.
/// One backend: that one. None: the error.
/// Source: nginx least_time, (response time) x (1 + connections) / weight. There the whole is divided by the weight.
template <class Backend, metric Metric = ewma>
class least_response_time : public least_load<Backend, Metric> {
    static_assert(metric_reader<Metric>::timed, "weir: least_response_time compares a latency: name ewma or peak_ewma");

public:
    explicit least_response_time(registry_base<Backend>& r, const selector_options& options = {})
        : least_response_time{r, Metric{}, options} {}
    explicit least_response_time(registry_base<Backend>& r, const Metric& m, const selector_options& options = {})
        : least_load<Backend, Metric>{r, m, options} {}
};

template <class Registry>
least_response_time(Registry&) -> least_response_time<typename Registry::backend_type>;
template <class Registry>
least_response_time(Registry&, const selector_options&) -> least_response_time<typename Registry::backend_type>;
template <class Registry, metric Metric, class... Options>
least_response_time(Registry&, const Metric&, const Options&...)
    -> least_response_time<typename Registry::backend_type, Metric>;

}  // namespace weir::inline WEIR_ABI
