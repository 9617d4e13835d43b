#pragma once

#include "../detail/branchless.hpp"
#include "../detail/wide.hpp"
#include "../load/in_flight.hpp"
#include "../load/peak_ewma.hpp"
#include "../selector.hpp"
#include "../selector/rescue.hpp"
#include "../tables/weighted_draw.hpp"

#include <algorithm>
#include <chrono>

namespace weir::inline WEIR_ABI {

/// Draws D different backends and takes the least loaded of them: almost as even as knowing all loads, at the price of
/// looking at D.
///
/// Rule: weights apply to the draws, and what is compared is load / weight; a tie goes to the first drawn, so at rest
/// the shares are the weights'. A backend that may not be chosen is drawn again, never compared.
/// Complexity: O(D) a pick, O(n) where all draws fall on those that may not be chosen; O(n) an update. Memory: 8 to
/// 16 bytes a backend where weights differ, and what the metric keeps.
/// Thread safety: picks write nothing that is shared.
/// Bias: with weights so uneven that one backend is nearly always drawn, the one that it is compared with is drawn evenly
/// among the others after a few tries. At rest that changes no share.
/// One backend: that one. None: the error. Fewer than D: all of them are compared.
/// Source: Mitzenmacher 2001. Envoy, gRPC and grpc-java draw with replacement, which may compare a backend with itself.
template <metric Metric, std::uint32_t D>
struct choices_policy {
    static_assert(D >= 2, "weir: choices compares at least 2 backends; one draw is weir::random");
    static_assert(D <= 16, "weir: choices compares at most 16 backends; to compare all use weir::least_load");

    [[no_unique_address]] Metric metric{};
    static constexpr bool timed = metric_reader<Metric>::timed;
    static constexpr bool eligible_only = true;
    using always_chooses = choices_policy;

    struct table {
        weighted_draw draw;
        typename metric_reader<Metric>::table loads;
    };
    struct state {
        state(const choices_policy& p, metric_set& metrics) : reader{p.metric, metrics} {}
        metric_reader<Metric> reader;
    };

    [[nodiscard]] table build(const view& v, const before<table>*, const state& s) const {
        return {weighted_draw{v}, s.reader.build(v)};
    }

    template <class Accept>
    [[nodiscard]] WEIR_ALWAYS_INLINE choice choose(const view& v, const table& t, state& s, const query& q,
                                                   Accept accept) const noexcept {
        const std::uint32_t n = t.draw.size();
        const std::chrono::nanoseconds now = timed ? q.now() : std::chrono::nanoseconds{0};
        if constexpr (std::same_as<Accept, detail::accept_any> && D == 2) {
            return {.index = n >= 2 ? lighter_of_two(v, t, s, q, n, now) : v.eligible().front()};
        }
        return choose_any(v, t, s, q, accept, n, now);
    }

private:
    /// Every eligible member may be chosen, and the answer is without branches on loads, which nobody can predict.
    WEIR_ALWAYS_INLINE static std::uint32_t lighter_of_two(const view& v, const table& t, state& s, const query& q,
                                                           std::uint32_t n, std::chrono::nanoseconds now) noexcept {
        if (t.draw.even()) [[likely]] {
            // Two different ranks from one random number: the second among the others, shifted past the first.
            const detail::wide first = detail::multiply(q.random(), n);
            const auto rank = static_cast<std::uint32_t>(first.high);
            auto other = static_cast<std::uint32_t>(detail::scale(first.low, n - 1));
            other += other >= rank ? 1 : 0;
            const std::uint32_t a = t.draw.index_of(v, rank), b = t.draw.index_of(v, other);
            const auto [of_a, of_b] = v.in_flight(a, b);
            const auto load_a = s.reader.score_of_equals(t.loads, a, of_a, now),
                       load_b = s.reader.score_of_equals(t.loads, b, of_b, now);
            // Not `branchless`, which costs 0.2 ns more here: of this, g++ 12, clang 16 and 19 were not seen to make a jump.
            return load_b < load_a ? b : a;
        }
        const std::uint32_t a = t.draw.draw(v, q.random());
        std::uint32_t b = t.draw.draw(v, q.random());
        for (std::uint32_t tries = 1; b == a; ++tries)
            b = tries < redraws ? t.draw.draw(v, q.random()) : another(v, q, n, a);
        const auto load_a = s.reader.score(v, t.loads, a, now), load_b = s.reader.score(v, t.loads, b, now);
        return detail::branchless(detail::lighter(load_b, v.weight(b), load_a, v.weight(a)), b, a);
    }

    static constexpr std::uint32_t redraws = 8;  // for a second backend: in vain where one has nearly all the weight
    static constexpr std::uint32_t neighbours = 32;  // of a random rank that are asked when draws were in vain

    /// An eligible member other than `one`, each as likely. `n` are eligible, two or more.
    WEIR_NEVER_INLINE static std::uint32_t another(const view& v, const query& q, std::uint32_t n,
                                                   std::uint32_t one) noexcept {
        const auto all = v.eligible();
        auto rank = static_cast<std::uint32_t>(q.random_below(n - 1));
        if (all[rank] >= one) ++rank;  // they ascend: past it, and it is past all before it
        return all[rank];
    }

    template <class Accept>
    choice choose_any(const view& v, const table& t, state& s, const query& q, Accept accept, std::uint32_t n,
                      std::chrono::nanoseconds now) const noexcept {
        if (n == 0) return {};
        std::uint32_t drawn[D];
        std::uint32_t count = 0;
        choice best;
        decltype(s.reader.score(v, t.loads, 0, now)) best_score{};
        const std::uint32_t wanted = (std::min)(D, n);
        bool refused = false;
        const auto consider = [&](std::uint32_t i) {
            if (std::find(drawn, drawn + count, i) != drawn + count) return;
            if (!accept(i)) {
                refused = true;
                return;
            }
            drawn[count++] = i;
            const auto score = s.reader.score(v, t.loads, i, now);
            // score / weight < best / its weight; the first drawn keeps a tie
            if (!best || detail::lighter(score, v.weight(i), best_score, v.weight(best.index))) {
                best.index = i;
                best_score = score;
            }
        };
        for (std::uint32_t tries = 0; count < wanted && tries < redraws * D; ++tries)
            consider(t.draw.draw(v, q.random()));
        if (count < wanted) [[unlikely]] {
            if (count == 0) {  // all draws fell on what may not be chosen: then an exact one among the others
                const choice other = detail::rescue(v, q, accept);
                if (!other) return {};
                consider(other.index);
                best.reason = other.reason;
            }
            // Draws fell on the same few: then the neighbours of a random one, so that a hung one has competition.
            auto rank = static_cast<std::uint32_t>(q.random_below(n));
            for (std::uint32_t steps = (std::min)(n, neighbours); count < wanted && steps > 0; --steps) {
                consider(v.eligible()[rank]);
                rank = rank + 1 == n ? 0 : rank + 1;
            }
        }
        if (refused && best.reason == pick_reason::chosen) best.reason = pick_reason::rerouted;
        return best;
    }
};

/// `choices_policy` as a selector: `weir::choices<server, weir::in_flight, 3> balancer{servers};`
template <class Backend, metric Metric = in_flight, std::uint32_t D = 2>
class choices : public basic_selector<Backend, choices_policy<Metric, D>> {
public:
    explicit choices(registry_base<Backend>& r, const Metric& m = Metric{}, const selector_options& options = {})
        : basic_selector<Backend, choices_policy<Metric, D>>{r, {m}, options} {}
};

template <class Registry>
choices(Registry&) -> choices<typename Registry::backend_type>;
template <class Registry, metric Metric, class... Options>
choices(Registry&, const Metric&, const Options&...) -> choices<typename Registry::backend_type, Metric>;

/// Two choices by leases in flight.
template <class Backend>
class power_of_two : public choices<Backend, in_flight, 2> {
public:
    explicit power_of_two(registry_base<Backend>& r, const selector_options& options = {})
        : choices<Backend, in_flight, 2>{r, {}, options} {}
};

template <class Registry, class... Options>
power_of_two(Registry&, const Options&...) -> power_of_two<typename Registry::backend_type>;

}  // namespace weir::inline WEIR_ABI
