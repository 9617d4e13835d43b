#pragma once

#include "../detail/between.hpp"
#include "../health/active_checker.hpp"
#include "endpoint_probe.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

/// Runs the probes that an `active_checker` wants, on an executor of Boost.Asio: from its construction until `stop`.
///
///     weir::active_checker checker{servers, {.interval = 2s, .timeout = 500ms}};
///     weir::probe_runner checks{context.get_executor(), servers, checker, weir::http_probe{{.target = "/health"}},
///                               [](const server& s) { return s.endpoints; }};
///
/// Rule: calls `due` whenever it is due by the registry's clock, starts each probe as a coroutine, cancels what has missed
/// its deadline, reports the others, and has `due` publish at once what they changed. The connection that a probe keeps
/// is there for the next one of the same backend. A backend that is removed loses that connection at the next call of
/// `due`; a probe of it that is out ends for itself, and means nothing any more.
/// Memory: a few KB for each probe that is out.
/// Thread safety: none. One thread runs the executor, or it is a strand; members are called from there, or while nobody
/// runs it. (The checker is safe from anywhere.)
/// Exceptions of `due` and of the function for endpoints leave by the executor's `run`, and nothing is probed afterwards.
/// Lifetime: the executor's context, the registry and the checker must outlive it. What is still out when it goes is
/// cancelled, ends in the context, or with it, and touches none of them.
class probe_runner {
public:
    /// `endpoints_of(const Backend&)` gives a std::vector of endpoints. It runs in a read section: it should be short.
    template <class Backend, class EndpointsOf, endpoint_probe Probe>
    probe_runner(boost::asio::any_io_executor executor, const registry_base<Backend>& r, active_checker& checker,
                 Probe p, EndpointsOf endpoints_of)
        : core_{std::make_shared<core>(std::move(executor), checker)} {
        core_->clock = r.hub()->clock;
        core_->locate = [&r, f = std::move(endpoints_of)](backend_id id, std::vector<endpoint>& to) {
            return r.visit(id, [&](const Backend& b) { to = f(b); });
        };
        core_->roster = [h = r.hub()] {
            const detail::read_section section{h->readers};
            const view* const v = h->seen();
            return v != nullptr ? v->roster_version() : 0;
        };
        core_->make = [p = std::move(p)](probe_target& target) { return p(target); };
        boost::asio::co_spawn(core_->executor, run(core_), [](const std::exception_ptr& e) {
            if (e) std::rethrow_exception(e);
        });
    }
    probe_runner(const probe_runner&) = delete;
    probe_runner& operator=(const probe_runner&) = delete;
    ~probe_runner() { stop(); }

    /// For good: cancels all probes, whose results nobody learns, and closes what they kept.
    void stop() { core_->stop(); }
    /// Looks for what is due now, instead of when it expected to: members joined, or a clock was moved.
    void wake() { core_->timer.cancel(); }
    /// How many probes are out.
    [[nodiscard]] std::size_t probing() const noexcept { return core_->out.size(); }

private:
    using endpoint = boost::asio::ip::tcp::endpoint;

    struct probe_out {
        probe_out(const probe& p, std::vector<endpoint> to) : what{p}, target{std::move(to)} {}
        const probe what;
        probe_target target;
        boost::asio::cancellation_signal cancel;
    };

    /// Coroutines own it, too, and find it stopped.
    struct core : std::enable_shared_from_this<core> {
        core(boost::asio::any_io_executor e, active_checker& c)
            : executor{std::move(e)}, timer{executor}, checker{&c} {}

        [[nodiscard]] std::chrono::nanoseconds now() const { return clock(); }

        /// Gives how long there is nothing to do.
        std::chrono::nanoseconds sweep() {
            std::vector<std::shared_ptr<probe_out>> late;
            for (const auto& one : out)
                if (now() >= one->what.deadline) late.push_back(one);
            for (const auto& one : late) one->cancel.emit(boost::asio::cancellation_type::terminal);

            std::vector<endpoint> endpoints;
            if (const auto seen = roster(); std::exchange(known_roster, seen) != seen)
                std::erase_if(kept, [&](const auto& one) { return !locate(one.first, endpoints); });
            for (const probe& p : checker->due(now()))
                if (checker != nullptr && locate(p.id, endpoints)) start(p, std::move(endpoints));
            if (checker == nullptr) return {};  // an observer of what was published has stopped it
            const auto at = now();
            return detail::between(at, checker->next_due(at));
        }

        void start(const probe& p, std::vector<endpoint> endpoints) {
            const auto one = std::make_shared<probe_out>(p, std::move(endpoints));
            if (const auto known = kept.find(p.id); known != kept.end()) {
                one->target.kept = std::move(known->second);
                kept.erase(known);
            }
            out.insert(one);
            boost::asio::co_spawn(
                executor, make(one->target),
                boost::asio::bind_cancellation_slot(
                    one->cancel.slot(), [self = shared_from_this(), one](const std::exception_ptr& e, probe_result r) {
                        self->end(one, e ? probe_result::failed : r);
                    }));
        }

        void end(const std::shared_ptr<probe_out>& one, probe_result result) {
            out.erase(one);
            if (checker == nullptr) return;
            if (one->target.kept && locate(one->what.id, one->target.endpoints))  // it may be gone
                kept.insert_or_assign(one->what.id, *std::move(one->target.kept));
            if (checker->report(one->what, result, now())) timer.cancel();
        }

        void stop() {
            checker = nullptr;
            timer.cancel();
            kept.clear();
            for (const auto& one : std::vector(out.begin(), out.end()))
                one->cancel.emit(boost::asio::cancellation_type::terminal);
        }

        const boost::asio::any_io_executor executor;
        boost::asio::steady_timer timer;
        active_checker* checker;  // null: stopped
        detail::clock_function clock = nullptr;
        std::function<bool(backend_id, std::vector<endpoint>&)> locate = {};
        std::function<std::uint64_t()> roster = {};
        std::function<boost::asio::awaitable<probe_result>(probe_target&)> make = {};
        std::unordered_set<std::shared_ptr<probe_out>> out = {};
        std::unordered_map<backend_id, boost::asio::ip::tcp::socket> kept = {};
        std::uint64_t known_roster = 0;  // of which `kept` is
    };

    static boost::asio::awaitable<void> run(std::shared_ptr<core> c) {
        while (c->checker != nullptr) {
            c->timer.expires_after(c->sweep());
            co_await c->timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));  // or woken
        }
    }

    std::shared_ptr<core> core_;
};

}  // namespace weir::inline WEIR_ABI
