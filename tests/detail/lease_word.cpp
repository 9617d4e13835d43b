#include <weir/detail/lease_word.hpp>

#include "catch.hpp"

#include <weir/random.hpp>

#include <string>
#include <thread>
#include <vector>

using weir::outcome;
using weir::detail::lease_word;

namespace {

/// Starts and ends one lease, which is never the last holder: the registry's pin is there.
bool once(lease_word& word, outcome how) {
    word.start();
    return word.end(how);
}

/// As a record has them: the word, and what it leaves out.
struct counted {
    lease_word word;
    weir::detail::rare_outcomes rare;
    bool end(outcome how) {
        if (rare.has(how)) rare.count(how);
        return word.end(how);
    }
    [[nodiscard]] weir::outcome_counts counts() const { return rare.with(word.counts()); }
};

std::string as_text(const weir::outcome_counts& c) {
    return std::to_string(c.success) + ' ' + std::to_string(c.failure) + ' ' + std::to_string(c.timeout) + ' ' +
           std::to_string(c.connect_failure) + ' ' + std::to_string(c.cancelled) + ' ' +
           std::to_string(c.gateway_failure);
}

struct tally {
    std::uint64_t ends[weir::outcome_count]{};
    [[nodiscard]] std::string text() const { return as_text({ends[0], ends[1], ends[2], ends[3], ends[4], ends[5]}); }
};

}  // namespace

TEST_CASE("hardening 1: in flight is 0 at rest, and counts up and down by one") {
    lease_word word;
    CHECK(word.in_flight() == 0);
    CHECK(word.start() == 0);
    CHECK(word.start() == 1);
    CHECK(word.in_flight() == 2);
    CHECK_FALSE(word.end(outcome::success));
    CHECK_FALSE(word.end(outcome::failure));
    CHECK(word.in_flight() == 0);
    word.start();
    word.undo_start();
    CHECK(word.in_flight() == 0);
    CHECK(as_text(word.counts()) == "1 0 0 0 0 0");
}

TEST_CASE("a bound is never exceeded, not even for a moment, and what is free below it is found", "[threads]") {
    lease_word word;
    CHECK_FALSE(word.start_below(0));
    CHECK(word.start_below(2));
    CHECK(word.start_below(2));
    CHECK_FALSE(word.start_below(2));
    CHECK_FALSE(word.end(outcome::success));
    CHECK(word.start_below(2));
    CHECK_FALSE(word.end(outcome::success));
    CHECK_FALSE(word.end(outcome::success));
    CHECK(word.in_flight() == 0);

    std::atomic<int> started{0}, over{0}, workers{3};
    const auto work = [&] {
        for (int i = 0; i < 50'000; ++i) {
            if (!word.start_below(2)) continue;
            started.fetch_add(1);
            (void)word.end(outcome::cancelled);
        }
        workers.fetch_sub(1);
    };
    std::thread a{work}, b{work}, c{work};
    while (workers.load() > 0) over.fetch_add(word.in_flight() > 2 ? 1 : 0);
    a.join();
    b.join();
    c.join();
    CHECK(over == 0);
    CHECK(word.in_flight() == 0);
    CHECK(word.counts().cancelled == static_cast<std::uint64_t>(started.load()));
}

TEST_CASE("a reservation heeds its bound, and the number that no backend exceeds where it has none") {
    lease_word word;
    CHECK_FALSE(word.reserve(0));
    CHECK(word.reserve(1));
    CHECK_FALSE(word.reserve(1));
    for (std::uint32_t i = 1; i < lease_word::most_in_flight; ++i) REQUIRE(word.reserve(~std::uint32_t{0}));
    for (const std::uint32_t bound : {lease_word::most_in_flight - 1, lease_word::most_in_flight,
                                      lease_word::most_in_flight + 1, ~std::uint32_t{0}}) {
        CHECK_FALSE(word.reserve(bound));
        CHECK(word.in_flight() == lease_word::most_in_flight);
    }
    CHECK_FALSE(word.end(outcome::success));
    CHECK_FALSE(word.reserve(lease_word::most_in_flight - 1));
    CHECK(word.reserve(lease_word::most_in_flight));
}

TEST_CASE("the last to let go is told so, be it the registry or a lease") {
    lease_word by_registry;
    CHECK(by_registry.unpin());

    for (std::size_t how = 0; how < weir::outcome_count; ++how) {
        lease_word by_lease;
        by_lease.start();
        by_lease.start();
        CHECK_FALSE(by_lease.unpin());
        CHECK_FALSE(by_lease.end(static_cast<outcome>(how)));
        CHECK(by_lease.end(static_cast<outcome>(how)));
    }
}

TEST_CASE("two counts in one word count apart, and carry past each other") {
    using weir::detail::two_counts;
    constexpr std::uint64_t both = 1 | 1u << two_counts::distance;
    two_counts counts{};
    for (int i = 1; i <= 3; ++i) {
        counts = counts.plus(both).plus(1);
        CHECK(counts.lower() == static_cast<std::uint64_t>(2 * i));
        CHECK(counts.upper() == static_cast<std::uint64_t>(i));
        CHECK((counts.word & both) == static_cast<std::uint64_t>(i % 2) << two_counts::distance);
    }
    const two_counts full{two_counts::low};
    CHECK(full.lower() == two_counts::low);
    CHECK(full.plus(1).lower() == two_counts::low + 1);
    CHECK(full.plus(1).upper() == 0);
    CHECK(full.plus(1).plus(1).lower() == two_counts::low + 2);
    CHECK(full.plus(both).upper() == 1);
    const two_counts upper_full{((std::uint64_t{1} << 32) - 1) << two_counts::distance};
    CHECK(upper_full.plus(1).upper() == (std::uint64_t{1} << 32) - 1);
    CHECK(upper_full.lower() == 0);
    const two_counts lower_almost{(std::uint64_t{511} << two_counts::high_at) | (two_counts::low - 1)};
    CHECK(lower_almost.plus(1).lower() == (std::uint64_t{1} << 30) - 1);
    CHECK(lower_almost.plus(1).upper() == 0);
    for (const std::uint64_t flags : {std::uint64_t{0}, two_counts::flags}) {
        const two_counts all_full{~two_counts::flags | flags};
        CHECK(all_full.plus(1).lower() == 0);
        CHECK(all_full.plus(1).upper() == two_counts::most_upper);
        CHECK(all_full.plus(both - 1).upper() == 0);
        CHECK(all_full.plus(both - 1).lower() == two_counts::most_lower);
        CHECK(all_full.plus(both).word == flags);
    }
}

TEST_CASE("counts are exact across every wrap of their fields, in any mixture") {
    // Those in the word wrap at 2^21, and their top bits flip twice as often: three wraps of each alone, one of both together.
    const auto mixture = GENERATE(as<std::vector<unsigned>>{}, std::vector<unsigned>{100, 0, 0, 0, 0, 0},
                                  std::vector<unsigned>{0, 0, 0, 0, 100, 0}, std::vector<unsigned>{50, 0, 0, 0, 50, 0},
                                  std::vector<unsigned>{90, 3, 2, 2, 2, 1}, std::vector<unsigned>{2, 1, 1, 1, 94, 1});
    counted leases;
    lease_word& word = leases.word;
    tally expected;
    weir::generator random{mixture[0] + 1};
    int wrong = 0, last = 0;
    for (int i = 0; i < 6'400'000; ++i) {
        auto drawn = static_cast<unsigned>(random.below(100));
        unsigned how = 0;
        while (drawn >= mixture[how]) drawn -= mixture[how++];
        word.start();
        last += leases.end(static_cast<outcome>(how)) ? 1 : 0;
        ++expected.ends[how];
        // Near a wrap every single count, elsewhere now and then.
        const bool near_wrap = ((expected.ends[0] + 8) & 0xfffff) < 16 || ((expected.ends[4] + 8) & 0xfffff) < 16;
        if (i % 997 == 0 || near_wrap) wrong += as_text(leases.counts()) != expected.text() ? 1 : 0;
    }
    CHECK(wrong == 0);
    CHECK(last == 0);
    CHECK(as_text(leases.counts()) == expected.text());
    CHECK(word.in_flight() == 0);
    CHECK(word.unpin());
}

TEST_CASE("a wrap neither disturbs the leases in flight nor lets go of the backend") {
    lease_word word;
    for (int i = 0; i < 1000; ++i) word.start();
    for (int i = 0; i < (1 << 23); ++i) (void)once(word, i % 2 == 0 ? outcome::success : outcome::cancelled);
    CHECK(word.in_flight() == 1000);
    CHECK_FALSE(word.unpin());
    for (int i = 0; i < 999; ++i) REQUIRE_FALSE(word.end(outcome::success));
    CHECK(word.in_flight() == 1);
    CHECK(word.end(outcome::cancelled));
}

TEST_CASE("counts are exact when as many leases as there may be end at once, again and again") {
    // Flips are counted by those who start. Nobody does while all these end, and the top bits flip once, whenever.
    const auto before = GENERATE(as<std::uint64_t>{}, 0, 1, lease_word::most_in_flight - 1);
    lease_word word;
    std::uint64_t ends[2] = {before, 0};
    for (std::uint64_t i = 0; i < before; ++i) (void)once(word, outcome::success);
    for (int round = 0; round < 6; ++round) {
        for (std::uint32_t i = 0; i < lease_word::most_in_flight; ++i) word.start();
        CHECK(word.in_flight() == lease_word::most_in_flight);
        for (std::uint32_t i = 0; i < lease_word::most_in_flight; ++i)
            (void)word.end(round % 2 == 0 ? outcome::cancelled : outcome::success);
        ends[round % 2 == 0 ? 1 : 0] += lease_word::most_in_flight;
        CHECK(as_text(word.counts()) == as_text({ends[0], 0, 0, 0, ends[1], 0}));
        CHECK(word.in_flight() == 0);
    }
}

TEST_CASE("counts are exact when two threads drive them across wraps", "[threads]") {
    lease_word word;
    constexpr std::uint64_t each = 2'500'000;
    const auto drive = [&](outcome how) {
        for (std::uint64_t i = 0; i < each; ++i) (void)once(word, how);
    };
    std::thread other{drive, outcome::cancelled};
    drive(outcome::success);
    other.join();
    CHECK(as_text(word.counts()) == as_text({each, 0, 0, 0, each, 0}));
    CHECK(word.in_flight() == 0);
}

TEST_CASE("counts that are read while leases end never run backwards", "[threads]") {
    lease_word word;
    std::atomic<bool> done{false};
    std::thread writer{[&] {
        for (int i = 0; i < 3'600'000; ++i) (void)once(word, i % 3 == 0 ? outcome::success : outcome::cancelled);
        done.store(true);
    }};
    std::uint64_t cancelled = 0, backwards = 0;
    while (!done.load()) {
        const auto now = word.counts();
        backwards += now.cancelled < cancelled ? 1 : 0;
        cancelled = now.cancelled;
    }
    writer.join();
    CHECK(backwards == 0);
    CHECK(word.counts().cancelled == 2'400'000);
}

TEST_CASE("who wants to be told is written beside the counts, and neither disturbs the other") {
    using told = lease_word::told;
    lease_word word;
    CHECK(word.tells() == told::nobody);
    word.tell(told::one);
    CHECK(word.tells() == told::one);
    // The top bit flips seven times, each of which is counted in the word of the flags.
    for (std::uint64_t i = 0; i < 7 * (1u << 20) + 5; ++i) (void)once(word, outcome::cancelled);
    CHECK(word.tells() == told::one);
    CHECK(word.counts().cancelled == 7 * (1u << 20) + 5);
    word.tell(told::several);
    CHECK(word.tells() != told::one);
    CHECK(word.tells() != told::nobody);
    CHECK(word.counts().cancelled == 7 * (1u << 20) + 5);
    CHECK(word.in_flight() == 0);
    CHECK(word.unpin());
}
