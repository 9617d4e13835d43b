#pragma once

#include "lease.hpp"
#include "registry/change.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

/// Ends an observation when it goes. A call that another thread has begun by then may still run or finish: what the
/// function refers to had better be owned by it (a shared_ptr), or outlive the registry.
class [[nodiscard]] subscription {
public:
    subscription() noexcept = default;
    explicit subscription(std::shared_ptr<const void> called) noexcept : called_{std::move(called)} {}

private:
    std::shared_ptr<const void> called_;
};

/// The part of a registry that does not know its clock, to which selectors bind.
template <class Backend>
class registry_base {
    static_assert(std::is_object_v<Backend> && !std::is_const_v<Backend>,
                  "weir: a registry holds backends by value: name the type itself, without const or &");
    static_assert(std::is_nothrow_move_constructible_v<Backend> || std::is_copy_constructible_v<Backend> ||
                      std::is_move_constructible_v<Backend>,
                  "weir: a backend is moved into the registry: give it a move constructor, or hold it by unique_ptr");

public:
    using backend_type = Backend;

    registry_base(const registry_base&) = delete;
    registry_base& operator=(const registry_base&) = delete;

    /// Adds a backend and publishes; O(n). Throws std::invalid_argument for an identity that is taken or empty, for
    /// `max_in_flight` 0, and whatever the table of an attached selector refuses; then nothing has changed.
    backend_id add(Backend backend, const backend_options& options = {}) {
        backend_id id;
        update([&](auto& change) { id = change.add(std::move(backend), options); });
        return id;
    }
    /// No new leases; the backend is destroyed when its last lease is gone. From now on `inspect` does not know it, so
    /// read its counts before; `drainer` and `drain_and_wait` tell when it is idle. False for an id that is gone already.
    bool remove(backend_id id) {
        return one([&](auto& change) { return change.remove(id); });
    }
    /// 0 means no new leases. False for an id that is gone.
    bool set_weight(backend_id id, weight w) {
        return one([&](auto& change) { return change.set_weight(id, w); });
    }
    /// Sets one condition; the others stay. False for an id that is gone.
    bool set(backend_id id, condition c) {
        return one([&](auto& change) { return change.set(id, c); });
    }
    /// Clears one condition; the others stay. False for an id that is gone.
    bool clear(backend_id id, condition c) {
        return one([&](auto& change) { return change.clear(id, c); });
    }

    /// What to do when too few are eligible; off by default. Throws std::invalid_argument for a threshold outside 0 to 100.
    void set_panic(const panic_options& options) {
        update([&](auto& change) { change.set_panic(options); });
    }
    /// Too few are eligible at present. Each lease of that time says `pick_reason::panic`.
    [[nodiscard]] bool in_panic() const noexcept {
        const detail::read_section section{hub_->readers};
        const view* v = hub_->seen();
        return v != nullptr && v->in_panic();
    }

    /// Makes the members equal to a list of backends, or of pairs of a backend and its `backend_options`, by identity:
    /// who stays keeps its instance, leases, conditions and statistics, and takes over weight, limit, priority and zone.
    /// Each must have an identity, and no two the same. An unchanged list changes nothing, an empty one removes all. The
    /// list's copy of who stays is dropped: what must lead to a new instance belongs into the identity. A container of
    /// move-only backends is given away: `assign(std::move(list))`.
    template <std::ranges::input_range Range>
    assign_result assign(Range&& wanted) {
        assign_result result;
        update([&](auto& change) { result = change.assign(std::forward<Range>(wanted)); });
        return result;
    }

    /// Runs `f(change)` and publishes all its changes once, in O(n) for all of them. If it or a selector's table throws,
    /// nothing has changed. Updates wait for each other, never for a pick. Inside `f` only the verbs of `change` update:
    /// the registry's own throw std::logic_error there.
    template <class F>
    void update(F&& f) {
        const auto hub = hub_;  // an observer or a backend's destructor may destroy this registry
        hub->update([&](detail::draft& d) {
            registry_change<Backend> change{*hub, d};
            f(change);
        });
    }

    /// Runs `f(change)` as `update` does, then `see(const view& now, const view& next)` with what it would publish, and
    /// takes all of it back: nobody else sees it. Throws what an update throws before tables are built. Both functions
    /// run under the writer's lock, so that updates wait for them.
    template <class F, class See>
    void rehearse(F&& f, See&& see) {
        const auto hub = hub_;
        hub->rehearse(
            [&](detail::draft& d) {
                registry_change<Backend> change{*hub, d};
                f(change);
            },
            [&](const view& now, const view& next) { see(now, next); });
    }

    /// The member of that identity.
    [[nodiscard]] std::optional<backend_id> find(std::string_view identity) const {
        return hub_->read([&](const detail::membership& m, const view& v) -> std::optional<backend_id> {
            const auto found = m.by_identity.find(identity);
            // Inside an update of this thread the names are ahead of what is published.
            if (found == m.by_identity.end() || !v.is_member(found->second) || v.identity(found->second) != identity)
                return std::nullopt;
            return v.id(found->second);
        });
    }
    /// How many backends there are, in any condition.
    [[nodiscard]] std::size_t size() const noexcept { return hub_->size(); }

    /// All members, by slot.
    [[nodiscard]] std::vector<member> members() const {
        return hub_->read([&](const detail::membership&, const view& v) {
            std::vector<member> all;
            all.reserve(v.size());
            for (std::uint32_t i = 0; i < v.slots(); ++i)
                if (v.is_member(i)) all.push_back(describe(v, i));
            return all;
        });
    }
    /// One member; none for an id that is gone.
    [[nodiscard]] std::optional<member> inspect(backend_id id) const {
        return hub_->read([&](const detail::membership&, const view& v) -> std::optional<member> {
            if (!v.is_member(id.slot) || v.id(id.slot) != id) return std::nullopt;
            return describe(v, id.slot);
        });
    }
    /// Runs `f(backend)` on a member inside a read section (it is shared with all leases: synchronising what is in it is
    /// the backend's own business); false for an id that is gone. `f` should be short, and must
    /// not suspend.
    template <class F>
    bool visit(backend_id id, F&& f) const {
        const detail::read_section section{hub_->readers};
        const view* v = hub_->seen();
        if (v == nullptr || !v->is_member(id.slot) || v->id(id.slot) != id) return false;
        std::forward<F>(f)(static_cast<detail::record<Backend>&>(v->record(id.slot)).backend);
        return true;
    }

    /// Calls `f(event)` for each change, after it was published: in order, by one thread at a time, without a lock and
    /// outside read sections. `f` may change this registry (its events follow when the present ones are told) and must
    /// not throw. Lasts as long as the subscription.
    [[nodiscard]] subscription observe(std::function<void(const change_event&)> f) {
        if (!f) detail::reject("observe needs a function; this one is empty");
        return subscription{hub_->observe(std::move(f))};
    }

    /// Calls `f()` when there may be room for a pick that found none: when a lease has ended, by the thread that ended it,
    /// and after an update. Once for all picks that were refused since the last call, so `f` tries again for everybody who
    /// waits, or until it is refused itself. To lose no call: subscribe; pick; when that is refused, queue, **pick once
    /// more**, and wait only if that is refused too. `f` is called without a lock and outside read sections, possibly by
    /// several threads at once, and must not throw; it may pick, end leases and change registries. It may be called in
    /// vain. Leases picked before the subscription may end untold if they do so at that very moment.
    ///
    /// Cost: from the first subscription on, ending a lease of this registry takes a read section and a fence more, about 10 ns.
    [[nodiscard]] subscription on_capacity(std::function<void()> f) {
        if (!f) detail::reject("on_capacity needs a function; this one is empty");
        return subscription{hub_->on_capacity(std::move(f))};
    }

    /// What selectors share with the registry. Not for users.
    [[nodiscard]] const std::shared_ptr<detail::hub>& hub() const noexcept { return hub_; }

protected:
    explicit registry_base(detail::clock_function clock)
        : hub_{(detail::prepare_process_domain(), std::make_shared<detail::hub>(clock, detail::process_domain))} {}
    ~registry_base() { hub_->close(); }

private:
    template <class F>
    bool one(F&& f) {
        bool known = false;
        update([&](auto& change) { known = f(change); });
        return known;
    }

    static member describe(const view& v, std::uint32_t i) {
        return {.id = v.id(i),
                .identity = std::string{v.identity(i)},
                .weight = v.weight(i),
                .conditions = v.conditions(i),
                .eligible = v.weight(i) != 0 && !v.conditions(i).exclude(),
                .in_flight = v.in_flight(i),
                .max_in_flight = v.max_in_flight(i),
                .priority = v.priority(i),
                .zone = std::string{v.zone(i)},
                .outcomes = v.record(i).outcomes()};
    }

    std::shared_ptr<detail::hub> hub_;
};

/// The thread-safe owner of the backends: membership, weights, conditions, statistics.
///
/// Every change publishes one immutable snapshot, from which picks read without a lock. `Clock` is a std::chrono clock,
/// steady where traffic is real; selectors read it only for metrics that need time. All members may be called from any
/// thread, and from inside an observer, a pick's function or a backend's destructor; a backend that goes while the registry
/// is being destroyed finds it empty. Selectors and leases may outlive it: the selectors then find it empty, too, and each
/// backend goes with its last lease, or when another thread leaves the section that sees it; it must not call the registry.
///
/// Cost: an update copies the snapshot, O(n), and rebuilds the tables of the attached selectors. `visit` and `size` wait
/// for nobody; `find`, `members` and `inspect` wait for an update that is running. Memory: 11 KiB, and about 420 bytes a
/// backend beside the backend and its identity.
template <class Backend, class Clock = std::chrono::steady_clock>
class registry : public registry_base<Backend> {
public:
    registry() : registry_base<Backend>{&now} {}

private:
    static std::chrono::nanoseconds now() noexcept {
        return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch());
    }
};

}  // namespace weir::inline WEIR_ABI
