#include <weir/detail/lease_words.hpp>

#include "catch.hpp"

#include <weir/detail/record.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <vector>

using weir::detail::lease_block;
using weir::detail::lease_word;
using weir::detail::lease_words;
using weir::detail::leased_word;
using weir::detail::record_base;

namespace {

std::uintptr_t line_of(const leased_word& one) {
    return reinterpret_cast<std::uintptr_t>(one.get()) / weir::detail::cache_line;
}

constexpr std::size_t in_block = lease_block::lines * lease_block::rows;

}  // namespace

TEST_CASE("64 backends have lines of their own, and in larger pools those of one line are a multiple of 64 apart") {
    lease_words words;
    std::vector<leased_word> taken(3 * in_block + 10);
    std::map<std::uintptr_t, std::vector<std::size_t>> by_line;
    const auto apart = [&] {
        by_line.clear();
        for (std::size_t i = 0; i < taken.size(); ++i)
            if (taken[i].get() != nullptr) by_line[line_of(taken[i])].push_back(i);
        for (const auto& [line, users] : by_line)
            for (const std::size_t user : users)
                if ((user - users.front()) % lease_block::lines != 0) return false;
        return true;
    };
    for (std::uint32_t i = 0; i < taken.size(); ++i) taken[i] = words.take(nullptr, i);
    CHECK(apart());
    CHECK(by_line.size() == 3 * lease_block::lines + 10);
    std::set<std::size_t> alone;
    for (const auto& [line, users] : by_line) {
        CHECK(users.size() <= lease_block::rows);
        if (users.front() < lease_block::lines) alone.insert(users.front());
    }
    CHECK(alone.size() == lease_block::lines);
    CHECK(reinterpret_cast<std::uintptr_t>(taken[0].get()) % weir::detail::cache_line == 0);

    // Those that go come back in another order.
    for (std::size_t i = 5; i < 300; ++i) taken[i] = {};
    for (std::uint32_t i = 299; i >= 5; --i) taken[i] = words.take(nullptr, i);
    CHECK(apart());
}

TEST_CASE("a word knows its owner and who is told, and is new to the next owner") {
    record_base a, b;
    lease_words words;
    leased_word one = words.take(&a, 0), other = words.take(&b, 1);
    CHECK(&lease_block::owner_of(*one.get()) == &a);
    CHECK(&lease_block::owner_of(*other.get()) == &b);
    CHECK(lease_block::told_of(*one.get()).load() == nullptr);

    lease_word* const was = one.get();
    was->start();
    was->tell(lease_word::told::several);
    lease_block::told_of(*was).store(reinterpret_cast<weir::detail::metric_cell*>(&b));
    CHECK(lease_block::told_of(*other.get()).load() == nullptr);
    one = {};
    leased_word next = words.take(&b, 0);
    CHECK(next.get() == was);
    CHECK(was->in_flight() == 0);
    CHECK(was->tells() == lease_word::told::nobody);
    CHECK(lease_block::told_of(*was).load() == nullptr);
    CHECK(&lease_block::owner_of(*was) == &b);
    CHECK(was->unpin());
}

TEST_CASE("blocks are given out to the last word before there is another, and what comes back is used again") {
    lease_words words;
    std::vector<leased_word> taken(2 * in_block);
    std::set<const void*> all;
    const auto take = [&](std::size_t i) { taken[i] = words.take(nullptr, static_cast<std::uint32_t>(i)); };
    for (std::size_t i = 0; i < taken.size(); ++i) take(i), all.insert(taken[i].get());
    CHECK(all.size() == taken.size());
    for (std::size_t round = 0; round < 3; ++round) {
        for (std::size_t i = round; i < taken.size(); i += 3) taken[i] = {};
        for (std::size_t i = round; i < taken.size(); i += 3) take(i);
        for (const auto& one : taken) CHECK(all.contains(one.get()));
    }
    // Whoever finds no word of its own line takes one of another.
    taken[100] = {};
    taken[100] = words.take(nullptr, 1);
    CHECK(all.contains(taken[100].get()));
    const leased_word beyond = words.take(nullptr, 1);
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
    constexpr std::size_t half = lease_block::lines;
    int twice = 0, lost = 0, used = 0;
    for (int round = 0; round < 2'000; ++round) {
        lease_words words;
        std::vector<leased_word> first(half), second(half), rest(in_block - half);
        for (std::uint32_t i = 0; i < half; ++i) first[i] = words.take(nullptr, i);
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
        for (std::uint32_t i = 0; i < half; ++i) {
            second[i] = words.take(nullptr, i);
            second[i].get()->start();
        }
        returns.join();
        for (std::uint32_t i = 0; i < rest.size(); ++i) rest[i] = words.take(nullptr, i);
        std::set<const void*> all;
        for (const auto* const some : {&second, &rest})
            for (const auto& one : *some) all.insert(one.get());
        twice += all.size() == in_block ? 0 : 1;
        const auto* const last = static_cast<const lease_word*>(*all.rbegin());
        lost += static_cast<std::size_t>(last - static_cast<const lease_word*>(*all.begin())) == in_block - 1 ? 0 : 1;
        for (const auto& one : second) used += one.get()->in_flight() == 1 ? 0 : 1;
    }
    CHECK(twice == 0);
    CHECK(lost == 0);
    CHECK(used == 0);
}
