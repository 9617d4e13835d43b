#pragma once

#include "../registry/hub.hpp"
#include "failure_runs.hpp"
#include "outlier_report.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

// What one poll of an outlier detector asks of the registry, and what it gets: the cap is kept here.
namespace weir::inline WEIR_ABI::detail {

/// All requests and failures of a backend since it was added.
[[nodiscard]] inline request_sample requests_of(const record_base& r) noexcept {
    const outcome_counts c = r.outcomes();
    const std::uint64_t failures = c.failure + c.timeout + c.connect_failure + c.gateway_failure;
    return {.requests = c.success + failures, .failures = failures};
}

/// A pool as far as ejections count it.
class ejection_census {
public:
    explicit ejection_census(weir::condition cause) noexcept : cause_{cause} {}

    void count(conditions c, std::uint32_t weight) noexcept {
        ++members_;
        move(c, weight, 1);
    }
    void change(conditions from, conditions to, std::uint32_t weight) noexcept {
        move(from, weight, ~std::uint64_t{0});
        move(to, weight, 1);
    }
    /// Neither out nor on trial, and eligible.
    [[nodiscard]] bool is_full(conditions c, std::uint32_t weight) const noexcept {
        return weight > 0 && !c.exclude() && !c.has(condition::half_open);
    }
    [[nodiscard]] std::uint64_t members() const noexcept { return members_; }
    [[nodiscard]] std::uint64_t ejected() const noexcept { return ejected_; }
    [[nodiscard]] std::uint64_t half_open() const noexcept { return half_open_; }
    [[nodiscard]] std::uint64_t full() const noexcept { return full_; }

private:
    void move(conditions c, std::uint32_t weight, std::uint64_t by) noexcept {
        if (c.has(cause_))
            ejected_ += by;
        else if (c.has(condition::half_open))
            half_open_ += by;
        if (is_full(c, weight)) full_ += by;
    }

    weir::condition cause_;
    std::uint64_t members_ = 0, ejected_ = 0, half_open_ = 0, full_ = 0;
};

/// One thing that a poll would like to do with a backend.
struct ejection_request {
    enum class kind : std::uint8_t { full_return, end_of_ejection, too_many_out, ejection };  // granted in this order

    kind what;
    backend_id id;
    outlier_rule rule = outlier_rule::trial;  // the rest is of ejections
    outlier_verdict why = {};
    double urgency = 0;

    bool refused = false;                     // the answer
    std::optional<outlier_phase> phase = {};  // where the backend went, if anywhere
    request_sample seen = {};                 // all its requests up to then
};

class ejection_round {
public:
    ejection_round(const outlier_options& o, const metric_pool_of<failure_runs>* p) : options_{o}, pool_{p} {}

    std::vector<ejection_request> requests;

    /// Grants what may be. Under the writer's lock, on what an update is about to publish.
    void decide(draft& d) {
        using kind = ejection_request::kind;
        // Who comes back makes room for who goes; then what fails now before what failed since the last sweep, and the
        // worst first.
        std::sort(requests.begin(), requests.end(), [](const auto& a, const auto& b) {
            return std::tuple{a.what, -a.urgency, a.id} < std::tuple{b.what, -b.urgency, b.id};
        });
        ejection_census pool{options_.condition};
        for (const record_base* r : d.read().records)
            if (r != nullptr) pool.count(d.conditions_of(r->id), weight_of(d, r->id));
        for (ejection_request& one : requests) {
            if (!d.has(one.id)) continue;
            record_base& r = *d.read().records[one.id.slot];
            one.seen = requests_of(r);
            switch (one.what) {
            case kind::full_return: bring_back(d, pool, r, one, false); break;
            case kind::end_of_ejection: bring_back(d, pool, r, one, true); break;
            case kind::too_many_out:
                if (pool.full() == 0 || (pool.ejected() > cap(pool) && d.conditions_of(one.id).has(options_.condition)))
                    bring_back(d, pool, r, one, true);
                break;
            case kind::ejection: eject(d, pool, r, one); break;
            }
        }
    }

    failure_runs::state& state_of(record_base& r) const noexcept {
        return static_cast<metric_pool_of<failure_runs>::cell*>(r.find_metric(pool_))->state();
    }

private:
    static std::uint32_t weight_of(const draft& d, backend_id id) noexcept { return d.read().weights[id.slot]; }
    [[nodiscard]] std::uint64_t cap(const ejection_census& pool) const noexcept {
        return ejection_cap(options_.max_ejected_share, pool.members());
    }
    static void set(draft& d, ejection_census& pool, backend_id id, conditions next) {
        pool.change(d.conditions_of(id), next, weight_of(d, id));
        d.set_conditions(id, next);
    }

    /// By way of a trial, unless there is nobody else to carry the load meanwhile.
    void bring_back(draft& d, ejection_census& pool, record_base& r, ejection_request& one, bool on_trial) {
        const conditions now = d.conditions_of(r.id), free = now.without(options_.condition);
        failure_runs::state& state = state_of(r);
        if (on_trial && now.has(options_.condition) && options_.trial_requests && !free.has(condition::half_open) &&
            pool.full() > 0) {
            failure_runs::trial_start(state, r.half_open_limit, *options_.trial_requests);
            set(d, pool, r.id, free.with(condition::half_open));
            one.phase = outlier_phase::half_open;
        } else {
            const bool ours = failure_runs::trial_end(state);
            set(d, pool, r.id, ours ? free.without(condition::half_open) : free);
            one.phase = outlier_phase::in_service;
        }
    }

    void eject(draft& d, ejection_census& pool, record_base& r, ejection_request& one) {
        failure_runs::state& state = state_of(r);
        state.reached.store(0, std::memory_order_relaxed);
        const conditions now = d.conditions_of(r.id);
        const bool on_trial = one.rule == outlier_rule::trial;
        // Out already: nothing to gain. A failed trial counts all the same.
        if (now.has(options_.condition) || (!on_trial && (now.exclude() || weight_of(d, r.id) == 0))) return;
        const bool last = pool.full() <= (pool.is_full(now, weight_of(d, r.id)) ? 1u : 0u);
        const std::uint64_t out = pool.ejected() + pool.half_open() + (now.has(condition::half_open) ? 0 : 1);
        one.refused = last || out > cap(pool);
        if (!one.refused) {
            if (on_trial) failure_runs::trial_end(state);
            set(d, pool, r.id, (on_trial ? now.without(condition::half_open) : now).with(options_.condition));
            one.phase = outlier_phase::ejected;
        } else if (on_trial && last) {
            bring_back(d, pool, r, one, false);
        } else if (on_trial) {
            failure_runs::trial_start(state, r.half_open_limit, *options_.trial_requests);
        }
    }

    const outlier_options& options_;
    const metric_pool_of<failure_runs>* pool_;
};

}  // namespace weir::inline WEIR_ABI::detail
