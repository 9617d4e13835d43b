#pragma once

#include "../load/metric_set.hpp"
#include "lease_watch.hpp"

#include <memory>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI::detail {

/// What the leases of one registry are told to: its metrics' states, its index of loads, its watch. A record gets a cell
/// for each when it is added, or when the first selector or user asks. All members are called under the writer's lock.
class metric_cells {
public:
    metric_cells(clock_function clock, std::shared_ptr<lease_watch> w) noexcept
        : metrics_{clock}, watch_{std::move(w)} {}

    [[nodiscard]] metric_set& metrics() noexcept { return metrics_; }

    void give(const std::vector<std::unique_ptr<record_base>>& fresh) {
        for (const auto& r : fresh) {
            for (const auto& pool : metrics_.pools()) r->attach(pool->make_cell(pool));
            if (watching_) r->attach(std::make_unique<watch_cell>(*r, watch_));
        }
    }
    /// After a selector brought a metric: the members get its state. A cell that is there already is kept.
    void give_all(const view& v) {
        for_each_member(v, [&](record_base& r, bool eligible) {
            for (const auto& pool : metrics_.pools()) {
                if (r.find_metric(pool.get()) != nullptr) continue;
                r.attach(pool->make_cell(pool));
                if (eligible) r.find_metric(pool.get())->on_eligible(true);
            }
        });
    }
    /// From now on all members tell the watch, those to come too.
    void watch_all(const view& v) {
        if (watching_) return;
        for_each_member(v, [&](record_base& r, bool) {
            if (r.find_metric(watch_.get()) == nullptr) r.attach(std::make_unique<watch_cell>(r, watch_));
        });
        watching_ = true;
    }

    void tell_eligible(const view& before, const view& after) noexcept {
        if (metrics_.pools().empty()) return;
        const auto tell = [](record_base& r, bool eligible) {
            for (metric_cell* c = r.metrics().load(std::memory_order_relaxed); c != nullptr; c = c->next)
                c->on_eligible(eligible);
        };
        for (std::uint32_t i = 0; i < after.slots(); ++i) {
            record_base* const was = before.is_member(i) ? &before.record(i) : nullptr;
            record_base* const is = after.is_member(i) ? &after.record(i) : nullptr;
            const bool could = before.is_eligible(i), can = after.is_eligible(i);
            if (was == is && could == can) continue;
            if (was != nullptr && could) tell(*was, false);
            if (is != nullptr && can) tell(*is, true);
        }
    }

    // The index of loads, if a selector asked for one and it is worth its keep.

    /// Before records are given their cells: whom `next` has and `current` has not is told to watch then.
    void prepare_index(const std::shared_ptr<const view>& next, const view& current) {
        load_index_source* const source = metrics_.index();
        if (source == nullptr) return;
        const auto& known = source->current.index;
        source->next = {known != nullptr && known->fits(*next) ? known : load_index::make(*next), next};
        if (source->next.index != nullptr) watch_all(current);  // who leaves, too: the update may be refused yet
    }
    void discard_index() noexcept {
        if (load_index_source* const source = metrics_.index()) source->next = {};
    }
    /// Returns the one before, which leases may still see.
    std::shared_ptr<const load_index> publish_index() noexcept {
        load_index_source* const source = metrics_.index();
        if (source == nullptr) return nullptr;
        const auto before = std::exchange(source->current, std::exchange(source->next, {}));
        load_index* const now = source->current.index.get();
        watch_->index.store(now, std::memory_order_seq_cst);
        if (now != nullptr) now->follow(*source->current.of);
        // Leases that saw another index told that one alone; what they did to their words is seen here.
        if (now != nullptr && before.index.get() != now) now->refresh_all();
        return before.index;
    }
    /// For a selector that comes between updates.
    void index_now(const std::shared_ptr<const view>& current) {
        const load_index_source* const source = metrics_.index();
        if (source == nullptr || source->current.of == current) return;
        prepare_index(current, *current);
        (void)publish_index();
    }

private:
    template <class F>
    static void for_each_member(const view& v, F&& f) {
        for (std::uint32_t i = 0; i < v.slots(); ++i)
            if (v.is_member(i)) f(v.record(i), v.is_eligible(i));
    }

    metric_set metrics_;
    const std::shared_ptr<lease_watch> watch_;
    bool watching_ = false;
};

}  // namespace weir::inline WEIR_ABI::detail
