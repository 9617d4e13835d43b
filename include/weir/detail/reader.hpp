#pragma once

#include "../random.hpp"
#include "epoch.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>

// The thread's side of publication: its slot, found without a lock and given back when the thread ends.
namespace weir::inline WEIR_ABI::detail {

using domain = epoch_domain<std_atomics>;

/// The process's domain. Registries point at the one that they were made with, and readers reach it through them: two
/// shared objects built with hidden symbols have two of these, and must agree for each registry all the same.
/// Constant-initialized and never destroyed, so that picks work in static constructors and destructors.
inline constinit domain process_domain;

/// What a thread keeps. Trivially destructible: usable until the very end of the thread.
struct thread_context {
    struct membership {
        domain* where;
        domain::slot* slot;
    };
    static constexpr int most_domains = 4;  // one is usual; a further one for each shared object with hidden symbols
    membership memberships[most_domains];
    std::uint64_t random;  // the default generator's counter
    bool watched;          // the end of the thread will be noticed
    bool ended;            // ... and has been: no slots any more
};

inline constinit thread_local thread_context this_thread{};

/// Seeds the thread's generator from what differs between threads, processes and runs.
WEIR_NEVER_INLINE inline void seed_this_thread() noexcept {
    static constinit std::atomic<std::uint64_t> threads{0};
    const auto time = std::chrono::steady_clock::now().time_since_epoch().count();
    const auto wall = std::chrono::system_clock::now().time_since_epoch().count();
    this_thread.random = scramble(threads.fetch_add(weyl_step, std::memory_order_relaxed) ^
                                  scramble(static_cast<std::uint64_t>(time)) ^ scramble(static_cast<std::uint64_t>(wall)) ^
                                  reinterpret_cast<std::uintptr_t>(&this_thread)) |
                         1;
}

/// In a forked child, in the thread that forked: forget the others, and do not repeat the parent's random numbers.
inline void after_fork() noexcept {
    domain::slot* own = nullptr;
    for (const auto& m : this_thread.memberships)
        if (m.where == &process_domain) own = m.slot;
    process_domain.forget_other_threads(own);
    seed_this_thread();
}

struct end_of_thread {
    ~end_of_thread() {
        this_thread.ended = true;
        for (auto& m : this_thread.memberships) {
            // A destructor that runs inside a section (exit() from within choose) leaves its slot behind.
            if (m.slot != nullptr && m.slot->epoch.load(std::memory_order_relaxed) == 0) m.where->unclaim(*m.slot);
            m = {};
        }
    }
};

/// Called before the first reader of a process; idempotent.
inline void prepare_process_domain() noexcept {
    static const bool once = (process_domain.decide(), os::at_fork_in_child(&after_fork), true);
    (void)once;
}

/// The thread's slot in `d`: claims one at its first visit. Null: read under the shared one.
WEIR_NEVER_INLINE inline domain::slot* find_slot(domain& d) noexcept {
    if (this_thread.random == 0) seed_this_thread();
    if (this_thread.ended) return nullptr;
    for (auto& m : this_thread.memberships) {
        if (m.where == &d) return m.slot;
        if (m.where != nullptr) continue;
        if (!this_thread.watched) {
            static thread_local end_of_thread watch;
            (void)&watch;
            this_thread.watched = true;
        }
        if (domain::slot* const fresh = d.claim()) m = {&d, fresh};
        return m.slot;
    }
    return nullptr;
}

WEIR_ALWAYS_INLINE domain::slot* slot_in(domain& d) noexcept {
    const auto& first = this_thread.memberships[0];
    return first.where == &d ? first.slot : find_slot(d);
}

/// The slot of a thread that is inside a section of `d`; null if it is outside or has none.
inline domain::slot* open_slot_in(domain& d) noexcept {
    for (const auto& m : this_thread.memberships)
        if (m.where == &d && m.slot->epoch.load(std::memory_order_relaxed) != 0) return m.slot;
    return nullptr;
}

/// A read section: what was published when it began stays until it ends. Nests. Must end on the thread it began on.
class read_section {
public:
    WEIR_ALWAYS_INLINE explicit read_section(domain& d) noexcept : domain_{d}, slot_{slot_in(d)} {
        if (slot_ == nullptr) [[unlikely]]
            enter_shared();
        else if (slot_->epoch.load(std::memory_order_relaxed) == 0) [[likely]]
            d.enter(*slot_);
        else
            nested_ = true;
    }
    WEIR_ALWAYS_INLINE ~read_section() {
        if (nested_) [[unlikely]] {
            return;
        }
        if (slot_ != nullptr) [[likely]]
            domain_.leave(*slot_);
        else
            leave_shared();
    }
    read_section(const read_section&) = delete;
    read_section& operator=(const read_section&) = delete;

    /// Which of the counters' stripes is this thread's own; the last one is for all who have none.
    [[nodiscard]] std::uint32_t stripe() const noexcept { return slot_ != nullptr ? slot_->index : ~std::uint32_t{0}; }

private:
    WEIR_NEVER_INLINE void enter_shared() noexcept {
        ++shared_depth;
        domain_.enter_shared();
    }
    WEIR_NEVER_INLINE void leave_shared() noexcept {
        --shared_depth;
        domain_.leave_shared();
    }

    domain& domain_;
    domain::slot* slot_;
    bool nested_ = false;

public:
    static inline constinit thread_local int shared_depth = 0;  // sections of this thread under the shared slot
};

/// Hands `object`, which no reader can see, to its release: now, or on the way out if this thread is inside a section.
inline void release_outside(domain& d, retired* object) noexcept {
    if (domain::slot* const own = open_slot_in(d); own != nullptr || read_section::shared_depth > 0)
        d.defer(object, own);
    else
        object->release(object);
}

}  // namespace weir::inline WEIR_ABI::detail
