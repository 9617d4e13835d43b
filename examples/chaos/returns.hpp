#pragma once

// Backends fail fast, return, leave for good, or go all at once.

#include "scenario.hpp"

namespace chaos {

constexpr double fair = 0.25;

/// By how the selector measures load; then with an outlier detector, and a rotation, which goes on asking.
inline void fast_failures(const settings& set, figures& table) {
    const strings backend{"--delay", "20", "--error-delay", "1"};
    const auto lost_elsewhere = [](const request& r) {
        return r.how != ending::answered && (r.how != ending::failed || r.backend != 0);
    };
    for (const std::string selector : {"peak_ewma", "ewma", "least_response_time"}) {
        stage s(set.run, {.backend = backend, .proxy = {"--balance", selector, "--retries", "0"}});
        load l({.port = s.port});
        wait(ms(2000));
        const auto from = clock::now();
        s.become(0, "failing");
        wait(ms(2000));
        l.finish();
        summary(l, s);
        if (selector == "peak_ewma") table.head();
        table.count(selector + ": requests lost but by the backend that fails", 0, count(l, lost_elsewhere));
        table.share(selector + ": share in the first 100 ms, below its fair one", fair, share_of_b0(l, from, ms(100)));
        table.share(selector + ": share in the first second, below its fair one", fair, share_of_b0(l, from, ms(1000)));
    }

    constexpr ms sweep{1000};
    stage s(set.run,
            {.backend = backend, .proxy = {"--retries", "0", "--outlier", "interval=1000,base=500,max=500,jitter=0"}});
    load l({.port = s.port});
    wait(ms(2000));
    const auto from = clock::now();
    s.become(0, "failing");
    const auto ejected = s.when("ejected", [&] { return s.conditions(0) == "ejected"; });
    const auto cycles = static_cast<std::uint64_t>(set.rounds);
    std::uint64_t again = 0;
    for (; again < cycles; ++again) {
        s.when("half open", [&] { return s.conditions(0) != "ejected"; });
        s.when("ejected again", [&] { return s.conditions(0) == "ejected"; });
    }
    const auto to = clock::now();
    l.finish();
    summary(l, s);
    table.count("requests lost but by the backend that fails", 0, count(l, lost_elsewhere));
    table.time("until it was ejected", sweep, seconds_between(from, ejected));
    table.exactly("ejected again, in as many cycles", cycles, again);
    const auto failed = count(
        l, [&](const request& r) { return r.how == ending::failed && r.began > ejected && r.ended < to; });
    table.count("requests that failed in these cycles: one each", cycles, failed, true);
}

inline void readmission(const settings& set, figures& table) {
    constexpr ms interval{200};
    constexpr int rise = 2;
    stage s(set.run, {.backend = {"--delay", "5"},
                      .proxy = {"--balance", "slow_start_round_robin", "--check",
                                "http:/health,interval=200,rise=2,fall=2,jitter=0.1", "--retries", "0"}});
    load l({.port = s.port});
    double longest = 0;
    std::vector<clock::time_point> ins;
    for (int round = 0; round < set.rounds; ++round) {
        wait(ms(500 + 37 * round));
        s.become(0, "sick");
        s.when_out(0);
        wait(ms(500));
        const auto from = clock::now();
        s.become(0, "well");
        ins.push_back(s.when_in(0));
        longest = (std::max)(longest, seconds_between(from, ins.back()));
        wait(ms(1500));
    }
    l.finish();
    const auto a = summary(l, s);
    double most = 0;
    for (const auto in : ins) most = (std::max)(most, share_of_b0(l, in - ms(50), ms(1050)));
    table.head();
    table.time(text("until it was back in rotation, the longest of %d times", set.rounds),
               rise * interval * 11 / 10 + ms(50), longest);
    table.share("its share in the first second, the largest of them", fair / 2, most);
    table.count("requests lost of " + std::to_string(a.requests), 0, a.lost());
}

/// Twelve of sixteen leave: six are drained until idle, then removed, six are removed at once. The program of one that
/// left is killed, so that a request that it still had would be cut.
inline void leave(const settings& set, figures& table) {
    stage s(set.run, {.backends = 16, .backend = {"--delay", "20"}, .proxy = {"--retries", "0"}});
    load l({.port = s.port, .connections = 64});
    std::uint64_t busy = 0;
    for (int i = 0; i < 12; ++i) {
        wait(ms(200));
        busy += s.member(i)["in_flight"] != 0;
        if (i % 2 == 0) {
            s.tell("drain", i);
            s.when("idle", [&] { return s.member(i)["in_flight"] == 0; });
        }
        s.tell("remove", i);
        if (i % 2 != 0) wait(ms(1000));  // nobody says any more when it is idle, so the longest that a request may take
        s.kill(i);
    }
    wait(ms(500));
    l.finish();
    const auto a = summary(l, s);
    table.head();
    table.exactly("drained and removed, or removed at once, with requests in flight", 12, busy);
    table.count("requests lost of " + std::to_string(a.requests), 0, a.lost());
    table.exactly("backends that are left", 4, s.stats()["backends"].size());
}

inline void outage(const settings& set, figures& table) {
    constexpr ms interval{500};
    stage s(set.run, {.backend = {"--delay", "5"},
                      .proxy = {"--check", "http:/health,interval=500,rise=1,fall=2,jitter=0", "--panic", "0",
                                "--retries", "2", "--response-timeout", "1000"}});
    load l({.port = s.port});
    wait(ms(1000));
    for (int i = 0; i < 4; ++i) s.kill(i);
    const auto down = clock::now();
    for (int i = 0; i < 4; ++i) s.when_out(i);
    const auto out = clock::now();
    wait(ms(2000));  // far longer than the checks need to find out
    const auto returning = clock::now();
    for (int i = 0; i < 4; ++i) s.start(i);
    const auto up = clock::now();
    clock::time_point in;
    for (int i = 0; i < 4; ++i) in = s.when_in(i);
    wait(ms(1000));
    l.finish();
    const auto a = summary(l, s);
    const account dark(l.all, [&](const request& r) { return r.began > out && r.ended < returning; });
    const auto other = count(l, [&](const request& r) {
        return r.began > out && r.ended < returning && (r.status != 503 || r.how != ending::refused);
    });
    std::printf("  all four out %.0f ms after the kill; then, until they returned:\n",
                seconds_between(down, out) * 1000);
    print(dark, 0, seconds_between(out, returning));
    table.head();
    table.at_least("answers while all were down", 1, dark.requests);
    table.count("answers but 503 with a reason among these", 0, other, true);
    table.time("the 99th percentile of these", ms(20), dark.p99 / 1000);
    table.time("the longest of these", ms(100), dark.longest / 1000);
    const auto hung = count(l, [](const request& r) { return r.ended - r.began > ms(1100); });
    table.count("requests that hung past their timeout", 0, hung, true);
    table.count("requests neither answered nor refused with a reason", 0,
                a.count(ending::failed) + a.count(ending::cut));
    table.time("until all four were in rotation again", interval, seconds_between(up, in));
    const auto after = count(l, [&](const request& r) { return r.began > in && r.how != ending::answered; });
    table.count("requests not answered after that", 0, after, true);
}

}  // namespace chaos
