#pragma once

#include "config.hpp"

// The only header that includes the operating system's own. Private.

#if defined(__linux__)
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
#include <intrin.h>
#elif defined(__x86_64__) && !defined(_MSC_VER)
#include <cpuid.h>
#endif

#include <cstdint>

namespace weir::inline WEIR_ABI::detail::os {

/// Asks the kernel for barriers on demand; false where it has none or a sandbox forbids them.
inline bool register_process_barrier() noexcept {
#if defined(__linux__) && defined(SYS_membarrier)
    return ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
#else
    return false;
#endif
}

/// A full barrier on every running thread of this process; false if the kernel refused it.
inline bool process_barrier() noexcept {
#if defined(__linux__) && defined(SYS_membarrier)
    const auto barrier = [] { return ::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0; };
    return barrier() || (register_process_barrier() && barrier());
#else
    return false;
#endif
}

/// The calling thread's own number, the same in a forked child; not 0. Where nobody forks all have one.
inline std::uintptr_t this_thread_number() noexcept {
#if defined(__unix__) || defined(__APPLE__)
    return (std::uintptr_t)::pthread_self();  // a number or a pointer, by system
#else
    return 1;
#endif
}

/// Has `child` called in each forked child, in the thread that forked.
inline void at_fork_in_child(void (*child)()) noexcept {
#if defined(__unix__) || defined(__APPLE__)
    (void)::pthread_atfork(nullptr, nullptr, child);
#else
    (void)child;
#endif
}

#if defined(__x86_64__) && !defined(_MSC_VER)
inline constexpr bool has_cycles = true;
/// The processor's cycle counter, read without waiting for what stands before.
WEIR_ALWAYS_INLINE std::uint64_t cycles() noexcept { return __builtin_ia32_rdtsc(); }
/// Whether it runs at one rate, asleep or awake. Asks the processor, which a virtual machine makes slow.
inline bool cycles_are_steady() noexcept {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1u << 8)) != 0;
}
#else
inline constexpr bool has_cycles = false;
inline std::uint64_t cycles() noexcept { return 0; }
inline bool cycles_are_steady() noexcept { return false; }
#endif

/// Tells the processor that this thread spins.
inline void pause() noexcept {
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
    _mm_pause();
#elif defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace weir::inline WEIR_ABI::detail::os
