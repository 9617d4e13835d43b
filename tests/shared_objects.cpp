#include "support/shared_objects.hpp"

#include "catch.hpp"
#include "support/length.hpp"

#include <atomic>
#include <thread>

TEST_CASE("shared objects that hide their symbols read a registry safely from both", "[threads]") {
    CHECK(left_domain() != right_domain());  // else this test tests nothing
    shared_registry* const servers = left_make();
    left_replace_all(servers, 0);
    std::atomic<bool> done{false};
    std::uint64_t wrong = 1, picks = 0;
    std::thread reader{[&] { wrong = right_pick_until(servers, &done, &picks); }};
    const std::uint64_t rounds = weir_test::repetitions(20'000);
    for (std::uint64_t i = 1; i <= rounds; ++i) left_replace_all(servers, i);
    done = true;
    reader.join();
    CHECK(wrong == 0);
    CHECK(picks > 0);
    CHECK(servers->size() == 4);
    left_destroy(servers);
}
