#pragma once

#include <weir/detail/config.hpp>

#include <atomic>
#include <cstdlib>
#include <new>

#if defined(__linux__) && !defined(WEIR_THREAD_SANITIZER) && !defined(__SANITIZE_ADDRESS__)
#define WEIR_TEST_COUNTS_LOCKS
#include <dlfcn.h>
#include <pthread.h>
#endif

// Counts every allocation and every mutex of this thread. Once in a program: it replaces the global operators.

static thread_local int allocations = 0, locks = 0;

#define WEIR_TEST_NOINLINE __attribute__((noinline))
WEIR_TEST_NOINLINE void* operator new(std::size_t size) {
    ++allocations;
    if (void* p = std::malloc(size)) return p;
    throw std::bad_alloc{};
}
WEIR_TEST_NOINLINE void* operator new(std::size_t size, std::align_val_t alignment) {
    ++allocations;
    const auto align = static_cast<std::size_t>(alignment);
    if (void* p = std::aligned_alloc(align, (size + align - 1) / align * align)) return p;
    throw std::bad_alloc{};
}
// A sanitizer brings its own of these, which would not go with our delete.
WEIR_TEST_NOINLINE void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    ++allocations;
    return std::malloc(size);
}
WEIR_TEST_NOINLINE void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    ++allocations;
    const auto align = static_cast<std::size_t>(alignment);
    return std::aligned_alloc(align, (size + align - 1) / align * align);
}
WEIR_TEST_NOINLINE void operator delete(void* p) noexcept { std::free(p); }
WEIR_TEST_NOINLINE void operator delete(void* p, std::size_t) noexcept { std::free(p); }
WEIR_TEST_NOINLINE void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
WEIR_TEST_NOINLINE void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

#ifdef WEIR_TEST_COUNTS_LOCKS
extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) {
    using function = int (*)(pthread_mutex_t*);
    static constinit std::atomic<function> real{nullptr};  // without the guard of a static, which may take a mutex
    if (real.load() == nullptr) real.store(reinterpret_cast<function>(dlsym(RTLD_NEXT, "pthread_mutex_lock")));
    ++locks;
    return real.load()(mutex);
}
#endif
