#include "laws.hpp"

using namespace weir_test::law;

TEST_CASE("law 2: never ineligible, excluded or full, and never nobody where somebody may be chosen") {
    each(never_what_may_not_be_chosen);
}
TEST_CASE("law 2: who is out is never picked, whichever way a pick goes") { each(who_is_out_is_never_picked); }
TEST_CASE("law 2: panic, where asked for, ignores health and nothing else, and the lease says so") {
    each(panic_ignores_health_alone);
}
TEST_CASE("law 2, hardening 1: limits hold at every moment, and nothing is in flight at rest", "[threads]") {
    each(limits_hold_under_two_threads);
}
TEST_CASE("law 2: whoever is refused is told of room", "[threads]") { each(whoever_is_refused_is_told_of_room); }
