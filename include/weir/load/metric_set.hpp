#pragma once

#include "load_index_source.hpp"
#include "metric.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

namespace detail {

/// One metric of one registry, without its type.
struct metric_pool {
    metric_pool(const void* tag, clock_function c) : type{tag}, clock{c} {}
    metric_pool(const metric_pool&) = delete;
    metric_pool& operator=(const metric_pool&) = delete;
    const void* const type;      // instead of run-time type information, which some do without
    const clock_function clock;  // the registry's
    virtual std::unique_ptr<metric_cell> make_cell(const std::shared_ptr<metric_pool>& self) const = 0;
    virtual ~metric_pool() = default;
};

template <stateful_metric M>
struct metric_pool_of final : metric_pool {
    static inline char tag = 0;  // not a constant: a linker may fold equal constants of different types into one
    metric_pool_of(const M& m, clock_function c) : metric_pool{&tag, c}, metric{m} {}

    struct cell final : metric_cell {
        explicit cell(std::shared_ptr<metric_pool_of> owner) : owner_{std::move(owner)} {
            pool = owner_.get();
            timed = M::timed;
            if constexpr (fits) std::construct_at(reinterpret_cast<typename M::state*>(room));
        }
        ~cell() override {
            if constexpr (fits) std::destroy_at(&state());
        }
        [[nodiscard]] WEIR_ALWAYS_INLINE typename M::state& state() noexcept {
            if constexpr (fits)
                return *std::launder(reinterpret_cast<typename M::state*>(room));
            else
                return elsewhere_.state;
        }
        void on_start(std::chrono::nanoseconds started) noexcept override { tell_start(started); }
        void on_end(outcome how, std::chrono::nanoseconds latency, std::chrono::nanoseconds now,
                    std::chrono::nanoseconds started) noexcept override {
            tell_end(how, latency, now, started);
        }
        std::chrono::nanoseconds start_alone(std::chrono::nanoseconds now, clock_function clock) noexcept override {
            const auto started = !M::timed ? untimed : now != untimed ? now : clock();
            tell_start(started);
            return started;
        }
        void end_alone(lease_word& word, outcome how, std::chrono::nanoseconds started,
                       std::chrono::nanoseconds latency) noexcept override {
            const lease_end end{started, latency, of_pool().clock};
            tell_end(how, end.latency, end.now, started);
            if (end_lease(word, how)) [[unlikely]]
                lease_entry::of(word).owner->dispose();
        }
        void on_eligible(bool eligible) noexcept override {
            if (eligible)
                of_pool().metric.join(of_pool().shared, state());
            else
                of_pool().metric.leave(of_pool().shared, state());
        }

    private:
        static constexpr bool fits = sizeof(typename M::state) <= sizeof(room) &&
                                     alignof(typename M::state) <= alignof(std::uint64_t);
        struct nothing {};
        struct own_lines {
            alignas((std::max)(cache_line, alignof(typename M::state))) typename M::state state{};
        };

        /// The same as `owner_`, from the line that is read anyway.
        [[nodiscard]] WEIR_ALWAYS_INLINE metric_pool_of& of_pool() const noexcept {
            return *static_cast<metric_pool_of*>(const_cast<void*>(pool));
        }
        WEIR_ALWAYS_INLINE void tell_start([[maybe_unused]] std::chrono::nanoseconds started) noexcept {
            const M& m = of_pool().metric;
            if constexpr (requires { m.on_start(of_pool().shared, state(), started); }) {
                static_assert(M::timed, "weir: on_start with a time is for metrics that are `timed`");
                m.on_start(of_pool().shared, state(), started);
            } else if constexpr (requires { m.on_start(of_pool().shared, state()); }) {
                m.on_start(of_pool().shared, state());
            } else {
                static_assert(
                    !requires { &M::on_start; },
                    "weir: on_start is `void on_start(pool&, state&[, std::chrono::nanoseconds]) const noexcept`");
            }
        }
        WEIR_ALWAYS_INLINE void tell_end(outcome how, std::chrono::nanoseconds latency, std::chrono::nanoseconds now,
                                         [[maybe_unused]] std::chrono::nanoseconds started) noexcept {
            if constexpr (ends_with_start<M>)
                of_pool().metric.on_end(of_pool().shared, state(), how, latency, now, started);
            else
                of_pool().metric.on_end(of_pool().shared, state(), how, latency, now);
        }

        const std::shared_ptr<metric_pool_of> owner_;
        [[no_unique_address]] std::conditional_t<fits, nothing, own_lines> elsewhere_{};
    };

    std::unique_ptr<metric_cell> make_cell(const std::shared_ptr<metric_pool>& self) const override {
        return std::make_unique<cell>(std::static_pointer_cast<metric_pool_of>(self));
    }

    const M metric;
    alignas(cache_line) typename M::pool shared{};
};

}  // namespace detail

/// The metrics with state that the selectors of one registry use; given to a policy's state when a selector is made.
/// A metric stays with its registry, and is fed, when its last selector is gone: the next one starts with what it knows.
class metric_set {
public:
    explicit metric_set(detail::clock_function of_registry) noexcept : clock_{of_registry} {}

    /// The registry's clock, for policies that note when something happened.
    [[nodiscard]] detail::clock_function clock() const noexcept { return clock_; }

    /// The pool of `m`: the one that an equal metric uses already, or a new one.
    template <stateful_metric M>
    std::shared_ptr<detail::metric_pool_of<M>> use(const M& m) {
        for (const auto& known : pools_)
            if (known->type == &detail::metric_pool_of<M>::tag)
                if (auto same = std::static_pointer_cast<detail::metric_pool_of<M>>(known); same->metric == m)
                    return same;
        auto fresh = std::make_shared<detail::metric_pool_of<M>>(m, clock_);
        pools_.push_back(fresh);
        return fresh;
    }

    /// Asks the registry to keep an index of its members by leases in flight, for as long as it lives.
    std::shared_ptr<load_index_source> use_index() {
        if (index_ == nullptr) index_ = std::make_shared<load_index_source>();
        return index_;
    }

    [[nodiscard]] const std::vector<std::shared_ptr<detail::metric_pool>>& pools() const noexcept { return pools_; }
    /// Null: nobody has asked.
    [[nodiscard]] load_index_source* index() const noexcept { return index_.get(); }

private:
    detail::clock_function clock_;
    std::vector<std::shared_ptr<detail::metric_pool>> pools_;
    std::shared_ptr<load_index_source> index_;
};

}  // namespace weir::inline WEIR_ABI
