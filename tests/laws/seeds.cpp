#include "laws.hpp"

using namespace weir_test::law;

TEST_CASE("law 7: same seed, same clock, same calls: same picks") { each(same_seed_same_picks); }
