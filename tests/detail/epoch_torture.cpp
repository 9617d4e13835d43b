#include <weir/detail/epoch.hpp>
#include <weir/random.hpp>

#include "catch.hpp"
#include "support/length.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

// The store-buffer litmus of publication: a reader announces itself and loads the pointer, a writer exchanges the pointer
// and looks for announcements. If both miss, an object is released while a section that loaded it is open.

namespace {

using weir::detail::fence_mode;
using weir::detail::retired;

struct node : retired {
    std::atomic<std::uint64_t> stamp{1};  // odd: released; even: published, or waiting to be released
    node() {
        release = [](retired* self) noexcept {
            static_cast<node*>(self)->stamp.fetch_add(1, std::memory_order_acq_rel);
        };
    }
};

struct outcome {
    std::uint64_t updates = 0;
    std::uint64_t sections = 0;
    std::uint64_t broken = 0;  // sections in which the object was released, or had been before
};

/// Two threads that share a processor see each other's stores in order: each gets its own, where the system allows.
void stay_on(unsigned processor) {
#if defined(__linux__)
    cpu_set_t allowed, one;
    if (pthread_getaffinity_np(pthread_self(), sizeof allowed, &allowed) != 0) return;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(cpu, &allowed) || processor-- > 0) continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        (void)pthread_setaffinity_np(pthread_self(), sizeof one, &one);
        return;
    }
#else
    (void)processor;
#endif
}

/// One reader and one writer of a domain over `Atomics`, for so many updates, or until something broke.
template <class Atomics>
outcome run(fence_mode mode, std::uint64_t updates) {
    using domain = weir::detail::epoch_domain<Atomics>;
    const auto d = std::make_unique<domain>();
    d->decide(mode);
    REQUIRE(d->mode() == mode);
    std::vector<node> nodes(64);
    nodes[0].stamp = 2;
    std::atomic<node*> published{&nodes[0]};
    std::atomic<bool> reading{false}, done{false};
    std::atomic<std::uint64_t> broken{0}, sections{0};

    std::thread reader{[&] {
        stay_on(0);
        auto* const slot = d->claim(1);
        // Stores that miss the caches hold up those behind them: the announcement stays in the store buffer for long.
        constexpr std::size_t lines = 1 << 17;
        std::vector<std::uint64_t> ballast(lines * 8);
        weir::generator random{1};
        std::uint64_t count = 0;
        do {
            for (int i = 0; i < 6; ++i) ballast[random.below(lines) * 8] = count;
            if (mode == fence_mode::asymmetric)
                d->enter(*slot);
            else
                d->enter_portable(*slot);
            const node* const seen = published.load(std::memory_order_seq_cst);
            const std::uint64_t before = seen->stamp.load(std::memory_order_acquire);
            std::uint64_t after = before;
            for (int i = 0; i < 20; ++i) after = seen->stamp.load(std::memory_order_acquire);
            if (before % 2 == 1 || after != before) broken.fetch_add(1, std::memory_order_relaxed);
            if (mode == fence_mode::asymmetric)
                d->leave(*slot);
            else
                d->leave_portable(*slot);
            ++count;
            reading.store(true, std::memory_order_relaxed);
        } while (!done.load(std::memory_order_relaxed));
        sections = count;
    }};

    outcome result;
    std::thread writer{[&] {
        stay_on(1);
        while (!reading.load(std::memory_order_relaxed)) std::this_thread::yield();  // it has to meet somebody
        std::size_t next = 0;
        for (; result.updates < updates && broken.load(std::memory_order_relaxed) == 0; ++result.updates) {
            node* fresh = nullptr;
            while (fresh == nullptr) {  // one that has been released: all but those that wait for the reader
                next = (next + 1) % nodes.size();
                if (nodes[next].stamp.load(std::memory_order_acquire) % 2 == 1) fresh = &nodes[next];
            }
            fresh->stamp.fetch_add(1, std::memory_order_relaxed);
            d->retire(published.exchange(fresh, std::memory_order_seq_cst), nullptr);
        }
    }};
    writer.join();
    done = true;
    reader.join();
    result.sections = sections;
    result.broken = broken;
    return result;
}

/// The planted fault: the barrier that is not there.
struct unfenced : weir::detail::std_atomics {
    static bool process_barrier() noexcept { return true; }
};

}  // namespace

TEST_CASE("nothing is released while a section that may see it is open, with barriers by the kernel", "[threads]") {
    weir::detail::epoch_domain<> probe;
    probe.decide();
    if (probe.mode() != fence_mode::asymmetric) {
        WARN("this kernel offers no process barrier: only the portable mode is tested");
        return;
    }
    const outcome o = run<weir::detail::std_atomics>(fence_mode::asymmetric, weir_test::repetitions(300'000));
    INFO(o.updates << " updates, " << o.sections << " sections");
    CHECK(o.broken == 0);
    CHECK(o.sections > 0);
}

TEST_CASE("nothing is released while a section that may see it is open, with portable fences", "[threads]") {
    const outcome o = run<weir::detail::std_atomics>(fence_mode::portable, weir_test::repetitions(10'000'000));
    INFO(o.updates << " updates, " << o.sections << " sections");
    CHECK(o.broken == 0);
    CHECK(o.sections > 0);
}

#if !defined(WEIR_THREAD_SANITIZER) && !defined(__SANITIZE_ADDRESS__)
TEST_CASE("the litmus test sees a publication without its fence", "[threads]") {
    if (std::thread::hardware_concurrency() < 2) {
        WARN("one processor reorders nothing between threads: not tested");
        return;
    }
    const outcome o = run<unfenced>(fence_mode::asymmetric, 60'000'000);
    INFO(o.updates << " updates, " << o.sections << " sections");
    CHECK(o.broken > 0);
}
#endif
