#pragma once

#include "../registry/hub.hpp"

#include <atomic>
#include <memory>
#include <utility>

// How the end of a backend's last lease is noticed, without a cost to the leases of other backends.
namespace weir::inline WEIR_ABI::detail {

/// What is called once, when the backend that it waits for has no lease: outside read sections, without a lock, by whoever
/// ended the last one.
struct idle_waiter : retired {
    idle_waiter* below = nullptr;  // in the stack of those who wait

    virtual void idle() noexcept = 0;
    idle_waiter() {
        release = [](retired* self) noexcept {
            const std::unique_ptr<idle_waiter> waiter{static_cast<idle_waiter*>(self)};
            waiter->idle();
        };
    }
    idle_waiter(const idle_waiter&) = delete;
    idle_waiter& operator=(const idle_waiter&) = delete;
    virtual ~idle_waiter() = default;
};

/// Those who wait for one backend: a stack, shared with the backend's record.
class idle_stack {
public:
    explicit idle_stack(domain& d) noexcept : readers_{d} {}
    idle_stack(const idle_stack&) = delete;
    idle_stack& operator=(const idle_stack&) = delete;
    ~idle_stack() {
        for (idle_waiter* w = top_.load(std::memory_order_relaxed); w != nullptr;) {
            const std::unique_ptr<idle_waiter> doomed{w};
            w = w->below;
        }
    }

    void push(idle_waiter* one) noexcept {
        push(one, one);
        if (gone_.load(std::memory_order_seq_cst)) call_all();
    }
    /// The record is destroyed: nobody can have a lease of it.
    void gone() noexcept {
        gone_.store(true, std::memory_order_seq_cst);
        call_all();
    }
    /// Calls them if the backend is at rest. Whoever looks while another has taken the stack sees none; so the other looks
    /// again when it has put them back.
    void look(record_base& r) noexcept {
        while (top_.load(std::memory_order_acquire) != nullptr && r.leases().at_rest()) {
            idle_waiter* const taken = top_.exchange(nullptr, std::memory_order_acq_rel);
            if (taken == nullptr) return;
            if (r.leases().at_rest()) {  // also since the last of them came
                call(taken);
            } else {
                idle_waiter* last = taken;
                while (last->below != nullptr) last = last->below;
                push(taken, last);
            }
        }
    }

private:
    void push(idle_waiter* first, idle_waiter* last) noexcept {
        idle_waiter* top = top_.load(std::memory_order_relaxed);
        do last->below = top;
        while (!top_.compare_exchange_weak(top, first, std::memory_order_seq_cst, std::memory_order_relaxed));
    }
    void call_all() noexcept { call(top_.exchange(nullptr, std::memory_order_seq_cst)); }
    void call(idle_waiter* list) noexcept {
        while (list != nullptr) release_outside(readers_, std::exchange(list, list->below));
    }

    domain& readers_;
    std::atomic<idle_waiter*> top_{nullptr};
    std::atomic<bool> gone_{false};
};

/// Ends the leases of one record from the time that somebody wanted to know when it is idle. A lease that ends at the very
/// moment at which the cell is attached may be missed: it has looked for cells, and is not subtracted yet.
struct idle_cell final : metric_cell {
    static inline char tag = 0;

    explicit idle_cell(std::shared_ptr<hub> h)
        : hub_{std::move(h)}, stack{std::make_shared<idle_stack>(hub_->readers)} {
        pool = &tag;
        looks = true;
    }
    ~idle_cell() override { stack->gone(); }

    /// The cell of a member, made when there is none. Under the writer's lock.
    static idle_cell& of(record_base& r, const std::shared_ptr<hub>& h) {
        if (metric_cell* const known = r.find_metric(&tag)) return *static_cast<idle_cell*>(known);
        auto fresh = std::make_unique<idle_cell>(h);
        idle_cell& cell = *fresh;
        r.attach(std::move(fresh));
        return cell;
    }

    void on_end(outcome, std::chrono::nanoseconds, std::chrono::nanoseconds,
                std::chrono::nanoseconds) noexcept override {}
    void on_eligible(bool) noexcept override {}
    void on_ended(record_base& r) noexcept override { stack->look(r); }
    [[nodiscard]] bool stays(const record_base& r) const noexcept override {
        const view* const v = hub_->seen();
        return v != nullptr && v->is_member(r.id.slot) && &v->record(r.id.slot) == &r;
    }

private:
    const std::shared_ptr<hub> hub_;

public:
    const std::shared_ptr<idle_stack> stack;
};

}  // namespace weir::inline WEIR_ABI::detail
