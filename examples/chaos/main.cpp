// What the library promises where backends die, hang, fail, return and leave, shown live: a proxy, its backends and their
// load are started here, on loopback, and each promise is a figure asked beside the figure reached.

#include "../common/program.hpp"
#include "scenarios.hpp"

int main(int argc, char** argv) {
    chaos::settings set;
    std::string name;
    bool list = false;
    examples::program app{"chaos", "Live proofs: a proxy whose backends die, hang, fail, return and leave under load"};
    app.add_option("name", name, "which scenario; all: each after the other");
    app.add_flag("--list", list, "print the scenarios");
    app.add_option("--requests", set.requests, "instead of 1000000 where so many are asked")
        ->check(CLI::Range(1000, 100'000'000));
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
