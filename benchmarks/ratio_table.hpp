#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

/// Collects what Google Benchmark measures and prints it as a table of nanoseconds and of ratios to a floor of the same
/// run. A benchmark is named `row/column`; repetitions are condensed to their median, or to the lowest: what the code takes
/// while nobody disturbs it, where others use the same machine.
class ratio_table : public benchmark::ConsoleReporter {
public:
    explicit ratio_table(bool lowest = false, bool quiet = true) : lowest_{lowest}, quiet_{quiet} {}

    bool ReportContext(const Context& context) override {
        if (!quiet_) return ConsoleReporter::ReportContext(context);
        return true;
    }
    void ReportRuns(const std::vector<Run>& runs) override {
        if (!quiet_) ConsoleReporter::ReportRuns(runs);
        for (const Run& run : runs) {
            if (run.run_type != Run::RT_Iteration || failed(run)) continue;
            const std::string name = run.run_name.function_name;
            auto& times = times_[{name, static_cast<int>(run.threads)}];
            times.push_back(run.GetAdjustedRealTime() * static_cast<double>(run.threads));
        }
    }

    /// Nanoseconds of one thread's operation while `threads` run; 0 if it was not measured.
    [[nodiscard]] double time(const std::string& name, int threads = 1) const {
        const auto found = times_.find({name, threads});
        if (found == times_.end() || found->second.empty()) return 0;
        auto sorted = found->second;
        std::sort(sorted.begin(), sorted.end());
        return lowest_ ? sorted.front() : sorted[sorted.size() / 2];
    }

    /// One line a row: nanoseconds and the ratio to the floor, by column.
    void print(const std::string& title, const std::vector<std::string>& rows, const std::vector<std::string>& columns,
               const std::string& floor, int threads) const {
        const double base = time(floor, threads);
        std::printf("\n%s\n%-44s", title.c_str(), "");
        for (const auto& column : columns) std::printf(" %17s", column.c_str());
        std::printf("\n");
        for (const auto& row : rows) {
            bool any = false;
            for (const auto& column : columns) any = any || time(row + '/' + column, threads) > 0;
            if (!any) continue;
            std::printf("%-44s", row.c_str());
            for (const auto& column : columns) {
                const double ns = time(row + '/' + column, threads);
                if (ns > 0)
                    std::printf(" %7.2f ns %5.2fx", ns, base > 0 ? ns / base : 0);
                else
                    std::printf(" %17s", "");
            }
            std::printf("\n");
        }
    }

private:
    /// Google Benchmark 1.8 has renamed the member.
    template <class R>
    static bool failed(const R& run) {
        if constexpr (requires { run.error_occurred; })
            return run.error_occurred;
        else
            return static_cast<bool>(run.skipped);
    }

    bool lowest_, quiet_;
    std::map<std::pair<std::string, int>, std::vector<double>> times_;
};
