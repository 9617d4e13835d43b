#include <weir/health/outlier_judge.hpp>

#include "catch.hpp"

using weir::outlier_case;
using weir::outlier_rule;

namespace {

std::vector<outlier_case> cases(const std::vector<weir::request_sample>& samples) {
    std::vector<outlier_case> all;
    for (std::uint32_t i = 0; i < samples.size(); ++i) all.push_back({.id = {i, 0}, .sample = samples[i]});
    return all;
}

const weir::outlier_options every_rule{.success_rate_by_median = weir::median_rule{.min_requests = 100},
                                       .failure_percentage = weir::percentage_rule{}};

}  // namespace

TEST_CASE("every rule judges the same samples, and says by what") {
    auto all = cases({{100, 50}, {100, 0}, {100, 0}, {100, 0}, {100, 0}});
    weir::judge_rates(all, every_rule);
    const auto& bad = all[0].verdicts;
    CHECK(bad[outlier_rule::success_rate_by_sigma].judged);
    CHECK(bad[outlier_rule::success_rate_by_sigma].outlier);
    CHECK(bad[outlier_rule::success_rate_by_sigma].value == 50);
    CHECK(bad[outlier_rule::success_rate_by_sigma].bound == Approx(52));
    CHECK(bad[outlier_rule::success_rate_by_median].outlier);
    CHECK(bad[outlier_rule::success_rate_by_median].bound == Approx(85));  // 100 - 3 x sqrt(.25 / 100) points
    CHECK(bad[outlier_rule::failure_percentage].judged);
    CHECK_FALSE(bad[outlier_rule::failure_percentage].outlier);
    CHECK(bad[outlier_rule::failure_percentage].value == 50);
    CHECK(bad[outlier_rule::failure_percentage].bound == 85);
    for (std::size_t i = 1; i < all.size(); ++i)
        for (const auto& verdict : all[i].verdicts.by_rule) CHECK_FALSE(verdict.outlier);
}

TEST_CASE("a rule judges those with enough requests, if there are enough of them") {
    struct row {
        std::uint64_t requests, backends;
        bool sigma, median, percentage;
    };
    const row rows[] = {{100, 5, true, true, true},   {99, 5, false, false, true},  {50, 5, false, false, true},
                        {49, 5, false, false, false}, {100, 4, false, true, false}, {100, 3, false, true, false},
                        {100, 2, false, false, false}};
    for (const row& r : rows) {
        INFO(r.backends << " backends with " << r.requests << " requests each");
        std::vector<weir::request_sample> samples(r.backends, {r.requests, 0});
        samples.push_back({10, 10});  // with too few of its own it neither counts nor is judged
        auto all = cases(samples);
        weir::judge_rates(all, every_rule);
        for (std::uint64_t i = 0; i < r.backends; ++i) {
            CHECK(all[i].verdicts[outlier_rule::success_rate_by_sigma].judged == r.sigma);
            CHECK(all[i].verdicts[outlier_rule::success_rate_by_median].judged == r.median);
            CHECK(all[i].verdicts[outlier_rule::failure_percentage].judged == r.percentage);
        }
        for (const auto& verdict : all.back().verdicts.by_rule) CHECK_FALSE(verdict.judged);
    }
}

TEST_CASE("the failure percentage counts from its threshold on") {
    for (const auto& [failures, outlier] : {std::pair{84u, false}, {85u, true}, {86u, true}, {100u, true}}) {
        auto all = cases({{100, failures}, {100, 0}, {100, 0}, {100, 0}, {100, 0}});
        weir::judge_rates(all, every_rule);
        CHECK(all[0].verdicts[outlier_rule::failure_percentage].outlier == outlier);
    }
}

TEST_CASE("with all rules off nobody is judged, and no backends are no outliers") {
    auto all = cases({{100, 100}, {100, 0}, {100, 0}, {100, 0}, {100, 0}});
    weir::judge_rates(all, {.success_rate_by_sigma = {}});
    for (const auto& one : all)
        for (const auto& verdict : one.verdicts.by_rule) CHECK_FALSE(verdict.judged);
    std::vector<outlier_case> none;
    CHECK_NOTHROW(weir::judge_rates(none, every_rule));
}
