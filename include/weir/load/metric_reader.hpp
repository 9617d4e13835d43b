#pragma once

#include "metric_set.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

/// A metric as a policy's state holds it: gives the score of a member, whether the metric has state or not.
template <metric M>
class metric_reader;

template <stateless_metric M>
class metric_reader<M> {
public:
    static constexpr bool timed = false;
    struct table {};

    metric_reader(const M& m, metric_set&) : metric_{m} {}

    [[nodiscard]] table build(const view&) const { return {}; }

    [[nodiscard]] WEIR_ALWAYS_INLINE auto score(const view& v, const table&, std::uint32_t index,
                                                std::chrono::nanoseconds now) const noexcept {
        return metric_.score(load_reading{v.in_flight(index), now});
    }
    /// For members of one weight: the same, as no metric without state sees weights.
    [[nodiscard]] WEIR_ALWAYS_INLINE auto score_of_equals(const table&, std::uint32_t, std::uint32_t in_flight,
                                                          std::chrono::nanoseconds now) const noexcept {
        return metric_.score(load_reading{in_flight, now});
    }

private:
    [[no_unique_address]] M metric_;
};

template <stateful_metric M>
class metric_reader<M> {
    using pool_type = detail::metric_pool_of<M>;

public:
    static constexpr bool timed = M::timed;
    /// The states of the members of one view, by index; null where a slot is free.
    struct table {
        std::vector<const typename M::state*> states;
        double mean_weight = 1;
    };

    metric_reader(const M& m, metric_set& metrics) : pool_{metrics.use(m)} {}

    [[nodiscard]] table build(const view& v) const {
        table t{std::vector<const typename M::state*>(v.slots())};
        for (std::uint32_t i = 0; i < v.slots(); ++i)
            if (v.is_member(i))
                t.states[i] = &static_cast<typename pool_type::cell*>(v.record(i).find_metric(pool_.get()))->state();
        if (!v.eligible().empty())
            t.mean_weight = static_cast<double>(v.total_weight()) / static_cast<double>(v.eligible().size());
        return t;
    }

    [[nodiscard]] WEIR_ALWAYS_INLINE auto score(const view& v, const table& t, std::uint32_t index,
                                                std::chrono::nanoseconds now) const noexcept {
        return pool_->metric.score(std::as_const(pool_->shared), *t.states[index],
                                   load_reading{.in_flight = v.in_flight(index),
                                                .now = now,
                                                .weight = static_cast<double>(v.weight(index)),
                                                .mean_weight = t.mean_weight});
    }

    /// Where all that may be chosen have one weight: the score as if it were 1.
    [[nodiscard]] WEIR_ALWAYS_INLINE auto score_of_equals(const table& t, std::uint32_t index, std::uint32_t in_flight,
                                                          std::chrono::nanoseconds now) const noexcept {
        return pool_->metric.score(std::as_const(pool_->shared), *t.states[index],
                                   load_reading{.in_flight = in_flight, .now = now});
    }

    /// What the metric shares among all backends.
    [[nodiscard]] const typename M::pool& pool() const noexcept { return pool_->shared; }

private:
    std::shared_ptr<pool_type> pool_;
};

}  // namespace weir::inline WEIR_ABI
