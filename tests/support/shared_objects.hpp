#pragma once

#include "mortal.hpp"

#include <weir/registry.hpp>

// What two shared objects with hidden symbols offer the test: one owns and changes a registry, the other picks from it.

#define WEIR_TEST_EXPORT extern "C" __attribute__((visibility("default")))

using shared_registry = weir::registry<std::uint64_t>;

WEIR_TEST_EXPORT shared_registry* left_make();
WEIR_TEST_EXPORT void left_destroy(shared_registry*);
WEIR_TEST_EXPORT void left_replace_all(shared_registry*, std::uint64_t round);
WEIR_TEST_EXPORT const void* left_domain();

/// Picks in a loop until `*done`; returns how often a backend was not what it should be.
WEIR_TEST_EXPORT std::uint64_t right_pick_until(shared_registry*, const std::atomic<bool>* done, std::uint64_t* picks);
WEIR_TEST_EXPORT const void* right_domain();
/// The slot by which the calling thread reads that registry from the right.
WEIR_TEST_EXPORT const void* right_slot(shared_registry*);
