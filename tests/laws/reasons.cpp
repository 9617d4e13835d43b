#include "laws.hpp"

using namespace weir_test::law;

TEST_CASE("law 10: every reason and every error is on the lease and counted") { each(reasons_and_errors_are_counted); }
