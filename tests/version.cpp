#include <weir/version.hpp>

#include "catch.hpp"

#include <string>

TEST_CASE("the version is the one that CMake reads from the header") {
    const std::string version = std::to_string(WEIR_VERSION_MAJOR) + '.' + std::to_string(WEIR_VERSION_MINOR) + '.' +
                                std::to_string(WEIR_VERSION_PATCH);
    CHECK(version == WEIR_TEST_VERSION);
}
