#pragma once

#include "metric.hpp"

namespace weir::inline WEIR_ABI {

/// The metric of least connections: leases that have not ended. Keeps no state and reads no clock.
struct in_flight {
    [[nodiscard]] constexpr std::uint32_t score(const load_reading& reading) const noexcept {
        return reading.in_flight;
    }
};

static_assert(stateless_metric<in_flight>);

}  // namespace weir::inline WEIR_ABI
