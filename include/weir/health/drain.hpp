#pragma once

#include "../registry.hpp"
#include "elapsed_time.hpp"
#include "idle_cell.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

/// How a drain ended.
enum class drain_end : std::uint8_t {
    idle,       ///< no lease is left
    deadline,   ///< leases were left when its time was over; the backend goes on draining
    cancelled,  ///< `condition::draining` was cleared, or the drainer is gone
    no_member,  ///< it could not begin: that backend is gone
};

[[nodiscard]] constexpr std::string_view to_string(drain_end value) noexcept {
    constexpr std::string_view names[] = {"idle", "deadline", "cancelled", "no_member"};
    return static_cast<std::size_t>(value) < std::size(names) ? names[static_cast<std::size_t>(value)] : "unknown";
}

struct drained {
    backend_id id;
    drain_end how = drain_end::idle;
    std::uint32_t in_flight = 0;  ///< leases left at the deadline; 0 of a removed backend
};

/// Takes backends out of service without cutting a request: no new leases, and word when the last one has ended.
///
///     drains.drain(id, now + 30s, [&](const weir::drained& d) { servers.remove(d.id); });
///
/// Rule: sets `condition::draining`, and calls once: when no lease is left, or at the deadline, whichever comes first. A
/// removed backend is idle when its last lease has ended. Sticky sessions may reach a draining backend: what is called
/// idle has been so since every pick sees that it drains.
/// Who calls: the thread that ends the last lease, right after; `drain` itself if there is none; `due`; `cancel`; the
/// destructor. Always without a lock and outside read sections: the function may do anything but throw.
/// Cost: leases of other backends pay nothing. From the first drain on, ending a lease of this one takes a read section
/// more. A lease that ends at the very moment of the first `drain` may not tell; then the next `due` does.
/// Complexity: `drain` that of an update; `due` O(drains). Memory: about 200 bytes a drain until it ends.
/// Thread safety: all members from any thread. May outlive its registry.
class drainer {
public:
    using function = std::function<void(const drained&)>;

    template <class Backend>
    explicit drainer(registry_base<Backend>& r) : hub_{r.hub()} {}
    drainer(const drainer&) = delete;
    drainer& operator=(const drainer&) = delete;
    ~drainer() {
        for (const auto& one : drains_) one->end(drain_end::cancelled);
    }

    /// Begins. False: that backend is gone, and nobody is called. The deadline is a point of the clock that `due` is
    /// told; the largest value is none. Throws what an update throws. Not from inside an update of the registry.
    bool drain(backend_id id, std::chrono::nanoseconds deadline, function told) {
        if (!told) detail::reject("drain needs a function to call; this one is empty");
        auto one = std::make_shared<drain_in_progress>(id, deadline, std::move(told));
        auto arm = std::make_unique<armed_later>(std::make_unique<waiter>(hub_, one));
        bool known = false;
        hub_->update([&](detail::draft& d) {
            if (!d.has(id)) return;
            one->stack = detail::idle_cell::of(*d.read().records[id.slot], hub_).stack;
            d.set_conditions(id, d.conditions_of(id).with(condition::draining));
            known = true;
        });
        if (!known) return false;
        {
            const std::lock_guard lock{mutex_};
            std::erase_if(drains_, [](const auto& d) { return d->ended(); });
            drains_.push_back(one);
        }
        // Idle is only what no pick can lease any more: from when those have ended that see the snapshot before.
        hub_->retire(arm.release());
        return true;
    }

    /// Clears `condition::draining`, and ends the drains of that backend. False, and no effect: it is gone.
    bool cancel(backend_id id) {
        bool known = false;
        hub_->update([&](detail::draft& d) {
            if (!d.has(id)) return;
            d.set_conditions(id, d.conditions_of(id).without(condition::draining));
            known = true;
        });
        if (!known) return false;
        for (const auto& one : in_progress())
            if (one->id == id) one->end(drain_end::cancelled);
        return true;
    }

    /// Calls those whose deadline has come, and whoever was missed. At the latest at `next_due`.
    void due(std::chrono::nanoseconds now) {
        for (const auto& one : in_progress()) {
            std::uint32_t in_flight = 0;
            bool calmed = false;
            with_member(*hub_, one->id, [&](const view& v, std::uint32_t i) {
                one->stack->look(v.record(i));
                in_flight = v.in_flight(i);
                calmed = !v.conditions(i).has(condition::draining);
            });
            if (calmed)
                one->end(drain_end::cancelled);
            else if (now >= one->deadline)
                one->end(drain_end::deadline, in_flight);
        }
    }
    /// The next deadline; at most a second away while anybody drains.
    [[nodiscard]] std::chrono::nanoseconds next_due(std::chrono::nanoseconds now) const {
        auto next = (std::chrono::nanoseconds::max)();
        for (const auto& one : in_progress())
            next = (std::min)({next, one->deadline, detail::elapsed_time::after(now, std::chrono::seconds{1})});
        return next;
    }

private:
    struct drain_in_progress {
        drain_in_progress(backend_id i, std::chrono::nanoseconds d, function f)
            : id{i}, deadline{d}, told{std::move(f)} {}
        const backend_id id;
        const std::chrono::nanoseconds deadline;
        std::shared_ptr<detail::idle_stack> stack;

        [[nodiscard]] bool ended() const noexcept { return ended_.load(std::memory_order_acquire); }
        void end(drain_end how, std::uint32_t in_flight = 0) noexcept {
            if (ended_.exchange(true, std::memory_order_acq_rel)) return;
            const function call = std::exchange(told, nullptr);
            call({.id = id, .how = how, .in_flight = in_flight});
        }

    private:
        function told;
        std::atomic<bool> ended_{false};
    };

    struct waiter final : detail::idle_waiter {
        waiter(std::shared_ptr<detail::hub> h, std::shared_ptr<drain_in_progress> d)
            : hub{std::move(h)}, drain{std::move(d)} {}
        void idle() noexcept override {
            bool calmed = false;
            with_member(*hub, drain->id,
                        [&](const view& v, std::uint32_t i) { calmed = !v.conditions(i).has(condition::draining); });
            drain->end(calmed ? drain_end::cancelled : drain_end::idle);
        }
        const std::shared_ptr<detail::hub> hub;
        const std::shared_ptr<drain_in_progress> drain;
    };

    /// What runs when every pick sees that the backend drains.
    struct armed_later final : detail::retired {
        explicit armed_later(std::unique_ptr<waiter> w) : waits{std::move(w)} {
            release = [](retired* self) noexcept {
                const std::unique_ptr<armed_later> arm{static_cast<armed_later*>(self)};
                const std::shared_ptr<detail::hub> hub = arm->waits->hub;
                const std::shared_ptr<drain_in_progress> drain = arm->waits->drain;
                drain->stack->push(arm->waits.release());
                with_member(*hub, drain->id, [&](const view& v, std::uint32_t i) { drain->stack->look(v.record(i)); });
            };
        }
        std::unique_ptr<waiter> waits;
    };

    template <class F>
    static void with_member(const detail::hub& h, backend_id id, F&& f) {
        const detail::read_section section{h.readers};
        if (const view* const v = h.seen(); v != nullptr && v->is_member(id.slot) && v->id(id.slot) == id)
            f(*v, id.slot);
    }

    [[nodiscard]] std::vector<std::shared_ptr<drain_in_progress>> in_progress() const {
        std::vector<std::shared_ptr<drain_in_progress>> all;
        const std::lock_guard lock{mutex_};
        std::copy_if(drains_.begin(), drains_.end(), std::back_inserter(all),
                     [](const auto& d) { return !d->ended(); });
        return all;
    }

    const std::shared_ptr<detail::hub> hub_;
    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<drain_in_progress>> drains_;
};

}  // namespace weir::inline WEIR_ABI
