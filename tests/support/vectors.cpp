#include "vectors.hpp"

std::string weir_test::vectors_folder() { return WEIR_TEST_VECTORS "/"; }
