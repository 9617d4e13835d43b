#pragma once

// A backend goes silent, or refuses connections.

#include "namespace.hpp"
#include "scenario.hpp"

#include <optional>

namespace chaos {

constexpr ms check_interval{200}, check_timeout{100}, response_timeout{1000};
constexpr int check_fall = 3;
inline const strings checked{
    "--check", "http:/health,interval=200,timeout=100,rise=2,fall=3,jitter=0", "--retries", "0", "--response-timeout",
    "1000"};

/// Backend `i` goes silent by `silence`, and is back by `voice`.
template <class Silence, class Voice>
void go_silent(stage& s, figures& table, int i, int rounds, Silence silence, Voice voice) {
    load l({.port = s.port});
    double longest = 0;
    std::vector<std::pair<clock::time_point, clock::time_point>> outs;
    for (int round = 0; round < rounds; ++round) {
        wait(ms(500 + 37 * round));  // not always at the same point of an interval
        const auto from = clock::now(), since = (silence(), s.when_out(i));
        longest = (std::max)(longest, seconds_between(from, since));
        wait(ms(1000));
        outs.emplace_back(since, clock::now());
        if (round + 1 < rounds) voice(), s.when_in(i);
    }
    l.finish();
    const auto a = summary(l, s);
    const auto caught = count(l, [&](const request& r) {
        const auto within = [&](const auto& out) { return r.began > out.first && r.began < out.second; };
        return r.how != ending::answered && std::ranges::any_of(outs, within);
    });
    table.head();
    table.time(text("until it was out of rotation, the longest of %d times", rounds),
               check_fall * check_interval + check_timeout, longest);
    table.count("requests not answered, of those that began while it was out", 0, caught);
    table.count("requests neither answered nor refused with a reason", 0,
                a.count(ending::failed) + a.count(ending::cut));
}

inline void hang(const settings& set, figures& table) {
    stage s(set.run, {.backend = {"--delay", "5"}, .proxy = checked});
    go_silent(s, table, 0, 5, [&] { s.become(0, "hanging"); }, [&] { s.become(0, "well"); });
}

inline void blackhole(const settings& set, figures& table) {
    const bool held = in_own_process([&] {
        std::optional<own_network> network;
        try {
            network.emplace();
        } catch (const std::system_error& why) {
            std::printf("  LEFT OUT: this machine allows no network namespace (%s)\n", why.what());
            return true;
        }
        stage s(set.run, {.backend = {"--delay", "5"}, .proxy = checked, .host = own_network::address});
        go_silent(s, table, 3, 1, [&] { network->swallow(); }, [] {});
        return table.held();
    });
    if (!held) table.miss();
}

/// The proxy is quiet while the backend dies, so that no request is lost but by a refused connection.
inline void refuse(const settings& set, figures& table) {
    stage s(set.run, {.proxy = {"--retries", "0"}});
    for (const int connections : {1, 32}) {
        std::uint64_t worst = 0;
        for (int round = 0; round < 10; ++round) {
            load({.port = s.port, .connections = connections, .requests = 1000}).finish();
            s.kill(0);
            load l({.port = s.port, .connections = connections, .requests = 1000});
            l.finish();
            worst = (std::max)(worst, account(l.all).lost());
            if (round == 9) summary(l, s);
            s.start(0);
            s.when_in(0);
        }
        if (connections == 1) table.head();
        table.count(text("failed by refused connections, %d clients, most of 10 times", connections), 1, worst);
    }
}

}  // namespace chaos
