#include <weir/registry.hpp>

#include "catch.hpp"
#include "support/length.hpp"
#include "support/mortal.hpp"

#include <weir/select/least_load.hpp>
#include <weir/select/round_robin.hpp>

#include <cstdint>
#include <fstream>

// Sanitizers keep what is freed.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEIR_TEST_FREED_IS_KEPT
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WEIR_TEST_FREED_IS_KEPT
#endif
#endif

#if defined(__linux__)
#include <unistd.h>

namespace {

/// Resident bytes of this process.
std::int64_t resident() {
    std::int64_t size = 0, pages = 0;
    std::ifstream{"/proc/self/statm"} >> size >> pages;
    return pages * sysconf(_SC_PAGESIZE);
}

}  // namespace

TEST_CASE("adding and removing a million times leaves nothing behind") {
    using weir_test::mortal;
    mortal::alive = 0;
    weir::registry<mortal> backends;
    backends.add(mortal{0});
    weir::round_robin turns{backends};
    weir::least_connections least{backends};
    const auto cycle = [&](std::uint64_t count, std::uint64_t name) {
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto id = backends.add(mortal{name + i});
            auto lease = turns.pick();
            backends.remove(id);
            if (least.pick()) lease.complete(weir::outcome::success);
        }
    };
    const std::uint64_t cycles = weir_test::repetitions(1'000'000);
    cycle(cycles / 50, 1);
    const std::int64_t before = resident();
    cycle(cycles, cycles);
    const std::int64_t grown = resident() - before;
    WARN(cycles << " cycles: resident memory grew by " << grown << " bytes");
    CHECK(mortal::alive == 1);
#if !defined(WEIR_TEST_FREED_IS_KEPT)
    CHECK(grown < 1 << 20);
#endif
}
#endif
