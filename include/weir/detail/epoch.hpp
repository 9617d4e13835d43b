#pragma once

#include "os.hpp"

#include <atomic>
#include <cstdint>
#include <new>

// Publication: how a pick may read what a writer replaces, without a lock, a count or a wait.
//
// A reader announces an epoch in a slot of its own, loads a pointer, uses it, and withdraws. A writer exchanges the
// pointer, advances the epoch, and may free the old object once no slot shows an epoch at or below the one it ended.
// The one ordering that a processor does not give for nothing is "announce, then load" in the reader; it pairs with
// "exchange, then look at the slots" in the writer. Where the kernel offers it, the writer pays for both sides
// (membarrier: a barrier on every running thread) and the reader's store is a plain one; elsewhere the reader's store
// is a sequentially consistent exchange. The same pairing, the other way round, guards leaving: a writer that finds a
// slot lingering does not wait but hands it the object, and looks again; either it sees that the reader has left and
// takes the object back, or the reader sees the object on its way out and frees it, or hands it on.
//
// A template over its atomics, so that a model checker or a test with a planted fault can run it.
namespace weir::inline WEIR_ABI::detail {

/// Something to be freed when no reader can see it: embedded in, or first member of, the object itself.
struct retired {
    retired* next = nullptr;
    std::uint64_t epoch = 0;
    void (*release)(retired*) noexcept = nullptr;
};

enum class fence_mode : int { undecided, portable, asymmetric };

struct std_atomics {
    template <class T>
    using atomic = std::atomic<T>;
    static void compiler_fence() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }
    static bool process_barrier() noexcept { return os::process_barrier(); }
    static bool register_process_barrier() noexcept { return os::register_process_barrier(); }
    static void pause() noexcept { os::pause(); }
};

template <class Atomics = std_atomics>
class epoch_domain {
    template <class T>
    using atomic = typename Atomics::template atomic<T>;

public:
    /// One reader's announcement. A line of its own: only its owner writes it in the course of reading.
    struct alignas(cache_line) slot {
        atomic<std::uint64_t> epoch{0};  ///< 0 outside; else the epoch in which the section began
        atomic<retired*> handed{nullptr};
        atomic<std::uintptr_t> owner{0};  ///< the thread, by the number that the system gives it; 0: free
        std::uint32_t index = 0;
    };

    constexpr epoch_domain() noexcept { shared_.index = ~std::uint32_t{0}; }
    epoch_domain(const epoch_domain&) = delete;
    epoch_domain& operator=(const epoch_domain&) = delete;

    /// Chooses how readers and writers order themselves; the first call decides, before the first reader.
    void decide(fence_mode wanted = fence_mode::asymmetric) noexcept {
        if (mode_.load(std::memory_order_acquire) != fence_mode::undecided) return;
        if (wanted == fence_mode::asymmetric && !Atomics::register_process_barrier()) wanted = fence_mode::portable;
        fence_mode none = fence_mode::undecided;
        mode_.compare_exchange_strong(none, wanted, std::memory_order_acq_rel);
    }
    [[nodiscard]] fence_mode mode() const noexcept { return mode_.load(std::memory_order_relaxed); }

    /// A slot for `owner`, not 0; null if memory is out.
    [[nodiscard]] slot* claim(std::uintptr_t owner) noexcept {
        for (block* b = &first_;;) {
            for (slot& s : b->slots)
                if (std::uintptr_t nobody = 0;
                    s.owner.load(std::memory_order_relaxed) == 0 &&
                    s.owner.compare_exchange_strong(nobody, owner, std::memory_order_acq_rel))
                    return &s;
            block* next = b->next.load(std::memory_order_acquire);
            if (next == nullptr) {
                auto* fresh = new (std::nothrow) block;
                if (fresh == nullptr) return nullptr;
                for (std::uint32_t i = 0; i < block_size; ++i)
                    fresh->slots[i].index = b->slots[block_size - 1].index + 1 + i;
                if (b->next.compare_exchange_strong(next, fresh, std::memory_order_acq_rel))
                    next = fresh;
                else
                    delete fresh;
            }
            b = next;
        }
    }
    /// Gives a slot back; its owner is outside.
    void unclaim(slot& s) noexcept { s.owner.store(0, std::memory_order_release); }

    /// Begins the section of a slot that is outside. With asymmetric fences; `enter_portable` is for the others.
    WEIR_ALWAYS_INLINE void enter(slot& s) noexcept {
        // release, so that whoever sees this epoch also sees the section before it as ended
        s.epoch.store(epoch_.load(std::memory_order_acquire), std::memory_order_release);
        Atomics::compiler_fence();
    }
    WEIR_ALWAYS_INLINE void leave(slot& s) noexcept {
        s.epoch.store(0, std::memory_order_release);
        Atomics::compiler_fence();
        collect(s);
    }
    void enter_portable(slot& s) noexcept {
        s.epoch.exchange(epoch_.load(std::memory_order_acquire), std::memory_order_seq_cst);
    }
    void leave_portable(slot& s) noexcept {
        s.epoch.exchange(0, std::memory_order_seq_cst);
        collect(s);
    }

    /// Sections of threads that cannot have a slot (memory is out, or the thread is ending) share one that counts.
    [[nodiscard]] slot& shared() noexcept { return shared_; }
    void enter_shared() noexcept { shared_.epoch.fetch_add(1, std::memory_order_seq_cst); }
    void leave_shared() noexcept {
        if (shared_.epoch.fetch_sub(1, std::memory_order_seq_cst) == 1) collect(shared_);
    }

    /// Frees `object` when no reader can see it any more: now, later here, or in the reader that lingers. The object is
    /// no longer reachable from any published pointer. Never waits for a reader: a short spin, then it is handed over.
    /// `own` is the caller's slot if it has one: being inside itself, it is not spun for.
    void retire(retired* object, const slot* own) noexcept {
        object->epoch = epoch_.fetch_add(1, std::memory_order_seq_cst);
        if (!barrier()) {  // the kernel took the barrier back: keep it until one succeeds, rather than guess
            push(limbo_, object);
            return;
        }
        object->next = limbo_.load(std::memory_order_relaxed) == nullptr
                           ? nullptr
                           : limbo_.exchange(nullptr, std::memory_order_acq_rel);
        settle(object, own, spins);
    }

    /// Leaves `object`, which no other reader can see, for the calling reader to free on its way out of its section.
    void defer(retired* object, slot* own) noexcept {
        object->epoch = 0;
        push((own != nullptr ? own : &shared_)->handed, object);
    }

    /// In a forked child: the other threads are gone, and nobody may wait for their sections. The slots of `self`, the calling
    /// thread, stay, whichever shared object claimed them; `shared_sections` are its own under the shared slot.
    void forget_other_threads(std::uintptr_t self, std::uint64_t shared_sections) noexcept {
        for_each_slot([&](slot& s) {
            if (s.owner.load(std::memory_order_relaxed) == self) return false;
            s.epoch.store(&s == &shared_ ? shared_sections : 0, std::memory_order_relaxed);
            s.owner.store(0, std::memory_order_relaxed);
            for (retired* list = take(s); list != nullptr;) {
                retired* const one = list;
                list = list->next;
                push(limbo_, one);
            }
            return false;
        });
    }

    [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_.load(std::memory_order_acquire); }

private:
    static constexpr std::uint32_t block_size = 64;
    static constexpr int spins = 64;  // a section takes nanoseconds: one that outlasts this has lost its processor

    struct block {
        slot slots[block_size];
        atomic<block*> next{nullptr};
        constexpr block() noexcept {
            for (std::uint32_t i = 0; i < block_size; ++i) slots[i].index = i;
        }
    };

    static void push(atomic<retired*>& list, retired* object) noexcept {
        retired* head = list.load(std::memory_order_relaxed);
        do object->next = head;
        while (!list.compare_exchange_weak(head, object, std::memory_order_seq_cst, std::memory_order_relaxed));
    }

    /// On the way out: what was handed over meanwhile.
    WEIR_ALWAYS_INLINE void collect(slot& s) noexcept {
        if (s.handed.load(std::memory_order_seq_cst) != nullptr) [[unlikely]]
            settle_handed(s);
    }
    WEIR_NEVER_INLINE void settle_handed(slot& s) noexcept { settle(take(s), nullptr, 0); }

    static retired* take(slot& s) noexcept { return s.handed.exchange(nullptr, std::memory_order_seq_cst); }

    bool barrier() noexcept {
        if (mode() == fence_mode::asymmetric) return Atomics::process_barrier();
        portable_fence_.exchange(0, std::memory_order_seq_cst);
        return true;
    }

    template <class F>
    slot* for_each_slot(F&& stop) noexcept {
        for (block* b = &first_; b != nullptr; b = b->next.load(std::memory_order_acquire))
            for (slot& s : b->slots)
                if (stop(s)) return &s;
        return stop(shared_) ? &shared_ : nullptr;
    }

    /// A slot whose section may see what epoch `ended` retired. The shared slot's count is below every epoch.
    static bool lingers(const slot& s, std::uint64_t ended) noexcept {
        const std::uint64_t seen = s.epoch.load(std::memory_order_seq_cst);
        return seen != 0 && seen <= ended;
    }

    WEIR_NEVER_INLINE void settle(retired* list, const slot* own, int patience) noexcept {
        while (list != nullptr) {
            retired* const object = list;
            list = list->next;
            slot* const holder = for_each_slot([&](slot& s) {
                for (int i = &s == own ? 0 : patience; lingers(s, object->epoch); --i) {
                    if (i <= 0) return true;
                    Atomics::pause();
                }
                return false;
            });
            if (holder == nullptr) {
                object->release(object);
                continue;
            }
            const std::uint64_t ended = object->epoch;  // once it is handed over, its reader may free it
            push(holder->handed, object);
            // Its reader will see it on its way out. (Without the barrier: at the latest on the next one.)
            if (!barrier() || lingers(*holder, ended)) continue;
            // The reader may have left without seeing it: whoever takes the list now, it is taken once.
            for (retired* back = take(*holder); back != nullptr;) {
                retired* const one = back;
                back = back->next;
                one->next = list;
                list = one;
            }
        }
    }

    // One above any number of threads: the shared slot counts its readers in a word that others read as an epoch.
    static constexpr std::uint64_t first_epoch = std::uint64_t{1} << 32;

    alignas(cache_line) atomic<std::uint64_t> epoch_{first_epoch};
    atomic<fence_mode> mode_{fence_mode::undecided};
    alignas(cache_line) atomic<retired*> limbo_{nullptr};
    atomic<int> portable_fence_{0};
    slot shared_{};
    block first_{};
};

}  // namespace weir::inline WEIR_ABI::detail
