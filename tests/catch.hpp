#pragma once

// Tests are written for Catch2 3; this makes them compile with Debian 12's version 2 as well. Use `Approx` unqualified
// and `ContainsSubstring` from Catch::Matchers.

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
namespace Catch::Matchers {
inline auto ContainsSubstring(const std::string& text) { return Contains(text); }
inline auto ContainsSubstring(const std::string& text, CaseSensitive::Choice choice) { return Contains(text, choice); }
}  // namespace Catch::Matchers
#endif
