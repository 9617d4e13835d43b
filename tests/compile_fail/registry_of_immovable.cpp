// expect: a backend is moved into the registry: give it a move constructor, or hold it by unique_ptr
#include <weir/registry.hpp>

#include <memory>

struct connection {
    connection() = default;
    connection(const connection&) = delete;
};
#ifdef WEIR_FIXED
using backend = std::unique_ptr<connection>;
#else
using backend = connection;
#endif

using made = weir::registry_base<backend>;
constexpr auto size = sizeof(made);
