#include <weir/detail/record.hpp>

#include "catch.hpp"

#include <array>
#include <utility>

using weir::outcome;
using weir::detail::lease_word;

TEST_CASE("what every lease needs is on one cache line, with a backend of two words, and the rest is on others") {
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
    const auto hot = line(reinterpret_cast<const char*>(&small.leases + 1) - 1);  // ends with what each lease writes
    CHECK(line(reinterpret_cast<const char*>(&small.leases + 1) - 2 * sizeof(std::uint64_t)) == hot);
    CHECK(line(&small.metrics) == hot);
    CHECK(line(&small.id) == hot);
    CHECK(line(&small.clock) == hot);
    CHECK(line(reinterpret_cast<const char*>(&small.backend + 1) - 1) == hot);
    CHECK(line(&small.identity_hash) != hot);
    CHECK(line(&small.identity) != hot);
    CHECK(line(&big.backend) > line(&big.clock));
    CHECK(line(&big.backend) == line(&big.backend.words[2]));
    static_assert(noexcept(std::declval<lease_word&>().start()) &&
                  noexcept(std::declval<lease_word&>().end(outcome::success)));
}

TEST_CASE("an id of nobody equals no id that was given out, and ids differ by generation") {
    CHECK(weir::backend_id{} != weir::backend_id{0, 0});
    CHECK(weir::backend_id{1, 0} != weir::backend_id{1, 1});
    CHECK(weir::backend_id{1, 1} == weir::backend_id{1, 1});
}
