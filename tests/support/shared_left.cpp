#include "shared_objects.hpp"

WEIR_TEST_EXPORT shared_registry* left_make() { return new shared_registry; }
WEIR_TEST_EXPORT void left_destroy(shared_registry* r) { delete r; }
WEIR_TEST_EXPORT void left_replace_all(shared_registry* r, std::uint64_t round) {
    r->update([&](auto& change) {
        std::vector<weir::backend_id> old;
        for (const auto& m : r->members()) old.push_back(m.id);
        for (const auto id : old) change.remove(id);
        for (std::uint64_t i = 0; i < 4; ++i) change.add(std::uint64_t{round * 4 + i});
    });
}
WEIR_TEST_EXPORT const void* left_domain() { return &weir::detail::process_domain; }
