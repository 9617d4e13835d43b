#pragma once

#include "../detail/record.hpp"
#include "../load/load_index.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

// What a registry wants to know at the very moment that leases begin and end: the index of loads, and whoever waits for
// room. Only records that have a `watch_cell` tell it; the others know nothing of it.
namespace weir::inline WEIR_ABI::detail {

/// What is written before it in one thread and read after it in another, and the other way round: one of them sees it.
inline void full_fence() noexcept {
#if defined(WEIR_THREAD_SANITIZER)  // which does not know fences
    static constinit std::atomic<int> both{0};
    both.fetch_add(1, std::memory_order_seq_cst);
#else
    std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

/// Inside a read section in which `r` stays, after a lease of it has ended: for those from `first` on that want to look.
inline void look_at(record_base& r, metric_cell* first) noexcept {
    for (; first != nullptr; first = first->next != nullptr ? first->next->looking : nullptr) first->on_ended(r);
}

class lease_watch : public std::enable_shared_from_this<lease_watch> {
public:
    using subscriber = std::function<void()>;

    explicit lease_watch(domain& d) noexcept : readers_{d} {}
    lease_watch(const lease_watch&) = delete;
    lease_watch& operator=(const lease_watch&) = delete;
    ~lease_watch() { delete waiting_.load(std::memory_order_relaxed); }

    std::atomic<const view*> seen{nullptr};   ///< what was published last; null once the registry is gone
    std::atomic<load_index*> index{nullptr};  ///< of that snapshot, if it has one

    /// The lease word of `r` has changed; inside a read section. Whoever has its slot now is looked at.
    void moved(const record_base& r) const noexcept {
        if (load_index* const i = index.load(std::memory_order_seq_cst)) i->refresh_slot(r.id.slot);
    }
    /// Ends a lease of `r`, whose `word` it is; those from `looking` on want to look at it afterwards.
    void end(record_base& r, lease_word& word, metric_cell* looking, outcome how) noexcept {
        domain& d = readers_;
        retired* due = nullptr;
        {
            const read_section section{d};
            // Without this lease only members are sure to stay until the section ends, and with them this watch.
            const bool stays = has(r);
            const bool last = end_lease(word, how);
            if (last) r.dispose();
            if (last || !stays) return;
            moved(r);
            look_at(r, looking);
            due = due_call();
        }
        if (due != nullptr) release_outside(d, due);
    }

    // Waiting for room. A pick that finds none says so (`refused`) before it looks for the last time; who makes room looks
    // afterwards whether somebody has said so (`freed`). In whichever order the two meet, one of them sees the other.

    /// Somebody wants to be told.
    [[nodiscard]] bool has_subscribers() const noexcept { return waiting_.load(std::memory_order_relaxed) != nullptr; }
    void refused() noexcept {
        if (!refused_.load(std::memory_order_seq_cst)) refused_.store(true, std::memory_order_seq_cst);
        full_fence();
    }
    /// There may be room now. Calls the subscribers if a pick was refused since their last call: at once, or, inside a
    /// read section, on the way out.
    void freed() noexcept {
        if (retired* const due = due_call()) release_outside(readers_, due);
    }

    /// Under the writer's lock; what is returned is retired without it.
    retired* subscribe(const std::shared_ptr<const subscriber>& one) {
        auto all = std::make_shared<subscribers>();
        const waiting* const before = waiting_.load(std::memory_order_relaxed);
        if (before != nullptr)
            for (const auto& known : *before->all)
                if (!known.expired()) all->push_back(known);
        all->push_back(one);
        auto next = std::make_unique<waiting>(std::move(all));
        return waiting_.exchange(next.release(), std::memory_order_seq_cst);
    }

private:
    using subscribers = std::vector<std::weak_ptr<const subscriber>>;

    struct waiting final : retired {
        explicit waiting(std::shared_ptr<const subscribers> s) : all{std::move(s)} {
            release = [](retired* self) noexcept { delete static_cast<waiting*>(self); };
        }
        const std::shared_ptr<const subscribers> all;
    };
    /// What the read section's end runs: there is one, so that telling allocates nothing.
    struct call final : retired {
        call() {
            release = [](retired* self) noexcept {
                auto& c = *static_cast<call*>(self);
                const auto watch = std::move(c.keep);
                watch->called_.exchange(false, std::memory_order_acq_rel);  // and so sees what others made room for
                watch->tell();
            };
        }
        std::shared_ptr<lease_watch> keep;  // while it is due
    };

    /// The call that is to be made now, if any; it keeps this watch until then.
    [[nodiscard]] retired* due_call() noexcept {
        if (!has_subscribers()) return nullptr;
        full_fence();
        if (!refused_.load(std::memory_order_seq_cst) || !refused_.exchange(false, std::memory_order_seq_cst))
            return nullptr;
        // A call that is due but has not begun is also for this.
        if (called_.exchange(true, std::memory_order_acq_rel)) return nullptr;
        call_.keep = shared_from_this();
        return &call_;
    }

    [[nodiscard]] bool has(const record_base& r) const noexcept {
        const view* const v = seen.load(std::memory_order_seq_cst);
        return v != nullptr && v->is_member(r.id.slot) && &v->record(r.id.slot) == &r;
    }

    void tell() const noexcept {
        std::shared_ptr<const subscribers> to;
        {
            const read_section section{readers_};
            to = waiting_.load(std::memory_order_seq_cst)->all;
        }
        for (const auto& weak : *to)
            if (const auto f = weak.lock()) (*f)();
    }

    domain& readers_;
    std::atomic<bool> refused_{false};
    std::atomic<bool> called_{false};
    std::atomic<waiting*> waiting_{nullptr};
    call call_;
};

/// Makes one record tell the watch of its registry.
struct watch_cell final : metric_cell {
    watch_cell(const record_base& r, std::shared_ptr<lease_watch> w) noexcept : record_{r}, owner_{std::move(w)} {
        pool = owner_.get();
        watch = owner_.get();
    }
    void on_start(std::chrono::nanoseconds) noexcept override { owner_->moved(record_); }
    void on_end(outcome, std::chrono::nanoseconds, std::chrono::nanoseconds,
                std::chrono::nanoseconds) noexcept override {}
    void on_eligible(bool) noexcept override {}

private:
    const record_base& record_;
    const std::shared_ptr<lease_watch> owner_;
};

}  // namespace weir::inline WEIR_ABI::detail
