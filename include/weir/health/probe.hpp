#pragma once

#include "../detail/record.hpp"

#include <chrono>
#include <cstdint>

namespace weir::inline WEIR_ABI {

/// One probe to make now, as `active_checker::due` wants it.
struct probe {
    backend_id id;
    std::uint64_t number = 0;             ///< tells its result from those of the probes before
    std::chrono::nanoseconds deadline{};  ///< a result that is not reported before it is a failure

    bool operator==(const probe&) const = default;
};

/// What "passed" means is the prober's business: a connect, a status, a body.
enum class probe_result : std::uint8_t { passed, failed };

}  // namespace weir::inline WEIR_ABI
