// What the library promises where backends die, hang, fail, return and leave, shown live: a proxy, its backends and their
// load are started here, on loopback, and each promise is a figure asked beside the figure reached.

#include "../common/program.hpp"
#include "kills.hpp"
#include "returns.hpp"
#include "silence.hpp"

namespace chaos {

constexpr scenario scenarios[] = {
    {"kill_gets", "SIGKILL one of four backends five times under GETs with retries", kill_gets},
    {"kill_posts", "the same under POSTs with unique ids, which the backends log", kill_posts},
    {"kill_without_retries", "the same under GETs without retries, round robin, 32 connections", kill_without_retries},
    {"hang", "a backend that takes requests and answers none", hang},
    {"blackhole", "a backend whose address swallows everything, in a network namespace", blackhole},
    {"refuse", "a backend that refuses connections", refuse},
    {"fast_failures", "a backend that answers 500 in 1 ms among three that take 20 ms", fast_failures},
    {"readmission", "a backend that was sick and is well again, with slow start", readmission},
    {"leave", "twelve of sixteen backends leave under load", leave},
    {"outage", "all backends down, then up, panic off", outage},
};

bool play(const scenario& one, const settings& set) {
    std::printf("%s: %s\n", one.name, one.what);
    figures table(set.counts_only);
    one.run(set, table);
    std::printf("\n");
    std::fflush(stdout);
    return table.held();
}

}  // namespace chaos

int main(int argc, char** argv) {
    chaos::settings set;
    std::string name;
    bool list = false;
    examples::program app{"chaos", "Live proofs: a proxy whose backends die, hang, fail, return and leave under load"};
    app.add_option("name", name, "which scenario; all: each after the other");
    app.add_flag("--list", list, "print the scenarios");
    app.add_option("--requests", set.requests, "instead of 1000000 where so many are asked")
        ->check(CLI::Range(1000, 100'000'000));
    app.add_option("--proxy", set.run.proxy, "the proxy's program");
    app.add_option("--backend", set.run.backend, "the backends' program");
    app.add_flag("--counts-only", set.counts_only, "a missed time or share is printed, but fails nothing");
    bool held = true;
    const int code = app.run(argc, argv, [&] {
        for (const auto& one : chaos::scenarios)
            if (list) std::printf("%-20s %s\n", one.name, one.what);
        if (list) return;
        int ran = 0;
        for (const auto& one : chaos::scenarios)
            if (name == one.name || name == "all") ++ran, held &= chaos::play(one, set);
        if (ran == 0) throw std::invalid_argument("'" + name + "': expected all, or one that --list prints");
        std::printf("%s\n", held ? "every figure was reached" : "NOT every figure was reached");
    });
    return code != 0 ? code : held ? 0 : 1;
}
