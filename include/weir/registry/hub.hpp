#pragma once

#include "../detail/function_ref.hpp"
#include "draft.hpp"
#include "metric_cells.hpp"
#include "writer_lock.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

// The registry without the type of its backends, shared with the selectors that are bound to it.
namespace weir::inline WEIR_ABI::detail {

class hub {
public:
    using observer = std::function<void(const change_event&)>;

    hub(clock_function clock_, domain& readers_)
        : clock{clock_}, readers{readers_}, watch{std::make_shared<lease_watch>(readers_)}, cells_{clock_, watch},
          last_trash_{std::make_unique<trash>()},
          nobody_{std::make_shared<const view>(std::make_shared<const roster>(), std::vector<conditions>{}, 0)},
          current_{nobody_} {
        watch->seen.store(current_.get(), std::memory_order_relaxed);
    }
    hub(const hub&) = delete;
    hub& operator=(const hub&) = delete;

    const clock_function clock;
    domain& readers;
    const std::shared_ptr<lease_watch> watch;

    /// Runs `edit(draft&)` and publishes what it changed once, or nothing at all if it or a selector throws.
    void update(function_ref<void(draft&)> edit) {
        // Outlive the lock: destroying the last handle of a selector, or what a draft refused, runs foreign code.
        std::vector<attachment_ptr> attached;
        std::unique_ptr<trash> old;
        std::unique_ptr<draft> d;
        {
            // A backend whose last lease ends in here is destroyed when the section ends: after the lock is released.
            const read_section section{readers};
            const writer_lock lock{mutex_, "an update"};
            if (current_ == nullptr) return;  // the registry is gone
            d = std::make_unique<draft>(membership_, *current_, !observers_->empty());
            const undo_on_throw undo{*d, cells_, attached};
            edit(*d);
            if (!d->changed()) return;
            old = std::make_unique<trash>();
            auto next = d->make_view(*old);
            cells_.prepare_index(next, *current_);
            cells_.give(d->added());
            attached = live_attachments();
            for (const auto& a : attached) a->prepare(next);
            events_.reserve(events_.size() + d->events().size());
            // From here on nothing throws.
            for (const auto& a : attached) a->commit(*old);
            cells_.tell_eligible(*current_, *next);
            d->settle(*old);
            old->members = std::exchange(current_, std::move(next));
            watch->seen.store(current_.get(), std::memory_order_seq_cst);
            old->index = cells_.publish_index();
            size_.store(current_->size(), std::memory_order_relaxed);
            std::move(d->events().begin(), d->events().end(), std::back_inserter(events_));
        }
        retire(old.release());
        deliver();
        watch->freed();
    }

    /// Runs `edit(draft&)`, shows what is and what it would publish to `see(const view&, const view&)`, and takes all of
    /// it back, also where one of them throws. Calls neither once the registry is gone.
    void rehearse(function_ref<void(draft&)> edit, function_ref<void(const view&, const view&)> see) {
        std::unique_ptr<draft> d;  // outlives the lock: destroying what it added runs foreign code
        const std::vector<attachment_ptr> nobody;
        const read_section section{readers};
        const writer_lock lock{mutex_, "a rehearsal"};
        if (current_ == nullptr) return;
        d = std::make_unique<draft>(membership_, *current_, false);
        const undo_on_throw undo{*d, cells_, nobody};
        edit(*d);
        trash none;
        see(*current_, *d->make_view(none));
    }

    /// Reads the current view under the writer's lock, or without it inside an update of this thread. Once the registry is
    /// gone that is an empty one: the last backends' destructors may ask.
    template <class F>
    auto read(F&& f) const {
        if (mutex_.is_mine()) return f(std::as_const(membership_), *current_);
        const writer_lock lock{mutex_, "reading"};
        return f(std::as_const(membership_), current_ != nullptr ? *current_ : *nobody_);
    }

    /// For read sections: what was published last; null once the registry is gone.
    [[nodiscard]] const view* seen() const noexcept { return watch->seen.load(std::memory_order_seq_cst); }
    [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

    /// Binds a selector: `make(metric_set&)` constructs it, then its first table is built and published.
    template <class F>
    auto attach(F&& make) {
        std::invoke_result_t<F&, metric_set&> fresh;  // outlives the lock, if its table is refused
        attach_made([&](metric_set& metrics) -> attachment_ptr { return fresh = make(metrics); });
        return fresh;
    }

    /// Lets every lease feed `m`, for whoever watches without choosing. Null once the registry is gone.
    template <stateful_metric M>
    std::shared_ptr<metric_pool_of<M>> use_metric(const M& m) {
        const writer_lock lock{mutex_, "watching"};
        if (current_ == nullptr) return nullptr;
        auto pool = cells_.metrics().use(m);
        cells_.give_all(*current_);
        return pool;
    }

    std::shared_ptr<const observer> observe(observer f) {
        auto shared = std::make_shared<const observer>(std::move(f));
        const writer_lock lock{mutex_, "observing"};
        auto all = std::make_shared<observers>();
        for (const auto& known : *observers_)
            if (!known.expired()) all->push_back(known);
        all->push_back(shared);
        observers_ = std::move(all);
        return shared;
    }

    /// Calls `f` when there is room again for picks that found none.
    std::shared_ptr<const lease_watch::subscriber> on_capacity(lease_watch::subscriber f) {
        auto shared = std::make_shared<const lease_watch::subscriber>(std::move(f));
        retired* before = nullptr;
        {
            const writer_lock lock{mutex_, "on_capacity"};
            if (current_ != nullptr) cells_.watch_all(*current_);
            before = watch->subscribe(shared);
        }
        if (before != nullptr) retire(before);
        return shared;
    }

    /// The registry goes: selectors find an empty pool, backends go with their last lease. Does not allocate.
    void close() noexcept {
        std::unique_ptr<trash> old = std::move(last_trash_);
        {
            const writer_lock lock{mutex_, "destroying a registry"};
            for (const auto& weak : attached_)
                if (const auto a = weak.lock()) a->close(*old);  // may be the last owner: retires what it had
            attached_.clear();
            watch->seen.store(nullptr, std::memory_order_seq_cst);
            old->index = cells_.publish_index();
            size_.store(0, std::memory_order_relaxed);
            old->last = std::move(current_);
        }
        retire(old.release());
    }

    void retire(retired* object) noexcept { readers.retire(object, open_slot_in(readers)); }

private:
    using attachment_ptr = std::shared_ptr<attachment>;
    using observers = std::vector<std::weak_ptr<const observer>>;

    struct undo_on_throw {
        draft& d;
        metric_cells& cells;
        const std::vector<attachment_ptr>& attached;
        ~undo_on_throw() {
            if (d.settled()) return;
            for (const auto& a : attached) a->discard();
            cells.discard_index();
            d.roll_back();
        }
    };

    void attach_made(function_ref<attachment_ptr(metric_set&)> make) {
        trash none;
        const writer_lock lock{mutex_, "making a selector"};
        const attachment_ptr fresh = make(cells_.metrics());
        if (current_ == nullptr) return;  // the registry is gone: what was never published reads as an empty pool
        cells_.give_all(*current_);
        cells_.index_now(current_);
        std::erase_if(attached_, [](const auto& a) { return a.expired(); });
        if (attached_.size() == attached_.capacity()) attached_.reserve(2 * attached_.size() + 1);
        fresh->prepare(current_);
        fresh->commit(none);
        attached_.push_back(fresh);
    }

    std::vector<attachment_ptr> live_attachments() {
        std::vector<attachment_ptr> live;
        live.reserve(attached_.size());
        for (const auto& weak : attached_)
            if (attachment_ptr a = weak.lock()) live.push_back(std::move(a));
        if (live.size() != attached_.size()) std::erase_if(attached_, [](const auto& a) { return a.expired(); });
        return live;
    }

    /// Calls the observers, in the order of publication, by one thread at a time and without a lock. A call from inside
    /// an observer leaves its events to the loop that is running.
    void deliver() noexcept {
        for (;;) {
            std::vector<change_event> batch;
            std::shared_ptr<const observers> to;
            {
                const writer_lock lock{mutex_, "delivering"};
                if (delivering_ || events_.empty()) return;
                delivering_ = true;
                batch.swap(events_);
                to = observers_;
            }
            for (const change_event& event : batch)
                for (const auto& weak : *to)
                    if (const auto call = weak.lock()) (*call)(event);
            const writer_lock lock{mutex_, "delivering"};
            delivering_ = false;
        }
    }

    mutable writer_mutex mutex_;
    membership membership_;
    metric_cells cells_;
    std::vector<std::weak_ptr<attachment>> attached_;
    std::shared_ptr<const observers> observers_ = std::make_shared<const observers>();
    std::vector<change_event> events_;
    bool delivering_ = false;
    std::unique_ptr<trash> last_trash_;
    const std::shared_ptr<const view> nobody_;
    std::shared_ptr<const view> current_;  // null once the registry is gone
    std::atomic<std::size_t> size_{0};
};

}  // namespace weir::inline WEIR_ABI::detail
