#pragma once

#include "../load/peak_ewma.hpp"
#include "choices.hpp"

namespace weir::inline WEIR_ABI {

/// Two choices by latency times queue, with the peak EWMA: `choices<Backend, peak_ewma, 2>` under the name it goes by.
///
/// Rule: that of choices_policy; the load is the expected latency times the queue that is there. A pick reads the clock
/// unless it is told the time, and ending a lease reads it once, unless told the latency.
/// Complexity: O(1) a pick, two cache lines for each of the two drawn; O(n) an update. Ending a lease: O(1).
/// Memory: that of choices_policy; and a state of the metric a backend, shared by all selectors of a registry with an equal
/// metric.
/// Thread safety: picks write nothing that is shared, but that every start and end of a lease of the registry, by whatever
/// selector, writes the backend's state of the metric.
/// Bias: that of choices_policy. A peak is a decaying maximum: where backends differ in their tails, it prefers those
/// without one to faster ones, see `ewma`. While nothing queues the fastest of two drawn is always taken.
/// One backend: that one. None: the error.
/// Source: Finagle's p2cPeakEwma.
template <class Backend>
class p2c_peak_ewma : public choices<Backend, peak_ewma, 2> {
public:
    explicit p2c_peak_ewma(registry_base<Backend>& r, const selector_options& options = {})
        : p2c_peak_ewma{r, peak_ewma{}, options} {}
    explicit p2c_peak_ewma(registry_base<Backend>& r, const peak_ewma& m, const selector_options& options = {})
        : choices<Backend, peak_ewma, 2>{r, m, options} {}
};

template <class Registry, class... Options>
p2c_peak_ewma(Registry&, const Options&...) -> p2c_peak_ewma<typename Registry::backend_type>;

}  // namespace weir::inline WEIR_ABI
