#include <weir/detail/lease_words.hpp>

#include "catch.hpp"

#include <weir/detail/record.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <vector>

using weir::detail::lease_block;
using weir::detail::lease_entry;
using weir::detail::lease_row;
using weir::detail::lease_word;
using weir::detail::lease_words;
using weir::detail::leased_word;
using weir::detail::record_base;

namespace {

std::uintptr_t line_of(const leased_word& one) {
    return reinterpret_cast<std::uintptr_t>(one.get()) / weir::detail::cache_line;
}

/// A word for each slot below `count`.
std::vector<leased_word> take_all(lease_words& words, std::size_t count) {
    std::vector<leased_word> taken(count);
    for (std::uint32_t i = 0; i < count; ++i) taken[i] = words.take(nullptr, i);
    return taken;
}

std::size_t lines_of(const std::vector<leased_word>& taken) {
    std::set<std::uintptr_t> lines;
    for (const auto& one : taken) lines.insert(line_of(one));
    return lines.size();
}

std::size_t outside(const lease_row& row, const std::vector<leased_word>& taken) {
    std::size_t count = 0;
    for (std::uint32_t i = 0; i < taken.size(); ++i) count += &row[i] == taken[i].get() ? 0 : 1;
    return count;
}

}  // namespace

TEST_CASE("an entry lies on one line, which no other entry of a row for few has, and one other of a row for many") {
    static_assert(sizeof(lease_entry) == 32 && lease_block::in_line == 2);
    for (const std::size_t slots : {std::size_t{0}, lease_words::lines / 2, lease_words::few}) {
        lease_words words;
        if (slots > 0) (void)words.begin_row(slots);
        const std::size_t room = 2 * (slots > 0 ? slots : lease_words::lines);
        const auto taken = take_all(words, room);
        CHECK(outside(words.row(), taken) == 0);
        CHECK(lines_of(taken) == room);
        CHECK(reinterpret_cast<std::uintptr_t>(taken[0].get()) % weir::detail::cache_line == 0);
    }
    lease_words words;
    (void)words.begin_row(lease_words::few + 1);
    const auto taken = take_all(words, 2 * (lease_words::few + 1));
    CHECK(outside(words.row(), taken) == 0);
    CHECK(lines_of(taken) == lease_words::few + 1);
}

TEST_CASE("who finds no room in the row has a word elsewhere: 64 lines of two, a slot's own one first") {
    lease_words words;
    constexpr std::size_t row = 2 * lease_words::lines, count = row + 3 * 2 * lease_words::lines;
    const auto taken = take_all(words, count + 10);
    CHECK(outside(words.row(), taken) == count + 10 - row);
    std::map<std::uintptr_t, std::vector<std::size_t>> by_line;
    for (std::size_t i = row; i < taken.size(); ++i) by_line[line_of(taken[i])].push_back(i);
    CHECK(by_line.size() == 3 * lease_words::lines + 10);
    std::size_t near = 0;
    for (const auto& [line, users] : by_line)
        for (const std::size_t user : users) near += (user - users.front()) % lease_words::lines == 0 ? 0 : 1;
    CHECK(near == 0);
}

TEST_CASE(
    "a word that is in use stays where it is: the next user of its slot has one elsewhere, and the row's again later") {
    lease_words words;
    leased_word old = words.take(nullptr, 7);
    CHECK(&words.row()[7] == old.get());
    {
        const leased_word next = words.take(nullptr, 7);
        CHECK(next.get() != nullptr);
        CHECK(next.get() != old.get());
    }
    old = {};
    const leased_word again = words.take(nullptr, 7);
    CHECK(&words.row()[7] == again.get());

    // A new row leaves those of the old one where they are.
    (void)words.begin_row(1'000);
    const leased_word other = words.take(nullptr, 7);
    CHECK(&words.row()[7] == other.get());
    CHECK(again.get() != other.get());
}

TEST_CASE("a word knows its owner and who is told, and is new to the next owner") {
    record_base a, b;
    lease_words words;
    leased_word one = words.take(&a, 0), other = words.take(&b, 1);
    CHECK(lease_entry::of(*one.get()).owner == &a);
    CHECK(lease_entry::of(*other.get()).owner == &b);
    CHECK(lease_entry::of(*one.get()).told.load() == nullptr);

    lease_word* const was = one.get();
    was->start();
    was->tell(lease_word::told::several);
    lease_entry::of(*was).told.store(reinterpret_cast<weir::detail::metric_cell*>(&b));
    CHECK(lease_entry::of(*other.get()).told.load() == nullptr);
    one = {};
    leased_word next = words.take(&b, 0);
    CHECK(next.get() == was);
    CHECK(was->in_flight() == 0);
    CHECK(was->tells() == lease_word::told::nobody);
    CHECK(lease_entry::of(*was).told.load() == nullptr);
    CHECK(lease_entry::of(*was).owner == &b);
    CHECK(was->unpin());
}

TEST_CASE("a record that nobody has leased yet moves to another word with all who are told") {
    struct cell final : weir::detail::metric_cell {
        void on_end(weir::outcome, std::chrono::nanoseconds, std::chrono::nanoseconds,
                    std::chrono::nanoseconds) noexcept override {}
        void on_eligible(bool) noexcept override {}
    };
    lease_words words;
    record_base record;
    record.place = words.take(&record, 3);
    record.attach(std::make_unique<cell>());
    const lease_word* const was = &record.leases();
    const auto* const told = record.metrics().load();
    (void)words.begin_row(1'000);
    record.move_to(words.take(&record, 3));
    CHECK(&record.leases() != was);
    CHECK(&record.leases() == &words.row()[3]);
    CHECK(record.metrics().load() == told);
    CHECK(record.leases().tells() == lease_word::told::one);
    CHECK(lease_entry::of(record.leases()).owner == &record);
}

TEST_CASE("blocks are given out to the last word before there is another, and what comes back is used again") {
    lease_words words;
    constexpr std::size_t in_block = lease_words::lines * lease_block::in_line;
    // Slots beyond the row, all of its blocks.
    std::vector<leased_word> taken(2 * in_block);
    std::set<const void*> all;
    const auto take = [&](std::size_t i) { taken[i] = words.take(nullptr, static_cast<std::uint32_t>(1'024 + i)); };
    for (std::size_t i = 0; i < taken.size(); ++i) take(i), all.insert(taken[i].get());
    CHECK(all.size() == taken.size());
    for (std::size_t round = 0; round < 3; ++round) {
        for (std::size_t i = round; i < taken.size(); i += 3) taken[i] = {};
        for (std::size_t i = round; i < taken.size(); i += 3) take(i);
        for (const auto& one : taken) CHECK(all.contains(one.get()));
    }
    // Whoever finds no word of its own line takes one of another.
    taken[100] = {};
    taken[100] = words.take(nullptr, 1'025);
    CHECK(all.contains(taken[100].get()));
    const leased_word beyond = words.take(nullptr, 1'025);
    CHECK_FALSE(all.contains(beyond.get()));
}

TEST_CASE("a word outlives the registry's blocks") {
    auto words = std::make_unique<lease_words>();
    leased_word kept = words->take(nullptr, 0);
    kept.get()->start();
    words.reset();
    CHECK(kept.get()->in_flight() == 1);
    CHECK_FALSE(kept.get()->end(weir::outcome::success));
    CHECK(kept.get()->counts().success == 1);
}

TEST_CASE("words come back from one thread while another takes some: none is lost, and none given out twice",
          "[threads]") {
    constexpr std::size_t in_block = 128, half = in_block / 2;
    int twice = 0, lost = 0, used = 0;
    for (int round = 0; round < 2'000; ++round) {
        const auto block = std::make_shared<lease_block>(in_block);
        const auto take = [&] { return leased_word{block->take(nullptr), block}; };
        std::vector<leased_word> first(half), second(half), rest(in_block - half);
        for (auto& one : first) one = take();
        std::atomic<int> ready{0};
        const auto meet = [&] {
            ready.fetch_add(1);
            while (ready.load() < 2) {
            }
        };
        std::thread returns{[&] {
            meet();
            for (auto& one : first) one = {};
        }};
        meet();
        for (auto& one : second) {
            one = take();
            one.get()->start();
        }
        returns.join();
        for (auto& one : rest) one = take();
        std::set<const void*> all;
        for (const auto* const some : {&second, &rest})
            for (const auto& one : *some) all.insert(one.get());
        twice += all.size() == in_block ? 0 : 1;
        lost += all.contains(nullptr) ? 1 : 0;
        for (const auto& one : second) used += one.get()->in_flight() == 1 ? 0 : 1;
    }
    CHECK(twice == 0);
    CHECK(lost == 0);
    CHECK(used == 0);
}
