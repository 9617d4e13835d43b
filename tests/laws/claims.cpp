#include "laws.hpp"

#include "support/counting.hpp"

using namespace weir_test::law;

TEST_CASE("law 5: picks and leases allocate nothing and take no lock") {
    each([](const subject& entry) {
        picks_allocate_nothing_and_take_no_lock(entry, [] { return costs{allocations, locks}; });
    });
}

TEST_CASE("the counters of this test count") {
    allocations = locks = 0;
    weir::registry<int> all;
    all.add(1);
    CHECK(allocations > 0);
#ifdef WEIR_TEST_COUNTS_LOCKS
    CHECK(locks > 0);
#endif
}
