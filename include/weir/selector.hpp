#pragma once

#include "registry.hpp"
#include "selector/core.hpp"

#include <concepts>
#include <memory>
#include <optional>
#include <utility>

namespace weir::inline WEIR_ABI {

struct selector_options {
    /// Makes the random choices of a selector repeatable: the same seed, clock and calls from one thread give the same
    /// picks, as long as no lease or pick of others is in the way of a slot that is used again. Costs a locked addition per
    /// draw, on a line that all threads share.
    std::optional<std::uint64_t> seed = {};
};

/// What users hold: hands out leases.
///
///     lease<Backend> lease = selector.pick({.key = weir::hash(path), .exclude = failed});
///     pick_error error = selector.choose({}, [](Backend& b) { ... });
///
/// Copies are cheap and share everything; a selector may outlive its registry, and then finds it empty. Most are a
/// `basic_selector` over a policy. The exemplar of another, around any selector:
///
///     template <class S>
///     struct telling_refusals {
///         using backend_type = typename S::backend_type;
///         S inner;
///         void (*tell)(pick_error) noexcept;
///
///         lease<backend_type> pick(const pick_options& how) const noexcept {
///             auto found = inner.pick(how);
///             if (!found) tell(found.error());
///             return found;
///         }
///         template <class F>
///         pick_error choose(const pick_options& how, F&& f) const {
///             return inner.choose(how, std::forward<F>(f));
///         }
///         selector_counts counts() const noexcept { return inner.counts(); }
///     };
///
/// Models: basic_selector, and what derives from it: round_robin, random, first, ip_hash, nginx_least_conn,
/// haproxy_leastconn; least_load as least_connections and least_response_time; choices as power_of_two and p2c_peak_ewma;
/// consistent_hash as ring_hash, maglev, rendezvous, multi_probe, jump, anchor, memento and the dialects.
template <class S>
concept selector = std::copyable<S> &&
                   requires(const S& s, const pick_options& o, void (*f)(typename S::backend_type&)) {
                       { s.pick(o) } noexcept -> std::same_as<lease<typename S::backend_type>>;
                       { s.choose(o, f) } -> std::same_as<pick_error>;
                       { s.counts() } -> std::same_as<selector_counts>;
                   };

/// A policy bound to a registry: the base of every selector, and by itself a selector for any policy.
///
///     weir::basic_selector balancer{servers, my_policy{}};
///
/// A handle: copies share one table, one state and one set of counters. Thread safety: all members from any thread.
/// A pick takes no lock, allocates nothing, waits for nobody and never throws; an update of the registry rebuilds the
/// policy's table in the updating thread and publishes it with the snapshot it was built for.
template <class Backend, class Policy>
class basic_selector {
    static_assert(detail::explain_policy<Policy>::value);

public:
    using backend_type = Backend;
    using policy_type = Policy;

    /// Binds to a registry of any clock. Throws what the policy's table refuses (a hashing policy: a backend without an
    /// identity) as std::invalid_argument.
    explicit basic_selector(registry_base<Backend>& r, const Policy& p = Policy{}, const selector_options& options = {})
        : core_{r.hub()->attach([&](metric_set& metrics) {
              return std::make_shared<detail::selector_core<Policy>>(p, r.hub(), options.seed, metrics);
          })} {}

    /// Chooses a backend, pins it and counts it as in flight until the lease goes. Empty, with the error, if there is
    /// none that may be chosen.
    [[nodiscard]] WEIR_ALWAYS_INLINE lease<Backend> pick() const noexcept { return pick(detail::no_options); }
    [[nodiscard]] WEIR_ALWAYS_INLINE lease<Backend> pick(const pick_options& options) const noexcept {
        lease<Backend> result;
        core_->pick(result.picked_, options);
        return result;
    }

    /// Chooses a backend and runs `f(backend)` while it cannot go; pins and counts nothing, so limits hold only as far
    /// as leases fill them. `f` should be short, must not suspend, and may pick, complete leases and change registries.
    template <class F>
        requires std::invocable<F&, Backend&>
    WEIR_ALWAYS_INLINE pick_error choose(const pick_options& options, F&& f) const {
        return core_->choose(
            options, [&](detail::record_base& r) -> void { f(static_cast<detail::record<Backend>&>(r).backend); });
    }
    template <class F>
        requires std::invocable<F&, Backend&>
    WEIR_ALWAYS_INLINE pick_error choose(F&& f) const {
        return choose(detail::no_options, std::forward<F>(f));
    }

    /// How often each reason and each error was the answer of `pick`.
    [[nodiscard]] selector_counts counts() const noexcept { return core_->counts(); }
    [[nodiscard]] const Policy& policy() const noexcept { return core_->policy(); }

    /// Runs `f(const view&, const Policy::table&)` on what picks use now, while it cannot go; false once the registry is
    /// gone. `f` should be short and must not suspend.
    template <class F>
    bool inspect(F&& f) const {
        return core_->inspect(std::forward<F>(f));
    }

private:
    std::shared_ptr<detail::selector_core<Policy>> core_;
};

template <class Registry, class Policy, class... Options>
basic_selector(Registry&, const Policy&, const Options&...) -> basic_selector<typename Registry::backend_type, Policy>;

}  // namespace weir::inline WEIR_ABI
