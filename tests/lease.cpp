#include <weir/lease.hpp>

#include "catch.hpp"
#include "support/backends.hpp"
#include "support/manual_clock.hpp"

#include <weir/load/ewma.hpp>
#include <weir/select/p2c_peak_ewma.hpp>
#include <weir/select/random.hpp>

#include <coroutine>
#include <exception>
#include <future>
#include <optional>
#include <stdexcept>
#include <thread>

using weir::outcome;

namespace {

using lease = weir::lease<std::string>;

static_assert(!std::is_copy_constructible_v<lease> && !std::is_copy_assignable_v<lease>);
static_assert(std::is_nothrow_move_constructible_v<lease> && std::is_nothrow_move_assignable_v<lease>);
static_assert(std::is_nothrow_default_constructible_v<lease> && std::is_nothrow_destructible_v<lease>);
static_assert(!std::is_convertible_v<lease, bool>);
static_assert(noexcept(std::declval<lease&>().complete(outcome::success)) &&
              noexcept(std::declval<lease&>().complete(outcome::success, std::chrono::nanoseconds{})) &&
              noexcept(std::declval<const lease&>().id()) && noexcept(*std::declval<const lease&>()) &&
              noexcept(std::declval<const lease&>().reason()) && noexcept(std::declval<const lease&>().error()));

struct fixture {
    weir::registry<std::string> registry;
    weir::backend_id id = registry.add("only");
    weir::random<std::string> pick_from{registry, {.seed = 1}};
    [[nodiscard]] std::uint32_t in_flight() const { return registry.inspect(id)->in_flight; }
    [[nodiscard]] weir::outcome_counts outcomes() const { return registry.inspect(id)->outcomes; }
};

}  // namespace

TEST_CASE("in flight is 0, 1, 2, 1, 0") {
    fixture f;
    CHECK(f.in_flight() == 0);
    auto first = f.pick_from.pick();
    CHECK(f.in_flight() == 1);
    auto second = f.pick_from.pick();
    CHECK(f.in_flight() == 2);
    first.complete(outcome::success);
    CHECK(f.in_flight() == 1);
    second = lease{};
    CHECK(f.in_flight() == 0);
}

TEST_CASE("a lease that nobody completed reports that it was cancelled") {
    fixture f;
    {
        const auto dropped = f.pick_from.pick();
    }
    CHECK(f.outcomes().cancelled == 1);
    CHECK(f.outcomes().success == 0);
}

TEST_CASE("each outcome is counted once, whatever is done to the lease afterwards") {
    const bool two = GENERATE(false, true);
    const bool told = two || GENERATE(false, true);
    fixture f;
    std::optional<weir::p2c_peak_ewma<std::string>> first;
    std::optional<weir::choices<std::string, weir::ewma>> second;
    if (told) first.emplace(f.registry);
    if (two) second.emplace(f.registry);
    for (std::size_t how = 0; how < weir::outcome_count; ++how) {
        auto one = f.pick_from.pick();
        one.complete(static_cast<outcome>(how));
        CHECK_FALSE(one);
        one.complete(outcome::failure);  // hardening 1: a second completion finds nothing to end
        one.complete(outcome::failure, std::chrono::seconds{1});
        CHECK(f.in_flight() == 0);
    }
    const auto counts = f.outcomes();
    CHECK(counts.success == 1);
    CHECK(counts.failure == 1);
    CHECK(counts.timeout == 1);
    CHECK(counts.connect_failure == 1);
    CHECK(counts.cancelled == 1);
    for (std::size_t how = 0; how < weir::outcome_count; ++how) CHECK(counts[static_cast<outcome>(how)] == 1);
}

TEST_CASE("a lease moves; what it leaves behind is empty, and what it replaces ends") {
    fixture f;
    auto first = f.pick_from.pick();
    auto moved = std::move(first);
    CHECK(f.in_flight() == 1);
    CHECK(moved);
    CHECK_FALSE(first);  // NOLINT(bugprone-use-after-move): it is specified
    CHECK(first.id() == weir::backend_id{});
    first.complete(outcome::failure);
    CHECK(f.in_flight() == 1);
    auto second = f.pick_from.pick();
    second = std::move(moved);
    CHECK(f.in_flight() == 1);
    CHECK(f.outcomes().cancelled == 1);
    auto& same = second;
    second = std::move(same);
    CHECK(second);
    CHECK(f.in_flight() == 1);
    second.complete(outcome::success);
    auto completed = std::move(second);
    CHECK(completed.id() == f.id);
    CHECK(second.id() == weir::backend_id{});  // NOLINT(bugprone-use-after-move)
    CHECK(f.in_flight() == 0);
    CHECK(f.outcomes().success == 1);
    CHECK(f.outcomes().failure == 0);
}

TEST_CASE("hardening 1: nothing stays in flight when an exception passes a lease") {
    fixture f;
    for (int i = 0; i < 10; ++i) {
        try {
            const auto one = f.pick_from.pick();
            throw std::runtime_error{"the request failed"};
        } catch (const std::runtime_error&) {
            CHECK(f.in_flight() == 0);
        }
    }
    CHECK(f.outcomes().cancelled == 10);
}

TEST_CASE("hardening 1: nothing stays in flight when a coroutine that holds a lease is destroyed, suspended") {
    struct task {
        struct promise_type {
            task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
            std::suspend_never initial_suspend() noexcept { return {}; }
            std::suspend_always final_suspend() noexcept { return {}; }
            void return_void() {}
            void unhandled_exception() { std::terminate(); }
        };
        std::coroutine_handle<promise_type> handle;
    };
    fixture f;
    const auto request = [](fixture& where) -> task {
        auto one = where.pick_from.pick();
        co_await std::suspend_always{};
        one.complete(outcome::success);
    };
    const task finished = request(f), cancelled = request(f);
    CHECK(f.in_flight() == 2);
    finished.handle.resume();
    CHECK(f.in_flight() == 1);
    finished.handle.destroy();
    cancelled.handle.destroy();
    CHECK(f.in_flight() == 0);
    CHECK(f.outcomes().success == 1);
    CHECK(f.outcomes().cancelled == 1);
}

TEST_CASE("a lease says who, why and why not; the reason stays after completion") {
    fixture f;
    auto one = f.pick_from.pick();
    CHECK(*one == "only");
    CHECK(one->size() == 4);
    CHECK(one.id() == f.id);
    CHECK(one.reason() == weir::pick_reason::chosen);
    CHECK(one.error() == weir::pick_error::none);
    one.complete(outcome::success);
    CHECK(one.reason() == weir::pick_reason::chosen);
    CHECK(one.error() == weir::pick_error::none);
    CHECK(one.id() == f.id);  // to exclude it from the next attempt
    const lease nothing;
    CHECK(nothing.id() == weir::backend_id{});
    CHECK_FALSE(nothing);
    CHECK(nothing.error() == weir::pick_error::none);
    f.registry.remove(f.id);
    CHECK(f.pick_from.pick().error() == weir::pick_error::empty);
}

TEST_CASE("a lease may change the backend, and may end on another thread", "[threads]") {
    fixture f;
    auto one = f.pick_from.pick();
    *one += "!";
    std::thread{[moved = std::move(one)]() mutable { moved.complete(outcome::timeout); }}.join();
    CHECK(f.in_flight() == 0);
    CHECK(f.outcomes().timeout == 1);
    CHECK(*f.pick_from.pick() == "only!");
}

TEST_CASE("hardening 1: a lease of a backend that was removed ends without a trace elsewhere") {
    fixture f;
    auto one = f.pick_from.pick();
    // As many as there is room for in a row, or the newcomer would have a slot of its own.
    for (std::size_t i = 2 * weir::detail::lease_words::lines; i > 1; --i) f.registry.add(std::to_string(i));
    f.registry.remove(f.id);
    const auto again = f.registry.add("only");
    CHECK(again.slot == f.id.slot);
    one.complete(outcome::success);
    CHECK(f.registry.inspect(again)->in_flight == 0);
    CHECK(f.registry.inspect(again)->outcomes.success == 0);
}

TEST_CASE("between two readings of a clock lies no negative time and no overflow") {
    using std::chrono::nanoseconds;
    using weir::detail::between;
    constexpr nanoseconds least = (nanoseconds::min)(), most = (nanoseconds::max)();
    static_assert(between(nanoseconds{1}, nanoseconds{3}) == nanoseconds{2});
    static_assert(between(nanoseconds{3}, nanoseconds{1}) == nanoseconds{0});
    static_assert(between(nanoseconds{-3}, nanoseconds{4}) == nanoseconds{7});
    static_assert(between(least, most) == most && between(most, least) == nanoseconds{0});
    static_assert(between(nanoseconds{-1}, most) == most && between(nanoseconds{0}, most) == most);
    CHECK(between(least, nanoseconds{-1}) == most);
}
