#include "weir/asio/tcp_probe.hpp"

#include "support/loopback.hpp"

using namespace weir;
using namespace weir_test;

static_assert(endpoint_probe<tcp_probe>);

TEST_CASE("a connection that is accepted has passed, and is closed without a word") {
    asio::io_context context;
    const loopback_server server{context, [](std::size_t) { return page(); }};
    probe_target target{{server.endpoint()}};
    CHECK(run(context, tcp_probe{}, target) == probe_result::passed);
    CHECK_FALSE(target.kept);
    run_until(context, [&] { return server.ended() == 1; });
    CHECK(server.heads().empty());
}

TEST_CASE("a connection that is refused has failed") {
    asio::io_context context;
    const closed_door nobody{context};
    probe_target target{{nobody.endpoint()}};
    CHECK(run(context, tcp_probe{}, target) == probe_result::failed);
}

TEST_CASE("without an endpoint there is nobody to connect to") {
    asio::io_context context;
    probe_target target;
    CHECK(run(context, tcp_probe{}, target) == probe_result::failed);
}

TEST_CASE("one endpoint that accepts is enough") {
    asio::io_context context;
    const closed_door nobody{context};
    const loopback_server server{context, [](std::size_t) { return page(); }};
    probe_target target{{nobody.endpoint(), server.endpoint()}};
    CHECK(run(context, tcp_probe{}, target) == probe_result::passed);
}
