#pragma once

// What weir balances: backends with their idle connections; the selectors by name; and what all threads share.

#include "stream.hpp"

#include <nlohmann/json.hpp>
#include <weir/weir.hpp>

#include <atomic>
#include <functional>
#include <memory>

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
    std::unique_ptr<std::atomic<bool>> probed = std::make_unique<std::atomic<bool>>(false);
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
    double connect = 1, request = 10, response = 30, idle = 60, grace = 30;  // timeouts in seconds
};

struct proxy {
    tiny_proxy::limits limits;
    registry backends;
    picker pick;
    std::atomic<std::uint64_t> requests = 0, retried = 0, refused = 0, failed = 0;
    std::atomic<bool> stopping = false;
    std::atomic<clock::time_point> cut_off = clock::time_point::max();

    std::string stats() const {
        auto list = nlohmann::json::array();
        for (const auto& m : backends.members()) {
            const auto& o = m.outcomes;
            list.push_back({{"backend", m.identity},
                            {"conditions", to_string(m.conditions)},
                            {"in_flight", m.in_flight},
                            {"success", o.success},
                            {"failure", o.failure},
                            {"timeout", o.timeout},
                            {"connect_failure", o.connect_failure},
                            {"cancelled", o.cancelled}});
        }
        return nlohmann::json{{"requests", requests.load()},
                              {"retried", retried.load()},
                              {"refused", refused.load()},
                              {"failed", failed.load()},
                              {"backends", list}}
                   .dump(1) +
               '\n';
    }
};

/// One thread and its share of the connections, which no other thread touches.
struct worker {
    proxy& shared;
    std::size_t index;
    asio::io_context context{1};
    stream::list streams;
};

/// All timeouts of one thread. Ends when the proxy stops and the thread's last stream is gone.
inline task<> tick(worker& w) {
    for (timer t(w.context); !w.shared.stopping || !w.streams.empty();) {
        t.expires_after(std::chrono::milliseconds(100));
        co_await t.async_wait(as_result);
        const auto now = clock::now();
        for (stream& s : w.streams) {
            s.check(now);
            if ((s.idle && w.shared.stopping) || now > w.shared.cut_off.load()) s.abort();
        }
        const auto old = [&](auto& c) { return now - c.since > seconds(w.shared.limits.idle); };
        for (const auto& m : w.shared.backends.members())
            w.shared.backends.visit(m.id, [&](backend& b) { std::erase_if(b.idle[w.index], old); });
    }
}

/// Connects in the background until it succeeds, then lets traffic back.
inline task<> probe(worker& w, weir::backend_id id, std::vector<tcp::endpoint> endpoints) {
    for (timer t(w.context); !w.shared.stopping;) {
        t.expires_after(std::chrono::milliseconds(250));
        co_await t.async_wait(as_result);
        stream s(w.streams, socket(w.context));
        if (!co_await s.connect(endpoints, w.shared.limits.connect)) break;
    }
    // In this order: a connect that fails between the two starts a probe of its own, and nothing stays marked for ever.
    w.shared.backends.visit(id, [](backend& b) { *b.probed = false; });
    w.shared.backends.clear(id, weir::condition::unreachable);
}

inline void mark_unreachable(worker& w, weir::backend_id id, backend& b) {
    w.shared.backends.set(id, weir::condition::unreachable);
    if (!b.probed->exchange(true)) co_spawn(w.context, probe(w, id, b.endpoints), asio::detached);
}

}  // namespace tiny_proxy
