#include "laws.hpp"

using namespace weir_test::law;

TEST_CASE("law 6: a removed backend goes with its last lease, and idle threads keep nothing", "[threads]") {
    each(a_removed_backend_goes_with_its_last_lease);
}
TEST_CASE("law 9: any order of destruction is safe") { each(any_order_of_destruction_is_safe); }
TEST_CASE("law 9: updates inside choose, an observer or a destructor wait for nobody") {
    each(updates_from_anywhere_do_not_deadlock);
}
