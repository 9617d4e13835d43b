#include "shared_objects.hpp"

#include <weir/select/round_robin.hpp>

WEIR_TEST_EXPORT std::uint64_t right_pick_until(shared_registry* r, const std::atomic<bool>* done,
                                                std::uint64_t* picks) {
    weir::round_robin turns{*r};
    weir::registry<int> own;  // of this object's own domain: the thread reads in both
    own.add(7);
    weir::round_robin others{own};
    std::uint64_t wrong = 0;
    for (*picks = 0; !done->load(std::memory_order_relaxed); ++*picks) {
        const auto error = turns.choose([&](std::uint64_t& b) {
            const std::uint64_t before = b;
            if (others.choose([](int&) {}) != weir::pick_error::none) ++wrong;
            if (b != before) ++wrong;  // freed, and used again, while this section may see it
        });
        if (error != weir::pick_error::none) ++wrong;
        if (auto lease = turns.pick(); !lease) ++wrong;
    }
    return wrong;
}
WEIR_TEST_EXPORT const void* right_slot(shared_registry* r) { return weir::detail::find_slot(r->hub()->readers); }
WEIR_TEST_EXPORT const void* right_domain() { return &weir::detail::process_domain; }
