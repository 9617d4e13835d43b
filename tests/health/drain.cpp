#include <weir/health/drain.hpp>

#include "catch.hpp"
#include "support/backends.hpp"

#include <weir/adapt/bounded_load.hpp>
#include <weir/select/least_load.hpp>
#include <weir/select/random.hpp>
#include <weir/select/round_robin.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using weir::backend_id;
using weir::condition;
using weir::drain_end;
using weir::drained;
using weir::drainer;

namespace {

using registry = weir::registry<std::string>;
constexpr nanoseconds never = (nanoseconds::max)();

/// What a drain told, and how often.
struct witness {
    std::vector<drained> told;
    [[nodiscard]] auto listens() {
        return [this](const drained& d) { told.push_back(d); };
    }
    [[nodiscard]] bool heard(drain_end how) const { return told.size() == 1 && told[0].how == how; }
};

}  // namespace

TEST_CASE("a backend without leases is idle at once, and drains on") {
    registry r;
    const auto id = r.add("a");
    drainer drains{r};
    witness w;
    CHECK(drains.drain(id, 10s, w.listens()));
    REQUIRE(w.heard(drain_end::idle));
    CHECK(w.told[0].id == id);
    CHECK(r.inspect(id)->conditions == condition::draining);
    CHECK(drains.next_due(0s) == never);
    drains.due(20s);
    CHECK(w.told.size() == 1);
}

TEST_CASE("the end of the last lease tells, and no lease is cut or begun") {
    registry r;
    const auto id = r.add("a");
    const weir::round_robin turns{r};
    drainer drains{r};
    auto first = turns.pick(), second = turns.pick();
    witness w;
    CHECK(drains.drain(id, 10s, w.listens()));
    CHECK(turns.pick().error() == weir::pick_error::none_eligible);
    CHECK(w.told.empty());
    first.complete(weir::outcome::success);
    CHECK(w.told.empty());
    CHECK(r.inspect(id)->in_flight == 1);
    second.complete(weir::outcome::failure);
    CHECK(w.heard(drain_end::idle));
    CHECK(r.inspect(id)->in_flight == 0);
    CHECK(r.inspect(id)->outcomes.success == 1);
    CHECK(r.inspect(id)->outcomes.failure == 1);
}

TEST_CASE("each way to end a lease tells: completed, dropped, moved over") {
    for (int way = 0; way < 3; ++way) {
        registry r;
        const auto id = r.add("a");
        const weir::round_robin turns{r};
        drainer drains{r};
        auto lease = std::make_unique<weir::lease<std::string>>(turns.pick());
        witness w;
        drains.drain(id, never, w.listens());
        if (way == 0) lease->complete(weir::outcome::timeout, 1s);
        if (way == 1) lease.reset();
        if (way == 2) *lease = {};
        CHECK(w.heard(drain_end::idle));
    }
}

TEST_CASE("at its deadline a drain ends with the leases that are left, exactly, and once") {
    registry r;
    const auto id = r.add("a");
    const weir::round_robin turns{r};
    drainer drains{r};
    auto first = turns.pick(), second = turns.pick();
    witness w;
    drains.drain(id, 10s, w.listens());
    CHECK(drains.next_due(2s) == 3s);  // looks again
    CHECK(drains.next_due(9500ms) == 10s);
    drains.due(10s - 1ns);
    CHECK(w.told.empty());
    drains.due(10s);
    REQUIRE(w.heard(drain_end::deadline));
    CHECK(w.told[0].in_flight == 2);
    CHECK(r.inspect(id)->conditions == condition::draining);
    first.complete(weir::outcome::success);
    second.complete(weir::outcome::success);
    drains.due(20s);
    CHECK(w.told.size() == 1);
    CHECK(drains.next_due(20s) == never);
}

TEST_CASE("a clock that goes back only moves the deadline away") {
    registry r;
    const auto id = r.add("a");
    const weir::round_robin turns{r};
    drainer drains{r};
    const auto lease = turns.pick();
    witness w;
    drains.drain(id, 10s, w.listens());
    drains.due(9s);
    drains.due(-100h);
    drains.due((nanoseconds::min)());
    CHECK(w.told.empty());
    CHECK(drains.next_due((nanoseconds::max)() - 1ns) == 10s);
    drains.due((nanoseconds::max)());
    CHECK(w.heard(drain_end::deadline));
}

TEST_CASE("a drain that is cancelled says so, and the backend gets leases again") {
    registry r;
    const auto id = r.add("a");
    const weir::round_robin turns{r};
    drainer drains{r};
    auto lease = turns.pick();
    witness w;
    drains.drain(id, 10s, w.listens());
    CHECK(drains.cancel(id));
    CHECK(w.heard(drain_end::cancelled));
    CHECK(turns.pick());
    lease.complete(weir::outcome::success);
    CHECK(w.told.size() == 1);
    CHECK_FALSE(drains.cancel({}));
    CHECK(drains.cancel(id));
}

TEST_CASE("a drain that an operator undoes is cancelled, by the next look at it") {
    registry r;
    const auto id = r.add("a");
    const weir::round_robin turns{r};
    drainer drains{r};
    for (const bool by_lease : {true, false}) {
        auto lease = turns.pick();
        witness w;
        drains.drain(id, never, w.listens());
        r.clear(id, condition::draining);
        if (by_lease)
            lease.complete(weir::outcome::success);
        else
            drains.due(0s);
        CHECK(w.heard(drain_end::cancelled));
    }
}

TEST_CASE("hardening 2: a removed backend is idle when its last lease has ended, whoever joined under its name") {
    weir::registry<weir_test::mortal> r;
    const auto id = r.add(weir_test::mortal{"a"});
    const weir::round_robin turns{r};
    drainer drains{r};
    auto lease = turns.pick();
    witness w;
    drains.drain(id, never, w.listens());
    // As many as there is room for in a row, or the newcomer would have a slot of its own.
    for (std::size_t i = 2 * weir::detail::lease_words::lines; i > 1; --i) r.add(weir_test::mortal{std::to_string(i)});
    r.remove(id);
    const auto again = r.add(weir_test::mortal{"a"});
    REQUIRE(again.slot == id.slot);
    auto other = turns.pick();
    while (other.id() != again) other = turns.pick();
    drains.due(0s);
    CHECK(w.told.empty());
    CHECK_FALSE(drains.cancel(id));  // what is gone cannot come back into service: it still waits for its lease
    CHECK(w.told.empty());
    other.complete(weir::outcome::success);
    CHECK(w.told.empty());
    lease.complete(weir::outcome::success);
    REQUIRE(w.heard(drain_end::idle));
    CHECK(w.told[0].id == id);
    CHECK(weir_test::mortal::living() == 2 * static_cast<int>(weir::detail::lease_words::lines));

    witness late;
    CHECK_FALSE(drains.drain(id, never, late.listens()));
    CHECK(late.told.empty());
    CHECK(r.inspect(again)->conditions.empty());
}

TEST_CASE("several drains of one backend each end once, in their own way") {
    registry r;
    const auto id = r.add("a");
    const weir::round_robin turns{r};
    drainer drains{r}, others{r};
    auto lease = turns.pick();
    witness soon, late, other;
    drains.drain(id, 1s, soon.listens());
    drains.drain(id, 9s, late.listens());
    others.drain(id, never, other.listens());
    drains.due(1s);
    CHECK(soon.heard(drain_end::deadline));
    lease.complete(weir::outcome::success);
    CHECK(soon.told.size() == 1);
    CHECK(late.heard(drain_end::idle));
    CHECK(other.heard(drain_end::idle));
}

TEST_CASE("a drain may begin again after the backend was in service meanwhile") {
    registry r;
    const auto id = r.add("a");
    const weir::round_robin turns{r};
    drainer drains{r};
    for (int i = 0; i < 10; ++i) {
        auto lease = turns.pick();
        REQUIRE(lease);
        witness w;
        drains.drain(id, never, w.listens());
        CHECK(w.told.empty());
        lease.complete(weir::outcome::success);
        CHECK(w.heard(drain_end::idle));
        r.clear(id, condition::draining);
    }
}

TEST_CASE("the function runs without a lock: it may pick, end leases, change the registry and drain") {
    weir::registry<weir_test::mortal> r;
    const auto a = r.add(weir_test::mortal{"a"}), b = r.add(weir_test::mortal{"b"});
    const weir::random draw{r};
    drainer drains{r};
    auto of_a = draw.pick({.exclude = {&b, 1}});
    auto of_b = draw.pick({.exclude = {&a, 1}});
    witness w;
    int told = 0;
    drains.drain(a, never, [&](const drained& d) {
        ++told;
        CHECK(r.remove(d.id));
        CHECK(weir_test::mortal::living() == 1);
        drains.drain(b, never, w.listens());
        CHECK(w.told.empty());
        of_b.complete(weir::outcome::success);
        CHECK(w.heard(drain_end::idle));
        drains.due(0s);
        drains.cancel(b);
        CHECK(draw.pick());
        r.add(weir_test::mortal{"c"});
    });
    of_a.complete(weir::outcome::success);
    CHECK(told == 1);
    CHECK(r.size() == 2);
}

TEST_CASE("a lease that ends inside a read section, or a drain that begins there, tells outside of it") {
    registry r;
    const auto id = r.add("a");
    r.add("b");
    const weir::round_robin turns{r};
    drainer drains{r};
    auto lease = turns.pick();
    REQUIRE(lease.id() == id);
    witness w, inside;
    drains.drain(id, never, w.listens());
    (void)turns.choose([&](std::string&) {
        lease.complete(weir::outcome::success);
        CHECK(w.told.empty());
    });
    CHECK(w.heard(drain_end::idle));
    r.clear(id, condition::draining);
    (void)turns.choose([&](std::string&) {
        drains.drain(id, never, inside.listens());
        CHECK(inside.told.empty());  // this very function might be about to use it
    });
    CHECK(inside.heard(drain_end::idle));
}

TEST_CASE("whichever goes first, registry, drainer or lease, the drain ends once") {
    for (int order = 0; order < 4; ++order) {
        auto r = std::make_unique<registry>();
        const auto id = r->add("a");
        auto turns = std::make_unique<weir::round_robin<std::string>>(*r);
        auto drains = std::make_unique<drainer>(*r);
        auto lease = turns->pick();
        witness w;
        drains->drain(id, 5s, w.listens());
        switch (order) {
        case 0:
            drains.reset();
            CHECK(w.heard(drain_end::cancelled));
            lease.complete(weir::outcome::success);
            break;
        case 1:
            r.reset();
            drains->due(1s);
            CHECK(w.told.empty());
            lease.complete(weir::outcome::success);
            CHECK(w.heard(drain_end::idle));
            break;
        case 2:
            r.reset();
            drains->due(5s);
            CHECK(w.heard(drain_end::deadline));
            CHECK_FALSE(drains->drain(id, 9s, w.listens()));
            CHECK_FALSE(drains->cancel(id));
            break;
        default:
            r.reset();
            turns.reset();
            drains.reset();
            CHECK(w.heard(drain_end::cancelled));
        }
        lease = {};
        CHECK(w.told.size() == 1);
    }
}

TEST_CASE("a drain without a function to call is refused, and changes nothing") {
    registry r;
    const auto id = r.add("a");
    drainer drains{r};
    CHECK_THROWS_AS(drains.drain(id, 1s, nullptr), std::invalid_argument);
    CHECK(r.inspect(id)->conditions.empty());
    CHECK(to_string(drain_end::deadline) == "deadline");
}

TEST_CASE("metrics learn from leases of a draining backend as from any other") {
    registry r;
    const auto id = r.add("a");
    const weir::least_connections least{r};
    const weir::basic_selector bounded{r, weir::bounded_load{weir::random_policy{}, 2.0}};
    drainer drains{r};
    witness w;
    auto one = bounded.pick(), two = least.pick();
    drains.drain(id, never, w.listens());
    one.complete(weir::outcome::success);
    two.complete(weir::outcome::success);
    CHECK(w.heard(drain_end::idle));
    r.clear(id, condition::draining);
    for (int i = 0; i < 100; ++i) {
        auto lease = bounded.pick();
        REQUIRE(lease);
        CHECK(r.inspect(id)->in_flight == 1);
    }
    CHECK(r.inspect(id)->in_flight == 0);
}
