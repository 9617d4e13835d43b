#pragma once

#include "check_options.hpp"
#include "drain.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <memory>
#include <mutex>
#include <optional>

namespace weir::inline WEIR_ABI {

/// Drains one backend and blocks until it is idle, or `patience` is over. For programs that have a thread to spare.
/// Complexity: that of `drainer::drain`. Thread safety: from any thread, but not from one that holds leases of that
/// backend: it would wait for itself.
template <class Backend>
drained drain_and_wait(registry_base<Backend>& r, backend_id id, std::chrono::nanoseconds patience) {
    struct shared_end {
        std::mutex mutex;
        std::condition_variable changed;
        std::optional<drained> end;
    };
    if (patience.count() < 0)
        detail::reject("drain_and_wait: a patience of " + detail::text_of(patience) + " is negative");
    const auto now = [] {
        return std::chrono::duration_cast<std::chrono::nanoseconds>(
            std::chrono::steady_clock::now().time_since_epoch());
    };
    const auto shared = std::make_shared<shared_end>();  // who tells may still be in there when this returns
    drainer drains{r};
    const auto deadline = detail::elapsed_time::after(now(), patience);
    const bool known = drains.drain(id, deadline, [shared](const drained& d) {
        const std::lock_guard lock{shared->mutex};
        shared->end = d;
        shared->changed.notify_one();
    });
    if (!known) return {.id = id, .how = drain_end::no_member};
    // The waits are short because of the one lease that may end untold; see drainer.
    for (std::chrono::milliseconds wait{1};; wait = (std::min)(2 * wait, std::chrono::milliseconds{100})) {
        {
            std::unique_lock lock{shared->mutex};
            const auto left = (std::min)(std::chrono::nanoseconds{wait}, detail::between(now(), deadline));
            if (shared->changed.wait_for(lock, left, [&] { return shared->end.has_value(); })) return *shared->end;
        }
        drains.due(now());
    }
}

/// `co_await weir::until_drained(drains, id, deadline)` gives how the drain ended, in a coroutine of any kind.
///
/// The coroutine goes on in the thread that ends the drain (see drainer): the one that ends the last lease, or calls `due`.
/// Where that matters, go on to an executor of your own from there. The drainer must live until then; a suspended coroutine
/// must not be destroyed before the drain has ended (`cancel` ends it).
class [[nodiscard]] until_drained {
public:
    until_drained(drainer& drains, backend_id id, std::chrono::nanoseconds deadline) noexcept
        : drains_{drains}, deadline_{deadline}, end_{.id = id, .how = drain_end::no_member} {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    /// False, which goes on at once: the drain ended before it returned, or could not begin.
    bool await_suspend(std::coroutine_handle<> waiting) {
        const bool known = drains_.drain(end_.id, deadline_, [this, waiting](const drained& d) {
            end_ = d;
            if (meeting_.exchange(true, std::memory_order_acq_rel)) waiting.resume();
        });
        // Of the two who come here the second goes on; where that is the other, nothing of this may be touched any more.
        return known && !meeting_.exchange(true, std::memory_order_acq_rel);
    }
    [[nodiscard]] drained await_resume() const noexcept { return end_; }

private:
    drainer& drains_;
    const std::chrono::nanoseconds deadline_;
    drained end_;
    std::atomic<bool> meeting_{false};
};

}  // namespace weir::inline WEIR_ABI
