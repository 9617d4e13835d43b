#pragma once

// Everything but what needs Boost (weir/asio/). To read in an hour: selector.hpp, select/round_robin.hpp,
// select/choices.hpp, registry.hpp.

#include "adapt/bounded_load.hpp"
#include "condition.hpp"
#include "fwd.hpp"
#include "hash.hpp"
#include "hashing/ring_table.hpp"
#include "identity.hpp"
#include "lease.hpp"
#include "load/in_flight.hpp"
#include "load/peak_ewma.hpp"
#include "outcome.hpp"
#include "policy.hpp"
#include "random.hpp"
#include "registry.hpp"
#include "select/choices.hpp"
#include "select/consistent_hash.hpp"
#include "select/least_load.hpp"
#include "select/random.hpp"
#include "select/round_robin.hpp"
#include "selector.hpp"
#include "tables/alias_table.hpp"
#include "tables/smooth_sequence.hpp"
#include "tables/weighted_intervals.hpp"
#include "version.hpp"
#include "weight.hpp"
