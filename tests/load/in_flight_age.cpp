#include <weir/load/in_flight_age.hpp>

#include "catch.hpp"
#include "support/length.hpp"

#include <weir/random.hpp>

#include <cmath>
#include <limits>
#include <numeric>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using weir::in_flight_age;

namespace {

constexpr nanoseconds most{std::numeric_limits<std::int64_t>::max()};
constexpr nanoseconds least{std::numeric_limits<std::int64_t>::min()};
constexpr double resolution = 2 * 65'536;  // ns: the start and the reading are each rounded by one tick at most

}  // namespace

TEST_CASE("the mean age is exact but for its resolution, and never more than the truth, whatever starts and ends") {
    weir::generator random{1};
    for (const nanoseconds origin : {nanoseconds{0}, nanoseconds{-30s}, nanoseconds{400 * 24h}}) {
        in_flight_age age;
        std::vector<nanoseconds> running;
        nanoseconds now = origin;
        int wrong = 0;
        for (int i = 0; i < 20'000; ++i) {
            now += nanoseconds{static_cast<std::int64_t>(random.below(20'000'000))};
            if (running.size() < 50 && random.below(2) == 0) {
                age.start(now);
                running.push_back(now);
            } else if (!running.empty()) {
                std::swap(running[random.below(running.size())], running.back());
                age.end(running.back());
                running.pop_back();
            }
            double sum = 0;
            for (const nanoseconds started : running) sum += static_cast<double>((now - started).count());
            const double truth = running.empty() ? 0 : sum / static_cast<double>(running.size());
            wrong += age.mean(now) > truth || age.mean(now) < truth - resolution ? 1 : 0;
            wrong += age.mean_or(truth + 1, now) != truth + 1 ? 1 : 0;
            if (const double below = truth - 2 * resolution; below > 0)
                wrong += age.mean_or(below, now) != age.mean(now) ? 1 : 0;
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("nothing in flight has no age, at any time") {
    in_flight_age age;
    CHECK(age.mean(1h) == 0);
    age.start(1h);
    age.end(1h);
    for (const nanoseconds now : {least, nanoseconds{0}, nanoseconds{2h}, most}) CHECK(age.mean(now) == 0);
}

TEST_CASE("hardening 11: ages are finite and not negative for any clock, and a clock that goes back has none") {
    for (const nanoseconds started : {least, nanoseconds{-1h}, nanoseconds{-1}, nanoseconds{0}, nanoseconds{1h}, most})
        for (const nanoseconds now :
             {least, nanoseconds{-1h}, nanoseconds{-1}, nanoseconds{0}, nanoseconds{1h}, most}) {
            in_flight_age age;
            for (int i = 0; i < 3; ++i) age.start(started);
            const double mean = age.mean(now);
            CHECK(std::isfinite(mean));
            CHECK(mean >= 0);
            if (now <= started && started < 100h && now > -100h) CHECK(mean == 0);
            for (int i = 0; i < 3; ++i) age.end(started);
            CHECK(age.mean(now) == 0);
        }
}

TEST_CASE("ages that add up to more than a year of leases read as 0 or less than the truth, and come back exact") {
    in_flight_age age;
    for (int i = 0; i < 1000; ++i) age.start(0s);
    age.start(30 * 24h);
    CHECK(age.mean(30 * 24h) <= 30.0 * 24 * 3600e9);
    for (int i = 0; i < 1000; ++i) age.end(0s);
    CHECK(age.mean(30 * 24h + 1s) == Approx(1e9).margin(resolution));
}

TEST_CASE("leases of many threads are all counted, and all gone at the end", "[threads]") {
    in_flight_age age;
    const auto work = [&](std::int64_t first) {
        for (std::int64_t i = 0; i < static_cast<std::int64_t>(weir_test::repetitions(200'000)); ++i) {
            age.start(nanoseconds{first + i * 1'000});
            age.start(nanoseconds{first + i * 77'777});
            age.end(nanoseconds{first + i * 1'000});
            age.end(nanoseconds{first + i * 77'777});
        }
        age.start(nanoseconds{first});
    };
    std::thread other{work, 1'000'000'000};
    work(3'000'000'000);
    other.join();
    CHECK(age.mean(4s) == Approx(2e9).margin(resolution));  // of 1 s and of 3 s
}
