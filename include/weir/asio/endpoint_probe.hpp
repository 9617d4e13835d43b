#pragma once

#include "../health/probe.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <concepts>
#include <optional>
#include <vector>

namespace weir::inline WEIR_ABI {

/// Where a probe goes, and what it leaves to the next one of the same backend.
struct probe_target {
    std::vector<boost::asio::ip::tcp::endpoint> endpoints;  ///< tried in this order
    std::optional<boost::asio::ip::tcp::socket> kept = {};  ///< in and out: a connection for the next probe, or none
};

/// A probe over Boost.Asio, as `probe_runner` runs it: a function that is a coroutine. The exemplar:
///
///     struct my_probe {
///         boost::asio::awaitable<weir::probe_result> operator()(weir::probe_target& target) const;
///     };
///
/// It runs on the executor of `probe_runner`, several at once (one a backend). One that is late is cancelled
/// (`cancellation_type::terminal`); one that throws has failed. Models: tcp_probe, http_probe.
template <class P>
concept endpoint_probe = std::copy_constructible<P> && requires(const P& p, probe_target& target) {
    { p(target) } -> std::same_as<boost::asio::awaitable<probe_result>>;
};

}  // namespace weir::inline WEIR_ABI
