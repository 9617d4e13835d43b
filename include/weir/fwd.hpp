#pragma once

#include "version.hpp"

#include <cstdint>

// Names alone, for headers that only pass weir's types on.
namespace weir::inline WEIR_ABI {

enum class condition : std::uint16_t;
enum class outcome : std::uint8_t;
enum class pick_error : std::uint8_t;
enum class pick_reason : std::uint8_t;

struct backend_id;
struct backend_options;
struct pick_options;

template <class Backend>
class lease;
template <class Backend>
class registry_base;
template <class Backend, class Clock>
class registry;
template <class Backend, class Policy>
class basic_selector;

}  // namespace weir::inline WEIR_ABI
