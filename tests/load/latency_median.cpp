#include <weir/load/latency_median.hpp>

#include "catch.hpp"
#include "support/length.hpp"

#include <weir/random.hpp>

#include <atomic>
#include <cmath>
#include <thread>
#include <vector>

using weir::latency_median;

TEST_CASE("a reading is within a quarter octave of the lower median, whatever moves") {
    weir::generator random{1};
    latency_median median;
    CHECK(median.value() == 0);
    std::vector<double> latencies;
    std::vector<latency_median::bucket> filed;
    int wrong = 0;
    for (int i = 0; i < 3000; ++i) {
        const double latency = 4 + static_cast<double>(random() >> (2 + random.below(60)));
        const auto bucket = latency_median::bucket_of(latency);
        if (latencies.size() < 3 || random.below(3) == 0) {
            median.move(latency_median::unfiled, bucket);
            latencies.push_back(latency);
            filed.push_back(bucket);
        } else {
            const auto at = random.below(latencies.size());
            if (random.below(2) == 0) {
                median.move(filed[at], bucket);
                latencies[at] = latency;
                filed[at] = bucket;
            } else {
                median.move(filed[at], latency_median::unfiled);
                latencies[at] = latencies.back();
                filed[at] = filed.back();
                latencies.pop_back();
                filed.pop_back();
            }
        }
        auto sorted = latencies;
        std::sort(sorted.begin(), sorted.end());
        const double ratio = median.value() / sorted[(sorted.size() - 1) / 2];
        wrong += ratio > std::pow(2, 0.25) || ratio < std::pow(2, -0.25) ? 1 : 0;
    }
    CHECK(wrong == 0);
    while (!filed.empty()) {
        median.move(filed.back(), latency_median::unfiled);
        filed.pop_back();
    }
    CHECK(median.value() == 0);
}

TEST_CASE("buckets never fall as latencies grow, and take every number") {
    latency_median::bucket last = 0;
    for (double latency = 0.5; latency < 1e19; latency *= 1.01) {
        const auto bucket = latency_median::bucket_of(latency);
        CHECK(bucket >= last);
        last = bucket;
    }
    CHECK(last < 256);
    CHECK(latency_median::bucket_of(-1) == latency_median::bucket_of(1));
    CHECK(latency_median::bucket_of(1e300) == latency_median::bucket_of(9.2e18));
    CHECK(latency_median::bucket_of(5e8) != latency_median::bucket_of(5e8 * 1.26));
}

TEST_CASE("moves from two threads leave no trace", "[threads]") {
    latency_median median;
    const auto work = [&](int seed) {
        weir::generator random{static_cast<std::uint64_t>(seed)};
        for (int i = 0; i < 3000; ++i) {
            const auto a = latency_median::bucket_of(static_cast<double>(random.below(1'000'000)));
            const auto b = latency_median::bucket_of(static_cast<double>(random.below(1'000'000)));
            median.move(latency_median::unfiled, a);
            median.move(a, b);
            median.move(b, latency_median::unfiled);
        }
    };
    std::thread other{work, 2};
    work(1);
    other.join();
    const auto alone = latency_median::bucket_of(8e6);
    median.move(latency_median::unfiled, alone);
    CHECK(latency_median::bucket_of(median.value()) == alone);
}

TEST_CASE("of two that move at once the later one counts, too: at rest the median is that of all", "[threads]") {
    const auto low = latency_median::bucket_of(1e6), high = latency_median::bucket_of(1e9);
    const auto wait_for = [](const std::atomic<int>& what, int i) {
        for (int spins = 0; what.load() < i; ++spins)
            if (spins > 1000) std::this_thread::yield();
    };
    const auto rounds = static_cast<int>(weir_test::repetitions(50'000));
    latency_median* shared = nullptr;
    std::atomic<int> begun{0}, ended{0};
    std::thread other{[&] {
        for (int i = 1; i <= rounds; ++i) {
            wait_for(begun, i);
            shared->move(latency_median::unfiled, low);
            ended.store(i);
        }
    }};
    int wrong = 0;
    for (int i = 1; i <= rounds; ++i) {
        latency_median median;
        shared = &median;
        median.move(latency_median::unfiled, high);
        begun.store(i);
        median.move(latency_median::unfiled, high);
        median.move(high, latency_median::unfiled);
        wait_for(ended, i);
        wrong += latency_median::bucket_of(median.value()) == low ? 0 : 1;
    }
    other.join();
    CHECK(wrong == 0);
}
