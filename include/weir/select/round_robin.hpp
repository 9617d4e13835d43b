#pragma once

#include "../selector.hpp"
#include "../tables/rotation.hpp"

#include <array>
#include <atomic>
#include <concepts>
#include <cstdint>

namespace weir::inline WEIR_ABI {

/// One cursor for all threads: exact across threads, at the price of a locked addition a pick on one shared line.
class shared_cursor {
public:
    static constexpr std::uint32_t lanes = 1;
    [[nodiscard]] static constexpr std::uint32_t lane(const query&) noexcept { return 0; }
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint64_t take(std::uint32_t) noexcept {
        return turn_.fetch_add(1, std::memory_order_relaxed);
    }
    /// The next turn of a lane.
    [[nodiscard]] std::uint64_t turn(std::uint32_t) const noexcept { return turn_.load(std::memory_order_relaxed); }

private:
    alignas(detail::cache_line) std::atomic<std::uint64_t> turn_{0};
};

/// A cursor for each thread: a pick writes no shared line, and each thread's own sequence is exact. The threads begin at
/// different places, spread over the cycle, so that they do not march in step. Over all threads a backend is off by what
/// each of them is off, less than a pick a thread. From the 65th thread at once on, threads share one cursor; so do picks
/// inside the function of another pick.
class per_thread_cursor {
public:
    static constexpr std::uint32_t lanes = detail::own_stripes + 1;
    [[nodiscard]] WEIR_ALWAYS_INLINE static std::uint32_t lane(const query& q) noexcept {
        return (std::min)(q.stripe(), detail::own_stripes);
    }
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint64_t take(std::uint32_t lane) noexcept {
        auto& turn = turns_[lane].next;
        if (lane == detail::own_stripes) [[unlikely]]
            return turn.fetch_add(1, std::memory_order_relaxed);
        const std::uint64_t now = turn.load(std::memory_order_relaxed);
        turn.store(now + 1, std::memory_order_relaxed);  // nobody else writes it
        return now;
    }
    [[nodiscard]] std::uint64_t turn(std::uint32_t lane) const noexcept {
        return turns_[lane].next.load(std::memory_order_relaxed);
    }

private:
    struct alignas(detail::cache_line) line {
        std::atomic<std::uint64_t> next{0};
    };
    line turns_[lanes];
};

/// Takes the backends in turn: plain where weights are equal, interleaved as nginx does where they differ.
///
/// Rule: equal weights: by slot, going on after the last one picked across every update. Different weights: the smooth
/// sequence, written out for a whole cycle (sum / gcd of the weights, up to 65,536 picks). Longer cycles: the multiples
/// of the golden ratio walk through intervals of the weights' lengths, which spreads each backend's turns evenly, needs
/// no position but the counter, and is off from the exact share by a few picks at most at any time. Across updates each
/// backend keeps what it is owed, newcomers start at 0; an update that changes no turn changes nothing.
/// Complexity: O(1) a pick (long cycles: one search within a bucket); an update: see `rotation`.
/// Memory: 12 bytes an entry of the cycle, 16 where weights differ; at least 6 KiB. `per_thread_cursor`: 12 KiB more; and
/// where weights differ and an update changes turns, a cycle for each thread that has picked: such updates take as many
/// times longer.
/// Thread safety: `shared_cursor`: exact across threads, through a locked addition a pick. `per_thread_cursor`: exact
/// within each thread, writes nothing that is shared.
/// Bias: none over a cycle. Of equal weights, one that is out when its turn would come has lost it: one that always is,
/// however short, gets nothing. Where the one in turn is excluded or full, the pick is drawn at random from the cycle, so
/// that its neighbour is not favoured; it counts as a turn.
/// One backend: that one. None: the error.
/// Source: nginx (smooth weighted round robin); Weyl's equidistribution for long cycles.
template <class Cursor>
struct rotation_policy {
    using state = Cursor;
    static constexpr bool eligible_only = true;
    using always_chooses = rotation_policy;
    using has_records = rotation_policy;
    struct table {
        std::array<rotation, Cursor::lanes> lanes;
    };

    [[nodiscard]] table build(const view& v, const before<table>* b, const state& s) const {
        table t;
        rotation::common shared;
        const bool same = b != nullptr && rotation::same_turns(v, b->members);
        for (const bool picked : {true, false})  // who has not picked yet joins in the cycle of one who has
            for (std::uint32_t i = 0; i < Cursor::lanes; ++i) {
                const std::uint64_t now = s.turn(i);
                if ((now > 0) != picked) continue;
                if (b != nullptr && (picked || same))
                    t.lanes[i] = rotation{v, shared, now, b->members, b->table.lanes[i], same};
                else  // at a place of its own: the multiples of the golden ratio lie apart
                    t.lanes[i] = rotation{v, shared, now, i * std::uint64_t{0x9e3779b97f4a7c15}};
            }
        return t;
    }

    [[nodiscard]] WEIR_ALWAYS_INLINE detail::record_base& choose_record(const view& v, const table& t, state& s,
                                                                        const query& q) const noexcept {
        const std::uint32_t lane = Cursor::lane(q);
        const std::uint64_t base = t.lanes[lane].base();  // before the cursor, as below
        return t.lanes[lane].record_at(s.take(lane), base, v);
    }
    template <class Accept>
    [[nodiscard]] WEIR_ALWAYS_INLINE choice choose(const view&, const table& t, state& s, const query& q,
                                                   Accept accept) const noexcept {
        const std::uint32_t lane = Cursor::lane(q);
        const rotation& turns = t.lanes[lane];
        const std::uint64_t base = turns.base();  // before the cursor: behind a locked addition it would wait for it
        const std::uint32_t next = turns.at(s.take(lane), base);
        if constexpr (std::same_as<Accept, detail::accept_any>) return {.index = next};
        if (next != rotation::nobody && accept(next)) return {.index = next};
        if (!turns.usable()) return {};
        for (int tries = 0; tries < 8; ++tries)
            if (const std::uint32_t i = turns.draw(q.random()); accept(i))
                return {.index = i, .reason = pick_reason::rerouted};
        return {};
    }
};

using round_robin_policy = rotation_policy<shared_cursor>;

/// `rotation_policy` as a selector: `weir::round_robin next{servers};`, or with a cursor for each thread
/// `weir::round_robin<server, weir::per_thread_cursor> next{servers};`
template <class Backend, class Cursor = shared_cursor>
class round_robin : public basic_selector<Backend, rotation_policy<Cursor>> {
public:
    explicit round_robin(registry_base<Backend>& r, const selector_options& options = {})
        : basic_selector<Backend, rotation_policy<Cursor>>{r, {}, options} {}
};

template <class Registry, class... Options>
round_robin(Registry&, const Options&...) -> round_robin<typename Registry::backend_type>;

/// The same: every selector honours weights.
template <class Backend, class Cursor = shared_cursor>
using weighted_round_robin = round_robin<Backend, Cursor>;

}  // namespace weir::inline WEIR_ABI
