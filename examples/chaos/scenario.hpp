#pragma once

// What scenarios share.

#include "report.hpp"
#include "stage.hpp"

namespace chaos {

struct settings {
    programs run{};
    std::uint64_t requests = 1'000'000;
    int rounds = 5;     // of what is done more than once
    bool quiet = true;  // the machine has nothing else to do, so times mean something
};

inline void wait(ms time) { std::this_thread::sleep_for(time); }

inline account summary(const load& l, const stage& s) {
    const account a(l.all);
    print(a, s.retried(), seconds_between(l.began, l.all.back().ended));
    return a;
}

inline std::uint64_t count(const load& l, auto of) {
    return static_cast<std::uint64_t>(std::ranges::count_if(l.all, of));
}

/// b0's part of the requests that began in that time.
inline double share_of_b0(const load& l, clock::time_point from, ms time) {
    const auto in_time = [&](const request& r) { return r.began >= from && r.began < from + time; };
    const auto all = count(l, in_time), its = count(l, [&](const request& r) { return in_time(r) && r.backend == 0; });
    return all == 0 ? 1 : double(its) / double(all);  // where there was nothing, nothing has been shown
}

struct scenario {
    const char* name;
    const char* what;
    void (*run)(const settings&, figures&);
};

}  // namespace chaos
