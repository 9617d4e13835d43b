#pragma once

// The scenarios: each breaks something under load, and says what it found.

#include "report.hpp"
#include "stage.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <fstream>
#include <unordered_map>

namespace chaos {

struct settings {
    programs run{};
    std::uint64_t requests = 1'000'000;
    bool counts_only = false;
};

inline void wait(ms time) { std::this_thread::sleep_for(time); }

inline account summary(const load& l, const stage& s) {
    const account a(l.all);
    print(a, s.retried(), seconds_between(l.began, l.all.back().ended));
    return a;
}

/// SIGKILLs b0 five times, evenly spread over the load, and lets it return each time.
inline std::vector<clock::time_point> kill_five_times(stage& s, load& l, std::uint64_t requests) {
    std::vector<clock::time_point> kills;
    for (std::uint64_t k = 1; k <= 5; ++k) {
        l.wait_for(requests * (2 * k - 1) / 10);
        kills.push_back(clock::now());
        s.kill(0);
        l.wait_for((std::max)(requests * 2 * k / 10, l.done() + 1000));
        s.start(0);
        s.when_in(0);
    }
    l.finish();
    return kills;
}

inline void kill_gets(const settings& set, figures& table) {
    stage s(set.run, {});
    load l({.port = s.port, .requests = set.requests});
    kill_five_times(s, l, set.requests);
    const auto a = summary(l, s);
    table.head();
    table.exactly("backend killed under load, times", 5, 5);
    table.count("GETs lost of " + std::to_string(a.requests), 0, a.lost());
}

/// A file without a name, for all backends to append to.
class shared_log {
public:
    std::string path() const { return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd_); }

    /// How often each id stands in it.
    std::unordered_map<std::uint64_t, unsigned> executions(std::string_view prefix) const {
        std::unordered_map<std::uint64_t, unsigned> found;
        std::ifstream in(path());
        for (std::string line; std::getline(in, line);) {
            if (!line.starts_with(prefix)) throw std::runtime_error("a line of the log is not one of ours: " + line);
            ++found[std::stoull(line.substr(prefix.size()))];
        }
        return found;
    }
    ~shared_log() { ::close(fd_); }

private:
    int fd_ = ::memfd_create("executed", MFD_CLOEXEC);
};

inline void kill_posts(const settings& set, figures& table) {
    const shared_log log;
    stage s(set.run, {.backend = {"--log", log.path()}});
    load l({.port = s.port,
            .requests = set.requests,
            .start = "POST /order/",
            .end = " HTTP/1.1\r\nHost: chaos\r\nContent-Length: 4\r\n\r\nbeer"});
    kill_five_times(s, l, set.requests);
    const auto a = summary(l, s);
    const auto executed = log.executions("/order/");
    const auto twice = std::ranges::count_if(executed, [](const auto& e) { return e.second > 1; });
    std::uint64_t answered_only = 0, refused_executed = 0;
    for (const auto& r : l.all) {
        answered_only += r.how == ending::answered && !executed.contains(r.id);
        refused_executed += r.how == ending::refused && executed.contains(r.id);
    }
    std::printf("  %zu ids in the backends' log, %llu of requests that were refused\n", executed.size(),
                static_cast<unsigned long long>(refused_executed));
    table.head();
    table.exactly("backend killed under load, times", 5, 5);
    table.count("POSTs executed twice", 0, static_cast<std::uint64_t>(twice));
    table.count("answered, but not executed", 0, answered_only);
    table.count("neither answered nor refused with a reason", 0, a.count(ending::failed) + a.count(ending::cut));
}

struct scenario {
    const char* name;
    const char* what;
    void (*run)(const settings&, figures&);
};

inline constexpr scenario scenarios[] = {
    {"kill_gets", "SIGKILL one of four backends five times under GETs with retries", kill_gets},
    {"kill_posts", "the same under POSTs with unique ids, which the backends log", kill_posts},
};

inline bool play(const scenario& one, const settings& set) {
    std::printf("%s: %s\n", one.name, one.what);
    std::fflush(stdout);
    figures table(set.counts_only);
    one.run(set, table);
    std::printf("\n");
    std::fflush(stdout);
    return table.held();
}

}  // namespace chaos
