#pragma once

#include "../detail/error.hpp"
#include "../selector/rescue.hpp"
#include "../tables/priority_load.hpp"
#include "../tables/view_part.hpp"

#include <algorithm>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

/// When the members of a higher priority number are taken.
enum class priority_rule : std::uint8_t {
    spread,       ///< Envoy's: a level takes over what the ones before it are too unhealthy for
    backup,       ///< HAProxy's: priority 0 as long as any of it is eligible, then the first backup that is, alone
    all_backups,  ///< the same, but then all backups together
};

struct priority_options {
    priority_rule rule = priority_rule::spread;
    std::uint32_t overprovisioning = 140;  ///< of `spread`, in percent: below 100/140 healthy, a level sheds load
};

/// Serves by `backend_options::priority`, 0 first, each level by a policy of its own: an adaptor for any policy.
///
/// Rule: `spread`: traffic is divided by priority_load, drawn at random for each pick, by its key where there is one, so
/// that no more keys move than load does; members with condition::degraded come after the healthy of all levels. `backup`
/// and `all_backups`: levels above 0 are backups. Weight 0 does not count as a member. Within a level shares are those
/// of the policy, over a table of its own. Where the level drawn has nobody who is acceptable (all excluded or at their
/// limits) the others follow in order, all healthy ones before the degraded.
/// Reasons: `spilled` for a level other than the first, taken for its load; `fallback` for one taken because the level
/// drawn had nobody; else the policy's.
/// Complexity: that of the policy, and a search among the levels; an update costs O(slots x levels). Memory: a table for
/// each level, and about 40 bytes a slot for each where there are several.
/// Thread safety: that of the policy; levels share nothing.
/// One backend: that one. None: the error.
/// Source: Envoy (priority levels, degraded endpoints); HAProxy (`backup`, `option allbackups`).
template <class Policy>
struct priority {
    static_assert(detail::explain_policy<Policy>::value);

    /// `overprovisioning` from 100 to 100,000; throws std::invalid_argument.
    explicit priority(const Policy& p = Policy{}, const priority_options& o = {}) : inner{p}, options_{o} {
        if (o.overprovisioning < 100 || o.overprovisioning > 100'000)
            detail::reject("priority: an overprovisioning of " + std::to_string(o.overprovisioning) +
                           " percent is not from 100 to 100000");
        if (o.rule > priority_rule::all_backups)
            detail::reject("priority: rule " + std::to_string(static_cast<int>(o.rule)) + " is none of priority_rule");
    }

private:
    using inner_state = typename Policy::state;
    struct name {
        std::uint32_t level;
        bool degraded;
        auto operator<=>(const name&) const = default;
    };
    struct tier {
        name who;
        std::uint32_t up_to;                  // of 100 draws, with those before it
        std::shared_ptr<const view> members;  // null: the whole view
        std::shared_ptr<inner_state> state;
        typename Policy::table inner;
    };

public:
    struct table {
        std::vector<std::unique_ptr<const tier>> tiers;  // pointers: a policy's table need not be movable
        std::vector<std::uint32_t> backups;              // after the tiers, one after the other
    };
    struct state {
        state(const priority& p, metric_set& m) : metrics_{m} { of({0, false}, p); }

    private:
        friend priority;
        /// A level's own, for as long as the selector lives: its rotation goes on where it was.
        std::shared_ptr<inner_state> of(const name& who, const priority& p) const {
            auto& known = known_[who];
            if (known == nullptr) known.reset(new inner_state(detail::make_state(p.inner, metrics_)));
            return known;
        }
        metric_set& metrics_;  // of the registry, in which further states find what the first one brought
        mutable std::map<name, std::shared_ptr<inner_state>> known_;  // the writer's
    };

    [[nodiscard]] table build(const view& v, const before<table>* b, const state& s) const {
        std::map<std::uint32_t, priority_level> levels;
        for (std::uint32_t i = 0; i < v.slots(); ++i) {
            if (!v.is_member(i) || v.weight(i) == 0) continue;
            priority_level& level = levels[level_of(v, i)];
            ++level.members;
            if (v.is_eligible(i)) ++(is_degraded(v, i) ? level.degraded : level.healthy);
        }
        table t;
        std::uint32_t given = 0;
        const auto add = [&](const name& who, std::uint32_t share) {
            const priority_level& level = levels.at(who.level);
            if (who.degraded && level.degraded == 0) return;
            const bool whole = levels.size() == 1 && (who.degraded ? level.healthy : level.degraded) == 0;
            t.tiers.push_back(make_tier(v, b, s, who, given += share, whole));
        };
        if (options_.rule == priority_rule::spread) {
            std::vector<priority_level> counts;
            counts.reserve(levels.size());
            for (const auto& [level, count] : levels) counts.push_back(count);
            const std::vector<priority_share> shares = priority_load(counts, options_.overprovisioning);
            for (const bool degraded : {false, true})
                for (std::size_t at = 0; const auto& [level, count] : levels) {
                    const priority_share& share = shares[at++];
                    add({level, degraded}, degraded ? share.degraded : share.healthy);
                }
            return t;
        }
        for (const auto& [level, count] : levels) {
            if (level > 0 && options_.rule == priority_rule::backup) break;
            for (const bool degraded : {false, true})
                add({level, degraded}, given == 0 && (degraded ? count.degraded : count.healthy) > 0 ? 100 : 0);
        }
        if (options_.rule == priority_rule::backup) {
            for (const std::uint32_t i : v.eligible())
                if (v.priority(i) > 0) t.backups.push_back(i);
            std::sort(t.backups.begin(), t.backups.end(), [&](std::uint32_t one, std::uint32_t other) {
                return std::tuple{is_degraded(v, one), v.priority(one), one} <
                       std::tuple{is_degraded(v, other), v.priority(other), other};
            });
        }
        return t;
    }

    template <class Accept>
    [[nodiscard]] choice choose(const view& v, const table& t, state&, const query& q, Accept accept) const noexcept {
        if (t.tiers.size() == 1 && t.tiers[0]->members == nullptr) [[likely]]
            return inner.choose(v, t.tiers[0]->inner, *t.tiers[0]->state, q, accept);
        constexpr std::uint64_t salt = 0x7469657273;  // a key's place among levels is not its place within one
        const std::uint64_t drawn = detail::scale(q.has_key() ? mix(q.key() ^ salt) : q.random(), 100);
        const std::size_t n = t.tiers.size();
        std::size_t home = 0;
        while (home < n && drawn >= t.tiers[home]->up_to) ++home;
        choice none;
        const auto found_in = [&](std::size_t k) {
            const choice c = choose_in(*t.tiers[k], v, q, accept);
            if (c.is_refused()) none = c;
            return c;
        };
        if (home < n)
            if (const choice c = found_in(home))
                return because(c, home > 0 ? pick_reason::spilled : pick_reason::chosen);
        for (std::size_t k = 0; k < n; ++k)
            if (k != home)
                if (const choice c = found_in(k)) return because(c, pick_reason::fallback);
        for (const std::uint32_t i : t.backups)
            if (accept(i)) return {.index = i, .reason = home < n ? pick_reason::fallback : pick_reason::spilled};
        return none;
    }

    Policy inner;
    static constexpr bool timed = detail::reads_clock<Policy>;
    static constexpr bool by_key = detail::chooses_by_key<Policy>;

private:
    static bool is_degraded(const view& v, std::uint32_t i) noexcept {
        return v.conditions(i).has(condition::degraded);
    }
    [[nodiscard]] std::uint32_t level_of(const view& v, std::uint32_t i) const noexcept {
        return options_.rule == priority_rule::spread ? v.priority(i) : (std::min)(v.priority(i), 1u);
    }

    std::unique_ptr<const tier> make_tier(const view& v, const before<table>* b, const state& s, const name& who,
                                          std::uint32_t up_to, bool whole) const {
        const tier* was = nullptr;
        if (b != nullptr)
            for (const auto& one : b->table.tiers)
                if (one->who == who) was = one.get();
        const view* const part_before = was != nullptr ? was->members.get() : nullptr;
        std::shared_ptr<const view> members;
        if (!whole)
            members = view_part(
                v, [&](std::uint32_t i) { return level_of(v, i) == who.level; },
                [&](std::uint32_t i) { return is_degraded(v, i) == who.degraded; },
                b != nullptr ? &b->members : nullptr, part_before);
        auto own = s.of(who, *this);
        const view& now = whole ? v : *members;
        if (was == nullptr)
            return std::unique_ptr<const tier>{new tier{who, up_to, members, own, inner.build(now, nullptr, *own)}};
        const before<typename Policy::table> then{part_before != nullptr ? *part_before : b->members, was->inner};
        return std::unique_ptr<const tier>{new tier{who, up_to, members, own, inner.build(now, &then, *own)}};
    }

    template <class Accept>
    choice choose_in(const tier& t, const view& v, const query& q, Accept& accept) const noexcept {
        const view& members = t.members != nullptr ? *t.members : v;
        if (members.eligible().empty()) return {};
        const auto served = [&](std::uint32_t i) { return members.is_eligible(i) && accept(i); };
        const choice c = inner.choose(members, t.inner, *t.state, q, served);
        return c.is_refused() || (c && served(c.index)) ? c : detail::rescue(members, q, served);
    }

    static choice because(choice c, pick_reason why) noexcept {
        if (c.reason == pick_reason::chosen) c.reason = why;
        return c;
    }

    priority_options options_;
};

template <class Policy>
priority(const Policy&, const priority_options&) -> priority<Policy>;
template <class Policy>
priority(const Policy&) -> priority<Policy>;

}  // namespace weir::inline WEIR_ABI
