#pragma once

// All that a program does about the health of its backends, as its users ask for it.

#include "health_options.hpp"
#include "net.hpp"

#include <weir/asio/http_probe.hpp>
#include <weir/asio/probe_runner.hpp>
#include <weir/asio/tcp_probe.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace examples {

struct health_settings {
    std::string check;                   ///< `check_syntax`; empty: none
    std::optional<std::string> outlier;  ///< `outlier_syntax`; none: no ejections
    int panic = 50;                      ///< percent
    unsigned connect_ms = 1'000;         ///< until a connect has failed, where there are no checks

    void add_to(CLI::App& app) {
        app.add_option("--check", check, std::string("probes: ") + check_syntax);
        app.add_option("--outlier", outlier, std::string("ejections: ") + outlier_syntax)->expected(0, 1);
        app.add_option("--panic", panic, "if fewer percent are healthy, health is ignored")->check(CLI::Range(0, 100));
    }
};

inline nlohmann::json describe(const weir::member& m) {
    nlohmann::json all{{"backend", m.identity}, {"conditions", to_string(m.conditions)}, {"in_flight", m.in_flight}};
    for (std::size_t i = 0; i < weir::outcome_count; ++i) {
        const auto how = static_cast<weir::outcome>(i);
        all[std::string(to_string(how))] = m.outcomes[how];
    }
    return all;
}

inline nlohmann::json describe(const weir::check_status& s) {
    return {{"state", to_string(s.state)},
            {"streak", s.streak},
            {"passed", s.passed},
            {"failed", s.failed},
            {"timed_out", s.timed_out}};
}

inline nlohmann::json describe(const weir::outlier_report& r) {
    nlohmann::json all{{"phase", to_string(r.phase)}, {"cause", r.cause ? to_string(*r.cause) : ""},
                       {"in_a_row", r.in_a_row},      {"ejections", r.ejections},
                       {"refused", r.refused},        {"left_ms", r.left.count() / 1'000'000}};
    for (std::size_t i = 0; i < weir::outlier_rule_count; ++i) {
        const auto rule = static_cast<weir::outlier_rule>(i);
        const auto& v = r.verdicts[rule];
        if (v.judged)
            all["verdicts"][std::string(to_string(rule))] = {
                {"outlier", v.outlier}, {"value", v.value}, {"bound", v.bound}};
    }
    return all;
}

/// Runs checks and ejects outliers, on an executor. Without checks it connects to whoever is unreachable, and lets traffic
/// back to those who accept. Its executor's context and its registry must outlive it.
template <class Backend>
class health {
public:
    /// Throws std::invalid_argument, in words.
    template <class EndpointsOf>
    health(const executor& where, weir::registry_base<Backend>& backends, const health_settings& set,
           EndpointsOf endpoints_of)
        : backends_(backends) {
        backends.set_panic({.threshold_percent = set.panic});
        if (set.outlier)
            co_spawn(where, sweep(outliers_.emplace(backends, read_outliers(*set.outlier))), asio::detached);
        if (set.check.empty()) {
            co_spawn(where, reconnect(backends, endpoints_of, set.connect_ms), asio::detached);
            return;
        }
        const auto check = read_check(set.check);
        auto& checker = checker_.emplace(backends, check.times);
        if (check.http)
            probes_.emplace(where, backends, checker, weir::http_probe(check.page), endpoints_of);
        else
            probes_.emplace(where, backends, checker, weir::tcp_probe(), endpoints_of);
    }

    /// All backends, and what was found out about them.
    nlohmann::json describe() const {
        auto all = nlohmann::json::array();
        for (const auto& m : backends_.members()) {
            all.push_back(examples::describe(m));
            if (const auto found = checker_ ? checker_->status(m.id) : std::nullopt)
                all.back()["check"] = examples::describe(*found);
            if (const auto found = outliers_ ? outliers_->inspect(m.id) : std::nullopt)
                all.back()["outlier"] = examples::describe(*found);
        }
        return all;
    }

private:
    static task<> sweep(weir::outlier_detector& outliers) {
        for (;; outliers.poll()) co_await pause(std::chrono::milliseconds(20));
    }

    template <class EndpointsOf>
    static task<> reconnect(weir::registry_base<Backend>& backends, EndpointsOf endpoints_of, unsigned connect_ms) {
        const auto here = co_await asio::this_coro::executor;
        std::set<weir::backend_id> trying;  // none is tried again before its last try has ended
        for (;;) {
            co_await pause(std::chrono::milliseconds(300));
            for (const auto& m : backends.members())
                if (m.conditions.has(weir::condition::unreachable) && trying.insert(m.id).second)
                    co_spawn(here, connect(backends, m.id, endpoints_of, connect_ms),
                             [&trying, id = m.id](const std::exception_ptr&) { trying.erase(id); });
        }
    }
    template <class EndpointsOf>
    static task<> connect(weir::registry_base<Backend>& backends, weir::backend_id id, EndpointsOf endpoints_of,
                          unsigned connect_ms) {
        std::vector<tcp::endpoint> endpoints;
        backends.visit(id, [&](const Backend& b) { endpoints = endpoints_of(b); });
        const auto here = co_await asio::this_coro::executor;
        const auto socket = std::make_shared<tcp_socket>(here);
        asio::steady_timer limit(here, std::chrono::milliseconds(connect_ms));
        limit.async_wait([socket](error_code ec) {
            if (!ec) socket->close(ec);
        });
        auto [ec, reached] = co_await asio::async_connect(*socket, endpoints, as_result);
        if (!ec) backends.clear(id, weir::condition::unreachable);
    }

    weir::registry_base<Backend>& backends_;
    std::optional<weir::outlier_detector> outliers_;
    std::optional<weir::active_checker> checker_;
    std::optional<weir::probe_runner> probes_;
};

}  // namespace examples
