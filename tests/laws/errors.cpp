#include "laws.hpp"

using namespace weir_test::law;

TEST_CASE("law 1: four errors, each distinct, in their order") { each(errors_are_distinct_and_in_order); }
TEST_CASE("law 1, hardening 8: all down is an error, never a loop") { each(all_down_is_an_error_not_a_loop); }
