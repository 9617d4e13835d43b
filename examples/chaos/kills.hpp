#pragma once

// A backend is killed under load.

#include "scenario.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <fstream>
#include <unordered_map>

namespace chaos {

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

/// How many of these kills found requests under way.
inline std::uint64_t under_load(const load& l, const std::vector<clock::time_point>& kills) {
    return static_cast<std::uint64_t>(std::ranges::count_if(kills, [&](clock::time_point t) {
        return std::ranges::any_of(l.all, [&](const request& r) { return r.began < t && r.ended > t; });
    }));
}

inline void kill_gets(const settings& set, figures& table) {
    stage s(set.run, {.proxy = {"--retries", "2"}});
    load l({.port = s.port, .requests = set.requests});
    const auto kills = kill_five_times(s, l, set.requests);
    const auto a = summary(l, s);
    table.head();
    table.exactly("backend killed under load, times", 5, under_load(l, kills));
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
    // The delay lies between a request's execution and its answer: whoever tries again after a kill executes twice.
    stage s(set.run, {.backend = {"--delay", "1", "--log", log.path()}, .proxy = {"--retries", "2"}});
    // Without a body, so that nothing but the method forbids to send them again.
    load l({.port = s.port, .requests = set.requests, .start = "POST /order/"});
    const auto kills = kill_five_times(s, l, set.requests);
    const auto a = summary(l, s);
    const auto executed = log.executions("/order/");
    const auto ran = [&](const request& r) { return executed.contains(r.id); };
    std::printf("  %zu ids in the backends' log, %llu of them of requests that were refused\n", executed.size(),
                number(count(l, [&](const request& r) { return r.how == ending::refused && ran(r); })));
    table.head();
    table.exactly("backend killed under load, times", 5, under_load(l, kills));
    table.count("POSTs executed twice of " + std::to_string(a.requests), 0,
                static_cast<std::uint64_t>(std::ranges::count_if(executed, [](auto& e) { return e.second > 1; })));
    table.count("POSTs answered, but not executed", 0,
                count(l, [&](const request& r) { return r.how == ending::answered && !ran(r); }));
    table.count("POSTs neither answered nor refused with a reason", 0, a.count(ending::failed) + a.count(ending::cut));
}

inline void kill_without_retries(const settings& set, figures& table) {
    const auto requests = (std::min)(set.requests, std::uint64_t{50'000});
    // Not as fast as it can: what is sent while the system still closes the connections of a killed backend is lost, too.
    stage s(set.run, {.backend = {"--delay", "5"}, .proxy = {"--retries", "0"}});
    load l({.port = s.port, .requests = requests, .think = ms(2)});
    auto kills = kill_five_times(s, l, requests);
    summary(l, s);
    table.head();
    table.exactly("backend killed under load, times", 5, under_load(l, kills));
    const auto early = count(l, [&](const request& r) { return r.how != ending::answered && r.ended < kills[0]; });
    table.count("errors before the first kill", 0, early);
    kills.push_back(clock::time_point::max());
    for (std::size_t k = 0; k + 1 < kills.size(); ++k) {
        const auto by_this = [&](const request& r) {
            return r.how != ending::answered && r.ended >= kills[k] && r.ended < kills[k + 1];
        };
        const auto sent_later = count(l, [&](const request& r) { return by_this(r) && r.began > kills[k]; });
        table.count(text("errors of 32 connections by kill %d (%llu sent to it later)", int(k + 1), number(sent_later)),
                    8, count(l, by_this), true);
    }
}

}  // namespace chaos
