#pragma once

// What a scenario prints: an account of its requests, and a table of what was asked and what was reached.

#include "load.hpp"

#include <array>
#include <cstdio>
#include <limits>

namespace chaos {

template <class... Values>
std::string text(const char* format, Values... values) {
    char out[200];
    std::snprintf(out, sizeof out, format, values...);
    return out;
}

inline unsigned long long number(std::uint64_t n) { return n; }

/// Requests of a load, counted by how they ended.
struct account {
    template <class Of>
    account(const std::vector<request>& all, Of of) {
        std::vector<double> took;
        for (const auto& r : all) {
            if (!of(r)) continue;
            ++ends[static_cast<std::size_t>(r.how)];
            took.push_back(seconds_between(r.began, r.ended) * 1000);
        }
        requests = took.size();
        if (took.empty()) return;  // no figure of these can be held, then
        std::sort(took.begin(), took.end());
        const auto at = [&](double share) { return took[static_cast<std::size_t>(share * double(requests - 1))]; };
        p50 = at(0.5), p99 = at(0.99), longest = took.back();
    }
    explicit account(const std::vector<request>& all) : account(all, [](const request&) { return true; }) {}

    std::uint64_t count(ending how) const { return ends[static_cast<std::size_t>(how)]; }
    std::uint64_t lost() const { return requests - count(ending::answered); }

    static constexpr double nothing = std::numeric_limits<double>::infinity();
    std::uint64_t requests = 0;
    std::array<std::uint64_t, endings> ends{};
    double p50 = nothing, p99 = nothing, longest = nothing;  // ms
};

inline void print(const account& a, std::uint64_t retried, double seconds) {
    std::printf(
        "  %llu requests in %.1f s: %llu answered, %llu refused with a reason, %llu failed, %llu cut; %llu retried\n"
        "  p50 %.1f ms, p99 %.1f ms, longest %.0f ms\n",
        number(a.requests), seconds, number(a.count(ending::answered)), number(a.count(ending::refused)),
        number(a.count(ending::failed)), number(a.count(ending::cut)), number(retried), a.p50, a.p99, a.longest);
}

/// Figures asked beside figures reached. Those that need a machine with nothing else to do are printed, but fail nothing,
/// if that is not what it is.
class figures {
public:
    explicit figures(bool quiet) : quiet_(quiet) {}

    void count(const std::string& what, std::uint64_t most, std::uint64_t reached, bool needs_quiet = false) {
        const auto asked = most == 0 ? "0" : "<= " + std::to_string(most);
        row(what, asked, std::to_string(reached), reached <= most, needs_quiet);
    }
    void at_least(const std::string& what, std::uint64_t asked, std::uint64_t reached) {
        row(what, ">= " + std::to_string(asked), std::to_string(reached), reached >= asked, false);
    }
    void exactly(const std::string& what, std::uint64_t asked, std::uint64_t reached) {
        row(what, std::to_string(asked), std::to_string(reached), reached == asked, false);
    }
    void time(const std::string& what, ms most, double seconds) {
        const auto reached = seconds * 1000;
        row(what, text("<= %d ms", int(most.count())), text("%.0f ms", reached), reached <= double(most.count()), true);
    }
    void share(const std::string& what, double most, double reached) {
        row(what, text("<= %.2f %%", most * 100), text("%.2f %%", reached * 100), reached <= most, true);
    }
    void row(const std::string& what, const std::string& asked, const std::string& reached, bool held,
             bool needs_quiet) {
        std::printf("  %-62s %14s %12s  %s\n", what.c_str(), asked.c_str(), reached.c_str(), held ? "yes" : "NO");
        held_ &= held || (needs_quiet && !quiet_);
    }
    void head() const { std::printf("\n  %-62s %14s %12s  held\n", "figure", "asked", "reached"); }

    void miss() { held_ = false; }
    bool held() const { return held_; }

private:
    bool quiet_, held_ = true;
};

}  // namespace chaos
