#include <weir/identity.hpp>

#include "catch.hpp"
#include "support/backends.hpp"

namespace {

struct numbered {
    [[nodiscard]] std::uint64_t identity() const { return 18446744073709551615u; }
};
struct both_ways {
    [[nodiscard]] std::string identity() const { return "member"; }
    friend std::string_view identity(const both_ways&) { return "free"; }
};
struct says_nothing {
    void identity() const {}
};
enum class colour { red };

}  // namespace

TEST_CASE("text is its own identity, and an integer its decimal text") {
    CHECK(weir::identity_of(std::string{"a:1"}) == "a:1");
    CHECK(weir::identity_of(std::string_view{"b"}) == "b");
    CHECK(weir::identity_of("c") == "c");
    CHECK(weir::identity_of(42) == "42");
    CHECK(weir::identity_of(std::int64_t{-1}) == "-1");
}

TEST_CASE("a free function or a member names a backend, the free function first") {
    CHECK(weir::identity_of(weir_test::server{"h", 8080}) == "h:8080");
    CHECK(weir::identity_of(weir_test::channel{"wire"}) == "wire");
    CHECK(weir::identity_of(numbered{}) == "18446744073709551615");
    CHECK(weir::identity_of(both_ways{}) == "free");
}

TEST_CASE("what has no name has no identity") {
    CHECK(weir::identity_of(weir_test::nameless{1}) == std::nullopt);
    CHECK(weir::identity_of(says_nothing{}) == std::nullopt);
    CHECK(weir::identity_of(colour::red) == std::nullopt);
    CHECK(weir::identity_of(true) == std::nullopt);
    CHECK(weir::identity_of(1.5) == std::nullopt);
}
