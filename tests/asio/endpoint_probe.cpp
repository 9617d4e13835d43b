#include "weir/asio/endpoint_probe.hpp"

#include "catch.hpp"

using namespace weir;

namespace {

// As the header has it, word for word: tests/docs.cmake compares them.
struct my_probe {
    boost::asio::awaitable<weir::probe_result> operator()(weir::probe_target& target) const;
};
struct no_coroutine {
    probe_result operator()(probe_target& target) const;
};
struct changes_itself {
    boost::asio::awaitable<probe_result> operator()(probe_target& target);
};
struct says_nothing {
    boost::asio::awaitable<void> operator()(probe_target& target) const;
};

static_assert(endpoint_probe<my_probe>);
static_assert(!endpoint_probe<no_coroutine>);
static_assert(!endpoint_probe<changes_itself>);
static_assert(!endpoint_probe<says_nothing>);

}  // namespace

TEST_CASE("a target keeps no connection at first") { CHECK_FALSE(probe_target{}.kept); }
