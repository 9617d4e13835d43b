#pragma once

#include "../load/peak_ewma.hpp"
#include "choices.hpp"

namespace weir::inline WEIR_ABI {

/// Two choices by latency times queue, with the peak EWMA: `choices<Backend, peak_ewma, 2>` under the name it goes by.
///
/// Rule, complexity, thread safety and bias: choices_policy with the metric `peak_ewma`. A pick reads the clock unless it
/// is told the time, and ending a lease reads it once.
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
