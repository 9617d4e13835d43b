#include "laws.hpp"

using namespace weir_test::law;

TEMPLATE_LIST_TEST_CASE("law 1: four errors, each distinct, in their order", "", every_selector) {
    errors_are_distinct_and_in_order<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 1, hardening 8: all down is an error, never a loop", "", every_selector) {
    all_down_is_an_error_not_a_loop<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 2: never ineligible, excluded or full, and never nobody where somebody may be chosen", "",
                        every_selector) {
    never_what_may_not_be_chosen<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 2, hardening 1: limits hold at every moment, and nothing is in flight at rest", "",
                        every_selector) {
    limits_hold_under_two_threads<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 3: shares are the weights, and a weight of 0 gets nothing", "", every_selector) {
    shares_are_the_weights<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 3: shares are right from the first pick on", "", every_selector) {
    shares_are_right_from_the_first_pick<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 3, hardening 5: the largest weights are exact, or refused", "", every_selector) {
    the_largest_weights_are_exact_or_refused<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 4, hardening 10: 99:1 stays 99:1 with an update every 10 picks", "", every_selector) {
    shares_survive_updates<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 4: an equal rotation goes on through random flapping, arrivals and departures", "",
                        every<kind::rotation>) {
    rotation_goes_on_through_random_flapping<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 4: a weighted rotation keeps every credit when weights change", "",
                        every<kind::rotation>) {
    rotation_keeps_credit_when_weights_change<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 4: leases in flight survive updates", "", every_selector) {
    leases_in_flight_survive_updates<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 5, hardening 6: a refused update changes nothing, not even the next picks", "",
                        every_selector) {
    a_refused_update_changes_nothing<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 6: a removed backend goes with its last lease, and idle threads keep nothing", "",
                        every_selector) {
    a_removed_backend_goes_with_its_last_lease<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 7: same seed, same clock, same calls: same picks", "", every_selector) {
    same_seed_same_picks<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 8: a history-free mapping is the same for any past and any order", "",
                        every<kind::keyed>) {
    a_mapping_has_no_history<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 8: other mappings are the same after the same past, or given the other's state", "",
                        every<kind::keyed>) {
    a_mapping_follows_from_its_history<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 8: losing a backend moves exactly its keys, and they come back", "", every<kind::keyed>) {
    losing_a_backend_moves_exactly_its_keys<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 8: any number of losses moves only the keys of the lost", "", every<kind::keyed>) {
    any_number_of_losses_moves_only_the_keys_of_the_lost<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 8: text is hashed into a key, and without a key the pick is a draw", "",
                        every<kind::keyed>) {
    text_keys_and_no_keys<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 9: any order of destruction is safe", "", every_selector) {
    any_order_of_destruction_is_safe<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 9: updates inside choose, an observer or a destructor wait for nobody", "",
                        every_selector) {
    updates_from_anywhere_do_not_deadlock<TestType>();
}
TEMPLATE_LIST_TEST_CASE("law 10: every reason and every error is on the lease and counted", "", every_selector) {
    reasons_and_errors_are_counted<TestType>();
}
TEMPLATE_LIST_TEST_CASE("every selector is one by the concept, over every shape of backend", "", every_selector) {
    a_selector_is_a_selector<TestType>();
}
