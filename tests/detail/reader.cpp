#include <weir/detail/reader.hpp>

#include "catch.hpp"
#include "support/fence.hpp"
#include "support/mortal.hpp"

#include <weir/registry.hpp>
#include <weir/select/round_robin.hpp>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sys/wait.h>
#include <unistd.h>
#endif

// The life of readers: threads that come and go, that end, that hang, that cannot have a slot; processes that fork.

using weir_test::mortal;

static std::atomic<bool> memory_is_out{false};

// Slots are the only thing the library allocates without throwing. Not inlined: g++ would compare new with free.
#define WEIR_TEST_NOINLINE __attribute__((noinline))
#ifdef WEIR_THREAD_SANITIZER  // brings all of these together; the linker wraps one
#define WEIR_TEST_NEW wrapped_new
void* wrapped_new(std::size_t, std::align_val_t, const std::nothrow_t&) noexcept
    __asm__("__wrap__ZnwmSt11align_val_tRKSt9nothrow_t");
#else
#define WEIR_TEST_NEW operator new
#endif
WEIR_TEST_NOINLINE void* WEIR_TEST_NEW(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    if (memory_is_out) return nullptr;
    const auto align = static_cast<std::size_t>(alignment);
    return std::aligned_alloc(align, (size + align - 1) / align * align);
}
#ifndef WEIR_THREAD_SANITIZER
WEIR_TEST_NOINLINE void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
WEIR_TEST_NOINLINE void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
WEIR_TEST_NOINLINE void* operator new(std::size_t size, std::align_val_t alignment) {
    const auto align = static_cast<std::size_t>(alignment);
    if (void* p = std::aligned_alloc(align, (size + align - 1) / align * align)) return p;
    throw std::bad_alloc{};
}
#endif

namespace {

struct pool {
    weir::registry<mortal> backends;
    weir::backend_id first = backends.add(mortal{1});
    weir::backend_id second = backends.add(mortal{2});
    weir::round_robin<mortal> turns{backends};
};

/// Picks when it is destroyed; says whether that went well.
struct picks_at_its_end {
    const weir::round_robin<mortal>* turns = nullptr;
    std::atomic<int>* good = nullptr;
    ~picks_at_its_end() {
        if (turns == nullptr) return;
        if (auto lease = turns->pick(); lease && lease->lives()) ++*good;
    }
};

/// Picks after main has returned: a failure ends the process with a code that ctest sees.
struct picks_after_main {
    pool all;
    ~picks_after_main() {
        auto lease = all.turns.pick();
        if (!lease || !lease->lives()) std::_Exit(70);
        all.backends.remove(lease.id());
        lease.complete(weir::outcome::success);
        if (all.backends.size() != 1) std::_Exit(71);
    }
};
picks_after_main last_words;

}  // namespace

TEST_CASE("threads that come and go by the thousand use a handful of slots", "[threads]") {
    pool p;
    std::atomic<int> picked{0};
    for (int i = 0; i < 2'000; ++i) {
        std::thread a{[&] { picked += p.turns.pick() ? 1 : 0; }};
        std::thread b{[&] { picked += p.turns.pick() ? 1 : 0; }};
        a.join();
        b.join();
    }
    CHECK(picked == 4'000);
    auto* const slot = weir::detail::process_domain.claim(1);
    REQUIRE(slot != nullptr);
    CHECK(slot->index < 8);
    weir::detail::process_domain.unclaim(*slot);
}

TEST_CASE("picks from thread_local destructors work, before and after the thread gave its slot back", "[threads]") {
    pool p;
    std::atomic<int> good{0};
    std::thread{[&] {
        static thread_local picks_at_its_end older;  // destroyed after the reader's own
        older.turns = &p.turns;
        older.good = &good;
        (void)p.turns.pick();
        static thread_local picks_at_its_end younger;
        younger.turns = &p.turns;
        younger.good = &good;
    }}.join();
    CHECK(good == 2);
    CHECK(p.backends.members().front().in_flight == 0);
}

TEST_CASE("an idle thread keeps nothing alive", "[threads]") {
    mortal::alive = 0;
    pool p;
    std::atomic<bool> picked{false}, done{false};
    std::thread idle{[&] {
        (void)p.turns.pick();
        picked = true;
        while (!done) std::this_thread::yield();
    }};
    while (!picked) std::this_thread::yield();
    p.backends.remove(p.first);
    CHECK(mortal::alive == 1);
    done = true;
    idle.join();
}

TEST_CASE("an update does not wait for a reader that lingers: the reader frees on its way out", "[threads]") {
    mortal::alive = 0;
    pool p;
    std::atomic<bool> inside{false}, go{false};
    std::atomic<int> lived{0};
    std::thread reader{[&] {
        p.turns.choose([&](mortal& m) {
            inside = true;
            while (!go) std::this_thread::yield();
            lived += m.lives() ? 1 : 0;
        });
    }};
    while (!inside) std::this_thread::yield();
    for (const auto& m : p.backends.members()) p.backends.remove(m.id);  // would hang here if it waited
    CHECK(p.backends.size() == 0);
    CHECK(mortal::alive == 2);  // the reader may see both
    go = true;
    reader.join();
    CHECK(lived == 1);
    CHECK(mortal::alive == 0);
}

TEST_CASE("what two lingering readers hold goes with the last of them", "[threads]") {
    mortal::alive = 0;
    pool p;
    std::atomic<int> inside{0};
    std::atomic<bool> go[2]{};
    std::vector<std::thread> readers;
    for (auto& g : go)
        readers.emplace_back([&] {
            p.turns.choose([&](mortal&) {
                ++inside;
                while (!g) std::this_thread::yield();
            });
        });
    while (inside != 2) std::this_thread::yield();
    p.backends.remove(p.first);
    p.backends.remove(p.second);
    for (int i = 0; i < 2; ++i) {
        CHECK(mortal::alive == 2);
        go[i] = true;
        readers[static_cast<std::size_t>(i)].join();
    }
    CHECK(mortal::alive == 0);
}

TEST_CASE("an update from inside choose takes effect and frees when choose is left") {
    mortal::alive = 0;
    pool p;
    p.turns.choose([&](mortal& m) {
        p.backends.remove(p.first);
        p.backends.remove(p.second);
        CHECK(mortal::alive == 2);
        CHECK(m.lives());
        CHECK(p.turns.pick().error() == weir::pick_error::empty);
    });
    CHECK(mortal::alive == 0);
}

TEST_CASE("a backend is destroyed outside read sections, even if its last lease goes inside one") {
    struct witness {
        std::shared_ptr<int> where;
        explicit witness(std::shared_ptr<int> w) : where{std::move(w)} {}
        witness(witness&&) noexcept = default;
        ~witness() {
            if (where) *where = weir::detail::open_slot_in(weir::detail::process_domain) == nullptr ? 1 : 2;
        }
    };
    auto where = std::make_shared<int>(0);
    weir::registry<witness> backends;
    const auto id = backends.add(witness{where});
    weir::round_robin turns{backends};
    auto lease = turns.pick();
    pool other;
    other.turns.choose([&](mortal&) {
        backends.remove(id);
        lease.complete(weir::outcome::success);
        CHECK(*where == 0);
    });
    CHECK(*where == 1);
}

TEST_CASE("sections nest, of one registry and of several") {
    pool p, q;
    int reached = 0;
    p.turns.choose([&](mortal&) {
        q.turns.choose([&](mortal&) {
            if (auto lease = p.turns.pick(); lease && lease->lives()) ++reached;
        });
        p.turns.choose([&](mortal&) { ++reached; });
    });
    CHECK(reached == 2);
}

TEST_CASE("a selector destroyed by the function that it runs is destroyed safely") {
    pool p;
    std::optional<weir::round_robin<mortal>> own{p.backends};
    const auto& handle = *own;
    CHECK(handle.choose([&](mortal& m) {
        own.reset();
        CHECK(m.lives());
    }) == weir::pick_error::none);
}

TEST_CASE("without memory for a slot, threads pick under the shared one", "[threads]") {
    mortal::alive = 0;
    pool p;
    std::vector<weir::detail::domain::slot*> taken;
    memory_is_out = true;
    while (auto* const slot = weir::detail::process_domain.claim(1)) taken.push_back(slot);
    std::atomic<bool> inside{false}, go{false};
    std::atomic<int> lived{0};
    std::thread reader{[&] {
        if (auto lease = p.turns.pick()) lived += lease->lives() ? 1 : 0;
        p.turns.choose([&](mortal& m) {
            inside = true;
            while (!go) std::this_thread::yield();
            lived += m.lives() ? 1 : 0;
        });
    }};
    while (!inside) std::this_thread::yield();
    p.backends.remove(p.first);
    p.backends.remove(p.second);
    CHECK(mortal::alive == 2);
    go = true;
    reader.join();
    CHECK(lived == 2);
    CHECK(mortal::alive == 0);
    memory_is_out = false;
    for (auto* const slot : taken) weir::detail::process_domain.unclaim(*slot);
}

#if defined(__linux__) && !defined(WEIR_THREAD_SANITIZER)
TEST_CASE("a forked child picks and updates, and waits for no section of the threads that are gone", "[threads]") {
    mortal::alive = 0;
    pool p;
    std::atomic<bool> inside{false}, go{false};
    std::thread reader{[&] {
        p.turns.choose([&](mortal&) {
            inside = true;
            while (!go) std::this_thread::yield();
        });
    }};
    while (!inside) std::this_thread::yield();
    const auto random = weir::detail::this_thread.random;
    const pid_t child = fork();
    if (child == 0) {
        int faults = 0;
        if (!p.turns.pick()) faults |= 1;
        if (weir::detail::this_thread.random == random) faults |= 2;  // would repeat the parent's choices
        p.backends.remove(p.first);
        if (mortal::alive != 1) faults |= 4;
        p.backends.remove(p.second);
        if (mortal::alive != 0) faults |= 8;
        if (p.turns.pick().error() != weir::pick_error::empty) faults |= 16;
        ::_exit(faults);
    }
    REQUIRE(child > 0);
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    go = true;
    reader.join();
    CHECK(mortal::alive == 2);
}
#endif
