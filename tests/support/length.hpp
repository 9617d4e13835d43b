#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace weir_test {

/// `full` repetitions, shortened to the percentage in the environment variable WEIR_TEST_LENGTH: a sanitizer takes its
/// time, and finds what it finds in fewer rounds.
inline std::uint64_t repetitions(std::uint64_t full) {
    const char* text = std::getenv("WEIR_TEST_LENGTH");
    const std::uint64_t percent = text != nullptr ? std::strtoull(text, nullptr, 10) : 100;
    return (std::max<std::uint64_t>)(1, full / 100 * percent + full % 100 * percent / 100);
}

}  // namespace weir_test
