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
    // The domain and slot of most sections, if they need no fence; null before the first and after the last.
    domain* fast_domain;
    domain::slot* fast_slot;
    static constexpr int most_domains = 4;  // one is usual; a further one for each shared object with hidden symbols
    membership memberships[most_domains];
    std::uint64_t random;  // the default generator's counter
    bool watched;          // the end of the thread will be noticed
    bool ended;            // ... and has been: no slots any more
};

inline constinit thread_local thread_context this_thread{};
inline constinit thread_local int shared_sections = 0;  // of this thread, under the shared slot

/// Seeds the thread's generator from what differs between threads, processes and runs.
WEIR_NEVER_INLINE inline void seed_this_thread() noexcept {
    static constinit std::atomic<std::uint64_t> threads{0};
    const auto time = std::chrono::steady_clock::now().time_since_epoch().count();
    const auto wall = std::chrono::system_clock::now().time_since_epoch().count();
    this_thread.random = scramble(threads.fetch_add(weyl_step, std::memory_order_relaxed) ^
                                  scramble(static_cast<std::uint64_t>(time)) ^
                                  scramble(static_cast<std::uint64_t>(wall)) ^
                                  reinterpret_cast<std::uintptr_t>(&this_thread)) |
                         1;
}

/// 64 random bits of the thread's generator, wherever it stands.
inline std::uint64_t thread_random() noexcept {
    if (this_thread.random == 0) seed_this_thread();
    return scramble(this_thread.random += weyl_step);
}

/// In a forked child, in the thread that forked: forget the others, and do not repeat the parent's random numbers.
inline void after_fork() noexcept {
    process_domain.forget_other_threads(os::this_thread_number(), static_cast<std::uint64_t>(shared_sections));
    seed_this_thread();
}

struct end_of_thread {
    ~end_of_thread() {
        this_thread.ended = true;
        this_thread.fast_domain = nullptr;
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
        if (domain::slot* const fresh = d.claim(os::this_thread_number())) {
            m = {&d, fresh};
            if (this_thread.fast_domain == nullptr && d.mode() == fence_mode::asymmetric) {
                this_thread.fast_domain = &d;
                this_thread.fast_slot = fresh;
            }
        }
        return m.slot;
    }
    return nullptr;
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
    explicit read_section(domain& d) noexcept : domain_{d}, slot_{find_slot(d)} {
        if (slot_ == nullptr) {
            slot_ = &d.shared();
            ++shared_sections;
            d.enter_shared();
        } else if (slot_->epoch.load(std::memory_order_relaxed) != 0) {
            slot_ = nullptr;  // the outermost section keeps all alive
        } else if (d.mode() == fence_mode::asymmetric) {
            d.enter(*slot_);
        } else {
            d.enter_portable(*slot_);
        }
    }
    ~read_section() {
        if (slot_ == nullptr) return;
        if (slot_ == &domain_.shared()) {
            --shared_sections;
            domain_.leave_shared();
        } else if (domain_.mode() == fence_mode::asymmetric) {
            domain_.leave(*slot_);
        } else {
            domain_.leave_portable(*slot_);
        }
    }
    read_section(const read_section&) = delete;
    read_section& operator=(const read_section&) = delete;

    /// Which of the counters' stripes is this thread's own; nested sections and threads without a slot share the last.
    [[nodiscard]] std::uint32_t stripe() const noexcept { return slot_ != nullptr ? slot_->index : ~std::uint32_t{0}; }

private:
    domain& domain_;
    domain::slot* slot_;
};

/// The same where it is usual: the thread has its slot, no fence is needed, and this is its outermost section. Two plain
/// stores; a pick that would have to ask which kind of section it is in takes a path of its own.
class usual_section {
public:
    /// Whether the next section of the calling thread, whose `fast_slot` this is, is of this kind.
    [[nodiscard]] WEIR_ALWAYS_INLINE static bool is_next(const domain& d, const domain::slot* slot) noexcept {
        return this_thread.fast_domain == &d && slot->epoch.load(std::memory_order_relaxed) == 0;
    }

    WEIR_ALWAYS_INLINE usual_section(domain& d, domain::slot& slot) noexcept : domain_{d}, slot_{slot} {
        domain_.enter(slot_);
    }
    WEIR_ALWAYS_INLINE ~usual_section() { domain_.leave(slot_); }
    usual_section(const usual_section&) = delete;
    usual_section& operator=(const usual_section&) = delete;

    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t stripe() const noexcept { return slot_.index; }

private:
    domain& domain_;
    domain::slot& slot_;
};

/// Hands `object`, which no reader can see, to its release: now, or on the way out if this thread is inside a section.
inline void release_outside(domain& d, retired* object) noexcept {
    if (domain::slot* const own = open_slot_in(d); own != nullptr || shared_sections > 0)
        d.defer(object, own);
    else
        object->release(object);
}

}  // namespace weir::inline WEIR_ABI::detail
