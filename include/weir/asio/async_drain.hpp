#pragma once

#include "../detail/between.hpp"
#include "../health/check_options.hpp"
#include "../health/drain.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <memory>
#include <optional>

namespace weir::inline WEIR_ABI {

/// Drains one backend, and gives how that ended: when it is idle, or `patience` is over. `drain_and_wait` for coroutines.
///
///     const weir::drained end = co_await weir::async_drain(servers, id, 30s);
///
/// Rule: see drainer. The coroutine goes on where it was, by its own executor, whoever ended the last lease.
/// Cancelled, it throws `operation_aborted` as other operations do, and the backend goes on draining.
/// Throws std::invalid_argument for a negative patience, and what an update throws.
/// Thread safety: may be awaited on any executor that one thread runs, or a strand; leases may end anywhere. The registry
/// must outlive the start alone; the executor's context must outlive the drain.
template <class Backend>
boost::asio::awaitable<drained> async_drain(registry_base<Backend>& r, backend_id id,
                                            std::chrono::nanoseconds patience) {
    struct shared_end {
        explicit shared_end(const boost::asio::any_io_executor& e) : executor{e}, timer{e} {}
        boost::asio::any_io_executor executor;
        boost::asio::steady_timer timer;
        std::optional<drained> end;
    };
    if (patience.count() < 0)
        detail::reject("async_drain: a patience of " + detail::text_of(patience) + " is negative");
    const auto now = [] {
        return std::chrono::duration_cast<std::chrono::nanoseconds>(
            std::chrono::steady_clock::now().time_since_epoch());
    };
    const boost::asio::any_io_executor executor = co_await boost::asio::this_coro::executor;
    const auto shared = std::make_shared<shared_end>(executor);
    drainer drains{r};
    const auto deadline = detail::elapsed_time::after(now(), patience);
    const bool known = drains.drain(id, deadline, [shared](const drained& d) {
        boost::asio::post(shared->executor, [shared, d] {
            shared->end = d;
            shared->timer.cancel();
        });
    });
    if (!known) co_return drained{.id = id, .how = drain_end::no_member};
    while (!shared->end) {
        const auto at = now();
        drains.due(at);
        shared->timer.expires_after(detail::between(at, drains.next_due(at)));
        co_await shared->timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
    co_return *shared->end;
}

}  // namespace weir::inline WEIR_ABI
