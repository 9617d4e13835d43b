#pragma once

#include <weir/detail/reader.hpp>

#include <cstdlib>
#include <string_view>

namespace weir_test {

/// WEIR_TEST_FENCE=portable runs a test as on a system without a process barrier; the first to decide wins.
inline const bool fence_chosen = [] {
    if (const char* wanted = std::getenv("WEIR_TEST_FENCE");
        wanted != nullptr && std::string_view{wanted} == "portable")
        weir::detail::process_domain.decide(weir::detail::fence_mode::portable);
    return true;
}();

}  // namespace weir_test
