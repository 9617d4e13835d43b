#include <boost/version.hpp>
#include <weir/version.hpp>

static_assert(BOOST_VERSION >= 108100, "weir::asio promises Boost 1.81");

int main() {}
