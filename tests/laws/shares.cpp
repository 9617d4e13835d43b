#include "laws.hpp"

using namespace weir_test::law;

TEST_CASE("law 3: shares are the weights, and a weight of 0 gets nothing") { each(shares_are_the_weights); }
TEST_CASE("law 3: shares are right from the first pick on") { each(shares_are_right_from_the_first_pick); }
TEST_CASE("law 3, hardening 5: the largest weights are exact, or refused") {
    each(the_largest_weights_are_exact_or_refused);
}
