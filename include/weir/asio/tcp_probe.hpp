#pragma once

#include "endpoint_probe.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace weir::inline WEIR_ABI {

/// Passes if somebody accepts a connection, which it closes. Says nothing about whether they answer: see http_probe.
///
/// Rule: the endpoints are tried in order; one that accepts is enough. None given: failed.
/// Thread safety: a value without state.
/// Source: HAProxy's `check` without more, Envoy's TCP check without a payload.
struct tcp_probe {
    boost::asio::awaitable<probe_result> operator()(probe_target& target) const {
        boost::asio::ip::tcp::socket socket{co_await boost::asio::this_coro::executor};
        const auto [ec, reached] = co_await boost::asio::async_connect(
            socket, target.endpoints, boost::asio::as_tuple(boost::asio::use_awaitable));
        co_return ec ? probe_result::failed : probe_result::passed;
    }
};

}  // namespace weir::inline WEIR_ABI
