#include "laws.hpp"

using namespace weir_test::law;

TEST_CASE("law 4, hardening 10: 99:1 stays 99:1 with an update every 10 picks") { each(shares_survive_updates); }
TEST_CASE("law 4: an equal rotation goes on through random flapping, arrivals and departures") {
    each(rotation_goes_on_through_random_flapping, kind::rotation);
}
TEST_CASE("law 4: a weighted rotation keeps every credit when weights change") {
    each(rotation_keeps_credit_when_weights_change, kind::rotation);
}
TEST_CASE("law 4: leases in flight survive updates") { each(leases_in_flight_survive_updates); }
TEST_CASE("law 4, hardening 6: a refused update changes nothing, not even the next picks") {
    each(a_refused_update_changes_nothing);
}
