#pragma once

#include "attachment.hpp"
#include "member.hpp"
#include "membership.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI::detail {

/// One update in the making: the next snapshot's contents, and how to undo what it did to `membership`.
/// The current view is not touched. Under the writer's lock either `settle` or `roll_back` ends it; the records that it
/// refused go with the draft itself, which may outlive the lock.
class draft {
public:
    draft(membership& m, const view& current, bool wants_events)
        : membership_{m}, current_{current}, wants_events_{wants_events}, conditions_{current.all_conditions()},
          panic_{current.panic()} {}
    draft(const draft&) = delete;
    draft& operator=(const draft&) = delete;

    void roll_back() noexcept {
        if (settled_) return;
        for (auto& r : added_)
            if (r != nullptr && !r->identity.empty()) membership_.by_identity.erase(r->identity);
        for (auto& node : unnamed_) membership_.by_identity.insert(std::move(node));
        if (row_before_) membership_.words.resume(*std::move(row_before_));
        membership_.free_slots.insert(membership_.free_slots.end(), taken_.rbegin(), taken_.rend());
    }

    /// Takes a record in before anything can refuse it: it is then destroyed with the draft, when no lock is held any more.
    void park(std::unique_ptr<record_base>&& fresh) {
        make_room(parked_);
        parked_.push_back(std::move(fresh));
    }

    /// Adds the one that was parked last.
    backend_id add_parked(const backend_options& options) {
        record_base& record = *parked_.back();
        check(options);
        const std::string& name = record.identity;
        if (!name.empty() && membership_.by_identity.contains(name))
            reject("a backend with the identity \"" + name + "\" is in the registry already; identities are unique");
        roster& r = edit();
        // Everything that may throw comes first, in an order in which each step leaves nothing half done.
        const std::uint32_t slot = membership_.next_slot(r);
        const bool reuse = slot < r.records.size();
        if (!reuse && slot == ~std::uint32_t{0}) reject("more than 4294967294 backends");
        make_room(added_);
        make_room(taken_);
        const std::uint32_t zone = zone_number(r, options.zone);
        record.place = membership_.words.take(&record, slot);
        if (!reuse) {
            conditions_.resize(slot + std::size_t{1});
            r.grow(slot + std::size_t{1});
        }
        record.id = {slot, membership_.generations++};
        if (name.empty()) record.identity_hash = mix((std::uint64_t{record.id.generation} << 32) | slot);
        auto event = make_event(change_kind::added, record);
        if (!name.empty()) membership_.by_identity.emplace(name, slot);
        if (reuse) {
            membership_.free_slots.pop_back();
            taken_.push_back(slot);
        }
        r.generations[slot] = record.id.generation;
        r.put(slot, &record);
        r.zones[slot] = zone;
        r.weights[slot] = options.weight.value();
        r.priorities[slot] = options.priority;
        set_limit(r, slot, options.max_in_flight);
        conditions_[slot] = {};
        ++r.size;
        r.nameless += name.empty() ? 1 : 0;
        added_.push_back(std::move(parked_.back()));
        parked_.pop_back();
        tell(std::move(event));
        mapping_changed_ = true;
        return record.id;
    }

    bool remove(backend_id id) {
        if (!has(id)) return false;
        roster& r = edit();
        record_base& record = *r.records[id.slot];
        make_room(unnamed_);
        make_room(removed_);
        tell(make_event(change_kind::removed, record));
        mapping_changed_ = true;
        if (!record.identity.empty())
            if (auto node = membership_.by_identity.extract(record.identity); current_has(record))
                unnamed_.push_back(std::move(node));
        removed_.push_back(&record);
        r.put(id.slot, nullptr);
        r.weights[id.slot] = 0;
        r.nameless -= record.identity.empty() ? 1 : 0;
        set_limit(r, id.slot, unlimited);
        ++r.generations[id.slot];
        conditions_[id.slot] = {};
        --r.size;
        return true;
    }

    bool set_options(backend_id id, const backend_options& options, bool& changed) {
        if (!has(id)) return false;
        check(options);
        const roster& now = read();
        changed = now.weights[id.slot] != options.weight.value() || now.limits[id.slot] != options.max_in_flight ||
                  now.priorities[id.slot] != options.priority || now.zone_names[now.zones[id.slot]] != options.zone;
        if (!changed) return true;
        roster& r = edit();
        const std::uint32_t zone = zone_number(r, options.zone);
        tell(make_event(change_kind::options, *r.records[id.slot]));
        mapping_changed_ = mapping_changed_ || r.weights[id.slot] != options.weight.value();
        r.zones[id.slot] = zone;
        r.weights[id.slot] = options.weight.value();
        set_limit(r, id.slot, options.max_in_flight);
        r.priorities[id.slot] = options.priority;
        return true;
    }

    bool set_weight(backend_id id, weight w) {
        if (!has(id)) return false;
        if (read().weights[id.slot] == w.value()) return true;
        roster& r = edit();
        tell(make_event(change_kind::options, *r.records[id.slot]));
        mapping_changed_ = true;
        r.weights[id.slot] = w.value();
        return true;
    }

    bool set_conditions(backend_id id, conditions next) {
        if (conditions_[id.slot] == next) return true;
        tell(make_event(change_kind::conditions, *read().records[id.slot], conditions_[id.slot], next));
        conditions_[id.slot] = next;
        return true;
    }
    void set_panic(const panic_options& next) noexcept { panic_ = next; }

    [[nodiscard]] bool has(backend_id id) const noexcept {
        const roster& r = read();
        return id.slot < r.records.size() && r.records[id.slot] != nullptr && r.generations[id.slot] == id.generation;
    }
    [[nodiscard]] std::optional<backend_id> find(std::string_view identity) const {
        const auto found = membership_.by_identity.find(identity);
        if (found == membership_.by_identity.end()) return std::nullopt;
        return backend_id{found->second, read().generations[found->second]};
    }
    [[nodiscard]] conditions conditions_of(backend_id id) const noexcept { return conditions_[id.slot]; }
    [[nodiscard]] const roster& read() const noexcept { return edited_ != nullptr ? *edited_ : *current_.roster(); }
    [[nodiscard]] bool settled() const noexcept { return settled_; }
    /// By the outcome: what was changed and changed back is not published.
    [[nodiscard]] bool changed() noexcept {
        const bool same = edited_ == nullptr || edited_->is_as(*current_.roster());
        if (same && added_.empty()) edited_.reset();
        const auto& was = current_.all_conditions();
        return !same || panic_ != current_.panic() || !std::equal(was.begin(), was.end(), conditions_.begin());
    }
    [[nodiscard]] std::vector<change_event>& events() noexcept { return events_; }
    /// The records that this update brings in.
    [[nodiscard]] const std::vector<std::unique_ptr<record_base>>& added() const noexcept { return added_; }

    /// The next snapshot, and room for what goes with the present one.
    std::shared_ptr<const view> make_view(trash& old) {
        std::shared_ptr<const roster> next = current_.roster();
        if (edited_ != nullptr) {
            membership_.lay_in_a_row(*edited_, current_, row_before_);
            edited_->version = ++membership_.rosters;
            if (mapping_changed_) edited_->mapping_version = ++membership_.mappings;
            next = edited_;
        }
        old.unpinned.reserve(removed_.size());
        membership_.free_slots.reserve(membership_.free_slots.size() + removed_.size());
        return std::make_shared<const view>(std::move(next), conditions_, current_.version() + 1, panic_);
    }

    /// The point of no return: the registry owns what was added, `old` what was removed.
    void settle(trash& old) noexcept {
        settled_ = true;
        for (auto& r : added_) (void)r.release();
        for (record_base* r : removed_) {
            old.unpinned.push_back(r);
            membership_.free_slots.push_back(r->id.slot);
        }
    }

private:
    /// For one more, growing in proportion: `reserve(size + 1)` alone would copy everything each time.
    template <class T>
    static void make_room(std::vector<T>& v) {
        if (v.size() == v.capacity()) v.reserve(2 * v.size() + 8);
    }

    static void set_limit(roster& r, std::uint32_t slot, std::uint32_t limit) noexcept {
        r.limited += (limit != unlimited ? 1u : 0u) - (r.limits[slot] != unlimited ? 1u : 0u);
        r.limits[slot] = limit;
    }

    bool current_has(const record_base& r) const noexcept {
        return r.id.slot < current_.slots() && current_.is_member(r.id.slot) && &current_.record(r.id.slot) == &r;
    }

    roster& edit() {
        if (edited_ == nullptr) edited_ = std::make_shared<roster>(*current_.roster());
        return *edited_;
    }

    static std::uint32_t zone_number(roster& r, const std::string& name) {
        for (std::uint32_t i = 0; i < r.zone_names.size(); ++i)
            if (r.zone_names[i] == name) return i;
        r.zone_names.push_back(name);
        return static_cast<std::uint32_t>(r.zone_names.size() - 1);
    }

    /// In two steps: making an event, and room for it, may throw and comes before the change; telling it does not.
    std::optional<change_event> make_event(change_kind kind, const record_base& r, conditions before = {},
                                           conditions after = {}) {
        if (!wants_events_) return std::nullopt;
        make_room(events_);
        return change_event{kind, r.id, r.identity, before, after, current_.version() + 1};
    }
    void tell(std::optional<change_event>&& event) noexcept {
        if (event) events_.push_back(*std::move(event));
    }

    membership& membership_;
    const view& current_;
    bool wants_events_;
    bool settled_ = false, mapping_changed_ = false;
    std::shared_ptr<roster> edited_;
    std::vector<conditions> conditions_;
    panic_options panic_;
    std::vector<std::unique_ptr<record_base>> added_, parked_;
    std::vector<record_base*> removed_;
    std::optional<lease_words::layout> row_before_;
    std::vector<std::uint32_t> taken_;
    std::vector<decltype(membership::by_identity)::node_type> unnamed_;
    std::vector<change_event> events_;
};

}  // namespace weir::inline WEIR_ABI::detail
