#pragma once

// What weir balances: backends with their idle connections; the selectors by name; and what all threads share.

#include "stream.hpp"

#include <nlohmann/json.hpp>
#include <weir/weir.hpp>

#include <atomic>
#include <functional>

namespace tiny_proxy {

/// Weir's registry owns it, and destroys it when its last lease is gone.
struct backend {
    struct idle_connection {
        socket sock;
        clock::time_point since;
    };

    /// The connection used last that is still quiet. One that became readable was closed, or speaks without being asked.
    socket take(std::size_t thread, asio::io_context& context) {
        for (auto& list = idle[thread]; !list.empty();) {
            socket s = std::move(list.back().sock);
            list.pop_back();
            if (stream::peek(s) < 0) return s;
        }
        return socket(context);
    }

    std::string address;
    std::vector<tcp::endpoint> endpoints;
    std::vector<std::vector<idle_connection>> idle;  // by thread, so that nobody locks
};

inline const std::string& identity(const backend& b) { return b.address; }  // weir finds it by its name

using registry = weir::registry<backend>;
using picker = std::function<weir::lease<backend>(const weir::pick_options&)>;

template <class Selector>
picker bind(registry& backends) {
    return [selector = Selector(backends)](const weir::pick_options& how) { return selector.pick(how); };
}

/// Every selector by its name: one more is one line more.
inline const std::pair<std::string_view, picker (*)(registry&)> selectors[] = {
    {"round_robin", bind<weir::round_robin<backend>>},
    {"random", bind<weir::random<backend>>},
    {"least_connections", bind<weir::least_connections<backend>>},
    {"power_of_two", bind<weir::power_of_two<backend>>},
    {"peak_ewma", bind<weir::choices<backend, weir::peak_ewma>>},
    {"ring_hash", bind<weir::ring_hash<backend>>},
    {"bounded_ring_hash", bind<weir::basic_selector<backend, weir::bounded_load<weir::ring_hash_policy>>>},
};

struct limits {
    std::string key = "path";
    std::uint64_t max_body = std::uint64_t{4} << 30;
    unsigned connect = 1'000, request = 10'000, response = 30'000, idle = 60'000, grace = 30'000;  // ms
};

/// What all threads share.
struct proxy {
    struct limits limits;
    registry backends;
    picker pick;
    std::atomic<std::uint64_t> requests = 0, retried = 0, refused = 0, failed = 0;
    std::atomic<bool> stopping = false;
    std::atomic<when> cut_off = when::max();

    std::string stats() const {
        nlohmann::json all{{"requests", requests.load()}, {"retried", retried.load()}, {"refused", refused.load()}};
        all["failed"] = failed.load();
        for (const auto& m : backends.members()) {
            const auto& o = m.outcomes;
            nlohmann::json one{{"backend", m.identity}, {"conditions", to_string(m.conditions)}};
            one.update({{"in_flight", m.in_flight}, {"success", o.success}, {"failure", o.failure}});
            one.update({{"timeout", o.timeout}, {"connect_failure", o.connect_failure}, {"cancelled", o.cancelled}});
            all["backends"].push_back(one);
        }
        return all.dump(1);
    }
};

/// One thread and its share of the connections, which no other thread touches.
struct worker {
    proxy& shared;
    std::size_t index;
    asio::io_context context{1};
    stream::list streams;
};

/// Tries an unreachable backend, and lets traffic back.
inline task<> probe(worker& w, weir::backend_id id) {
    std::vector<tcp::endpoint> endpoints;
    w.shared.backends.visit(id, [&](backend& b) { endpoints = b.endpoints; });
    stream s(w.streams, socket(w.context));
    const auto ec = co_await s.connect(endpoints, after(w.shared.limits.connect));
    if (!ec) w.shared.backends.clear(id, weir::condition::unreachable);
}

/// All timeouts of one thread. Ends when the proxy stops and the thread's last stream is gone.
inline task<> tick(worker& w) {
    timer next(w.context);
    for (unsigned ticks = 0; !w.shared.stopping || !w.streams.empty(); ++ticks) {
        next.expires_after(100ms);
        co_await next.async_wait(as_result);
        const auto now = clock::now();
        for (stream& s : w.streams) {
            s.check(now);
            if ((s.idle && w.shared.stopping) || now > w.shared.cut_off.load()) s.abort();
        }
        const auto old = [&](auto& c) { return now - c.since > ms(w.shared.limits.idle); };
        for (const auto& m : w.shared.backends.members()) {
            w.shared.backends.visit(m.id, [&](backend& b) { std::erase_if(b.idle[w.index], old); });
            if (w.index == 0 && !w.shared.stopping && ticks % 3 == 0 && m.conditions.has(weir::condition::unreachable))
                co_spawn(w.context, probe(w, m.id), asio::detached);
        }
    }
}

}  // namespace tiny_proxy
