#pragma once

#include "../load/reported_utilization.hpp"
#include "../registry.hpp"

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::inline WEIR_ABI {

struct load_reports_options {
    bool set_weights = true;  ///< false: only the metric `reported_utilization` follows the reports
    std::chrono::nanoseconds period = std::chrono::seconds{1};  ///< between updates; above 0
    std::uint32_t mean = 100;  ///< the weight that the mean worth is written as; 1 to 1,000,000
};

/// Takes the load reports of a registry's backends, and turns them into weights: round_robin, random and all other
/// selectors over the registry then share as gRPC's weighted_round_robin does.
///
///     weir::load_reports reports{servers};
///     reports.report(lease.id(), {.utilization = 0.7, .qps = 120});  // with each reply, or when one comes
///     reports.update();                                              // from a timer, each second
///
/// Rule: at most once a period, `update` gives each backend its worth (see reported_utilization) relative to the mean,
/// from 0.01 to 10 x `mean`, rounded, at least 1; an unknown one gets the mean. This replaces the weights that were given,
/// but 0 stays 0, and until the first report counts none is touched. `add` and `assign` bring weights of their own, which
/// last until the next update. Where the weights stay, nothing is published.
/// With `set_weights` false no weight changes: least_load and choices by the metric `reported_utilization` follow.
/// Complexity: a report is O(1); an update O(n), and what publishing weights costs with the tables that are attached: a
/// hash ring has points in proportion to the sum of the weights, and had better have a registry of its own.
/// Thread safety: all members from any thread; `report` takes no lock and allocates nothing. A handle: copies share
/// everything, and may outlive the registry.
/// Source: gRFC A58 (period, clamping by 0.01 and 10), gRFC A51.
class load_reports {
public:
    /// `m` equal to the metric of a selector: the same reports; of another one they are not seen. Throws
    /// std::invalid_argument for options out of bounds.
    template <class Backend>
    explicit load_reports(registry_base<Backend>& r, const reported_utilization& m = reported_utilization{},
                          const load_reports_options& o = {})
        : hub_{r.hub()},
          shared_{(check(o),
                   hub_->attach([&](metric_set& metrics) { return std::make_shared<shared>(metrics.use(m), o); }))} {}

    /// False: the backend is gone, or the report not usable; then nothing has changed.
    bool report(backend_id id, const load_report& r, std::optional<std::chrono::nanoseconds> now = {}) const noexcept {
        const detail::read_section section{hub_->readers};
        const view* const v = hub_->seen();
        if (v == nullptr || !v->is_member(id.slot) || v->id(id.slot) != id) return false;
        return shared_->pool->metric.report(shared_->state_of(v->record(id.slot)), r, now ? *now : hub_->clock());
    }

    /// False: the latest update is younger than the period, or the registry is gone. Throws what the table of a selector
    /// refuses; then no weight has changed.
    bool update(std::optional<std::chrono::nanoseconds> given = {}) const {
        const std::chrono::nanoseconds now = given ? *given : hub_->clock();
        auto latest = shared_->latest.load(std::memory_order_relaxed);
        if (detail::between(latest, now) < shared_->options.period ||
            !shared_->latest.compare_exchange_strong(latest, now, std::memory_order_relaxed))
            return false;
        if (shared_->options.set_weights) {
            if (hub_->seen() == nullptr) return false;
            hub_->update([&](detail::draft& d) { shared_->set_weights(d, now); });
            return true;
        }
        const detail::read_section section{hub_->readers};  // the registry may go meanwhile; what is seen stays
        const view* const v = hub_->seen();
        if (v != nullptr) shared_->set_costs(*v->roster(), now);
        return v != nullptr;
    }

private:
    using metric_pool = detail::metric_pool_of<reported_utilization>;

    /// Attached as selectors are, since it uses a metric; it publishes nothing.
    struct shared final : detail::attachment {
        shared(std::shared_ptr<metric_pool> p, const load_reports_options& o) : pool{std::move(p)}, options{o} {}
        void prepare(const std::shared_ptr<const view>&) override {}
        void discard() noexcept override {}
        void commit(detail::trash&) noexcept override {}
        void close(detail::trash&) noexcept override {}

        [[nodiscard]] reported_utilization::state& state_of(detail::record_base& r) const noexcept {
            return static_cast<metric_pool::cell*>(r.find_metric(pool.get()))->state();
        }

        /// By slot; of those without a weight nothing counts.
        [[nodiscard]] std::vector<double> worths(const detail::roster& r, std::chrono::nanoseconds now) const {
            std::vector<double> all(r.records.size());
            for (std::size_t i = 0; i < all.size(); ++i)
                if (r.weights[i] != 0) all[i] = pool->metric.worth(state_of(*r.records[i]), now);
            return all;
        }
        void set_weights(detail::draft& d, std::chrono::nanoseconds now) {
            const auto all = worths(d.read(), now);
            const double mean = mean_worth(all);
            if (mean == 0 && !in_use) return;
            in_use = true;
            for (std::uint32_t i = 0; i < all.size(); ++i) {
                if (d.read().weights[i] == 0) continue;
                const double share = std::round(relative_worth(all[i], mean) * options.mean);
                d.set_weight(d.read().records[i]->id, static_cast<std::uint32_t>((std::max)(share, 1.0)));
            }
        }
        void set_costs(const detail::roster& r, std::chrono::nanoseconds now) const {
            const auto all = worths(r, now);
            const double mean = mean_worth(all);
            for (std::size_t i = 0; i < all.size(); ++i)
                if (r.records[i] != nullptr)
                    state_of(*r.records[i]).cost.store(1 / relative_worth(all[i], mean), std::memory_order_relaxed);
        }

        const std::shared_ptr<metric_pool> pool;
        const load_reports_options options;
        bool in_use = false;  // under the writer's lock
        std::atomic<std::chrono::nanoseconds> latest{(std::chrono::nanoseconds::min)()};
    };

    static void check(const load_reports_options& o) {
        if (o.period.count() <= 0)
            detail::reject("load_reports: a period of " + std::to_string(o.period.count()) + " ns is not above 0");
        if (o.mean == 0 || o.mean > 1'000'000)
            detail::reject("load_reports: a mean of " + std::to_string(o.mean) + " is not from 1 to 1000000");
    }

    std::shared_ptr<detail::hub> hub_;
    std::shared_ptr<shared> shared_;
};

}  // namespace weir::inline WEIR_ABI
