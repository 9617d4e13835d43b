#include "laws.hpp"

using namespace weir_test::law;

TEST_CASE("law 8: a history-free mapping is the same for any past and any order") {
    each(a_mapping_has_no_history, kind::keyed);
    each(a_mapping_has_no_history, kind::dialect);
}
TEST_CASE("law 8: losing a backend moves exactly its keys, and they come back") {
    each(losing_a_backend_moves_exactly_its_keys, kind::keyed);
    each(losing_a_backend_moves_exactly_its_keys, kind::dialect);  // by its health
}
TEST_CASE("law 8: any number of losses moves only the keys of the lost") {
    each(any_number_of_losses_moves_only_the_keys_of_the_lost, kind::keyed);
}
TEST_CASE("law 8: text is hashed into a key, and without a key the pick is a draw") {
    each(text_keys_and_no_keys, kind::keyed);
}
