#include <weir/detail/record.hpp>

#include "catch.hpp"

#include <array>
#include <chrono>
#include <memory>
#include <utility>

using weir::outcome;
using weir::detail::lease_word;

TEST_CASE("what leases read is on one cache line, with a backend of two words; what is written is on others") {
    struct large {
        std::uint64_t words[3];
    };
    using handle = std::array<void*, 2>;
    const weir::detail::record<handle> small{handle{}};
    const weir::detail::record<large> big{large{}};
    CHECK(reinterpret_cast<std::uintptr_t>(&small) % weir::detail::cache_line == 0);
    const auto line = [](const auto* where) {
        return reinterpret_cast<std::uintptr_t>(where) / weir::detail::cache_line;
    };
    const auto read = line(&small.id);
    CHECK(line(&small.clock) == read);
    CHECK(line(&small.half_open_limit) == read);
    CHECK(line(reinterpret_cast<const char*>(&small.backend + 1) - 1) == read);
    CHECK(line(&small.rare) != read);
    CHECK(line(&small.identity_hash) != read);
    CHECK(line(&small.identity) != read);
    CHECK(line(&big.backend) > line(&big.clock));
    CHECK(line(&big.backend) == line(&big.backend.words[2]));
    static_assert(noexcept(std::declval<lease_word&>().start()) &&
                  noexcept(std::declval<lease_word&>().end(outcome::success)));
}

TEST_CASE("of a record's metrics its word says whether there is one alone or more, and the list has them") {
    using told = lease_word::told;
    struct cell final : weir::detail::metric_cell {
        explicit cell(bool wants_to_look = false) { looks = wants_to_look; }
        void on_end(outcome, std::chrono::nanoseconds, std::chrono::nanoseconds,
                    std::chrono::nanoseconds) noexcept override {}
        void on_eligible(bool) noexcept override {}
    };
    weir::detail::lease_words words;
    weir::detail::record_base plain, looking;
    plain.place = words.take(&plain, 0);
    looking.place = words.take(&looking, 1);
    CHECK(plain.leases().tells() == told::nobody);
    CHECK(plain.metrics().load() == nullptr);

    plain.attach(std::make_unique<cell>());
    const auto* const first = plain.metrics().load();
    CHECK(plain.leases().tells() == told::one);
    CHECK(first->alone);
    plain.attach(std::make_unique<cell>());
    CHECK(plain.leases().tells() != told::one);
    CHECK_FALSE(plain.metrics().load()->alone);
    CHECK(plain.metrics().load()->next == first);

    looking.attach(std::make_unique<cell>(true));
    CHECK(looking.leases().tells() == told::several);
    CHECK_FALSE(looking.metrics().load()->alone);
}

TEST_CASE("an id of nobody equals no id that was given out, and ids differ by generation") {
    CHECK(weir::backend_id{} != weir::backend_id{0, 0});
    CHECK(weir::backend_id{1, 0} != weir::backend_id{1, 1});
    CHECK(weir::backend_id{1, 1} == weir::backend_id{1, 1});
}
