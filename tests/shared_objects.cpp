#include "support/shared_objects.hpp"

#include "catch.hpp"
#include "support/length.hpp"

#include <atomic>
#include <thread>

#if defined(__linux__)
#include <sys/wait.h>
#include <unistd.h>
#endif

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

#if defined(__linux__) && !defined(WEIR_THREAD_SANITIZER)
namespace {
/// Whether one of so many threads at once is given a slot that has an owner.
bool takes(const void* slot, shared_registry* servers, int threads) {
    bool taken = false;
    std::thread{[&] {
        taken = right_slot(servers) == slot || (threads > 1 && takes(slot, servers, threads - 1));
    }}.join();
    return taken;
}
}  // namespace

TEST_CASE("a forked child keeps the slots that its thread has claimed by another shared object", "[threads]") {
    shared_registry* const servers = left_make();
    left_replace_all(servers, 0);
    const void* const mine = right_slot(servers);
    REQUIRE(mine != nullptr);
    const pid_t child = fork();
    if (child == 0) {
        ::_exit((right_slot(servers) == mine ? 0 : 1) | (takes(mine, servers, 8) ? 2 : 0));
    }
    REQUIRE(child > 0);
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    left_destroy(servers);
}
#endif
