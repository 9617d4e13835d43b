// Catch2 2 keeps its runtime behind this macro: compiled once here, not once per test.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
