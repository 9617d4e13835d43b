#include <weir/detail/extrapolated_time.hpp>

#include "catch.hpp"

#include <weir/random.hpp>

#include <cstdlib>
#include <thread>

namespace {

/// A counter of 2.5 counts a nanosecond, and a clock; each test has its own, and each reading takes a while.
template <int Test>
struct source {
    static inline thread_local std::uint64_t counts = 1'000'000;
    static inline thread_local std::int64_t nanoseconds = 5'000;
    static inline bool steady = true;
    static inline int clock_readings = 0;

    static void pass(std::int64_t ns) {
        nanoseconds += ns;
        counts += static_cast<std::uint64_t>(ns) * 5 / 2;
    }
    static bool is_steady() noexcept { return steady; }
    static std::uint64_t count() noexcept {
        pass(8);
        return counts;
    }
    static std::int64_t time() noexcept {
        ++clock_readings;
        pass(8);
        const std::int64_t read = nanoseconds;
        pass(8);
        return read;
    }
};

template <int Test>
using clock_of = weir::detail::extrapolated_time<source<Test>>;

/// Reads the clock until the rate is known.
template <int Test>
void settle() {
    for (int i = 0; i < 100; ++i) {
        (void)clock_of<Test>::now();
        source<Test>::pass(1'000'000);
    }
}

}  // namespace

TEST_CASE("it goes as the clock goes, never back, and seldom reads it") {
    using from = source<1>;
    settle<1>();
    weir::generator random{1};
    const int before = from::clock_readings;
    std::int64_t last = 0, most = 0;
    int backwards = 0;
    for (int i = 0; i < 100'000; ++i) {
        from::pass(static_cast<std::int64_t>(random.below(20'000)));
        const std::int64_t now = clock_of<1>::now();
        backwards += now < last ? 1 : 0;
        most = (std::max)(most, std::abs(from::nanoseconds - now));
        last = now;
    }
    CHECK(backwards == 0);
    CHECK(most <= 100);  // ns: a reading's own 24, and 15 a millisecond
    // About 1,000 ms pass; a new anchor takes 3 readings.
    CHECK(from::clock_readings - before < 3 * 1'100);
    CHECK(clock_of<1>::trusted());
}

TEST_CASE("until the rate is known each reading is one of the clock") {
    using from = source<2>;
    for (int i = 0; i < 50; ++i) {
        const int before = from::clock_readings;
        const std::int64_t now = clock_of<2>::now();
        CHECK(from::clock_readings > before);
        CHECK(std::abs(from::nanoseconds - now) <= 100);
        from::pass(100'000);
    }
}

TEST_CASE("a counter that goes off is not trusted again, by no thread") {
    using from = source<3>;
    settle<3>();
    const std::int64_t before = clock_of<3>::now();
    from::counts += 5'000'000'000;  // another processor's, 2 s ahead
    CHECK(std::abs(clock_of<3>::now() - before) <= 1'000);
    CHECK_FALSE(clock_of<3>::trusted());
    const auto follows_the_clock = [] {
        int off = 0;
        for (int i = 0; i < 100; ++i) {
            from::pass(10'000'000);
            from::counts = 7;
            off += std::abs(clock_of<3>::now() - from::nanoseconds) > 100 ? 1 : 0;
        }
        return off;
    };
    CHECK(follows_the_clock() == 0);
}

TEST_CASE("a counter that is a little behind sets no time forward") {
    settle<9>();
    (void)clock_of<9>::now();
    source<9>::pass(2'000'000);
    (void)clock_of<9>::now();    // a fresh anchor
    source<9>::counts -= 2'000;  // another processor's, 800 ns behind
    for (int i = 0; i < 100; ++i) CHECK(std::abs(clock_of<9>::now() - source<9>::nanoseconds) <= 1'000);
    CHECK(clock_of<9>::trusted());
}

TEST_CASE("a counter that stands still or runs a hundredth fast is found out at the next anchor") {
    settle<4>();
    std::int64_t last = clock_of<4>::now();
    source<4>::nanoseconds += 2'000'000;  // the counter has not moved
    for (int i = 0; i < 200'000 && clock_of<4>::trusted(); ++i) {
        const std::int64_t now = clock_of<4>::now();
        CHECK(now >= last);
        last = now;
    }
    CHECK_FALSE(clock_of<4>::trusted());

    settle<5>();
    for (int i = 0; i < 100 && clock_of<5>::trusted(); ++i) {
        source<5>::pass(990'000);
        source<5>::counts += 10'000 * 5 / 2;
        (void)clock_of<5>::now();
    }
    CHECK_FALSE(clock_of<5>::trusted());
}

TEST_CASE("after a pause of hours it goes on from the clock, in trust") {
    settle<6>();
    source<6>::nanoseconds += 3'600'000'000'000;  // asleep: the counter slept, too
    for (int i = 0; i < 1'000; ++i) (void)clock_of<6>::now(), source<6>::pass(10'000);
    CHECK(std::abs(clock_of<6>::now() - source<6>::nanoseconds) <= 100);
    CHECK(clock_of<6>::trusted());
}

TEST_CASE("a counter that does not claim to be steady is never used") {
    source<7>::steady = false;
    settle<7>();
    const int before = source<7>::clock_readings;
    for (int i = 0; i < 100; ++i) (void)clock_of<7>::now();
    CHECK(source<7>::clock_readings - before == 100);
}

TEST_CASE("a new thread has the rate of those before it", "[threads]") {
    settle<8>();
    int readings = -1;
    std::thread{[&] {
        (void)clock_of<8>::now();
        const int before = source<8>::clock_readings;
        (void)clock_of<8>::now();
        readings = source<8>::clock_readings - before;
    }}.join();
    CHECK(readings == 0);
}
