#pragma once

#include "endpoint_probe.hpp"
#include "http_probe_options.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <algorithm>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

namespace weir::inline WEIR_ABI {

/// Asks for a page: GET over HTTP/1.1, without TLS.
///
///     weir::http_probe probe{{.target = "/health", .host = "shop.example", .statuses = {200, {300, 302}}}};
///
/// Rule: passes if the final status is among those expected and, where a body is, that text occurs in the body. Then the
/// body must arrive whole, within `max_body`. Without a text to look for, the status decides; the body is read only to
/// keep the connection, and one longer than `max_body` costs no more than that. What Beast's parser refuses has failed.
/// Kept connections: what is on one before the question belongs to no answer, so that one is given up; one that ends
/// without a byte of an answer has died since the last probe, which says nothing of the backend: once, a fresh connection
/// is asked. All other answers count as they are. Connections are kept after a pass alone.
/// Memory: up to max_head + max_body while it runs; a socket a backend where connections are kept.
/// Thread safety: a value; calls share nothing.
/// Source: HAProxy's `option httpchk` (its statuses are the default), Envoy's HTTP check (kept connections).
class http_probe {
public:
    /// Throws std::invalid_argument for a target, host or statuses that cannot be meant.
    explicit http_probe(http_probe_options o = {}) : options_{(detail::check(o), std::move(o))} {}

    boost::asio::awaitable<probe_result> operator()(probe_target& target) const {
        if (target.kept) {
            socket_type known = std::move(*target.kept);
            target.kept.reset();
            boost::system::error_code ec;
            if (known.available(ec) == 0 && !ec) {
                const std::optional<probe_result> said = co_await ask(known, target);
                if (said) co_return *said;
            }
        }
        socket_type fresh{co_await boost::asio::this_coro::executor};
        const auto [ec, reached] = co_await boost::asio::async_connect(fresh, target.endpoints, error_first);
        if (ec) co_return probe_result::failed;
        const std::optional<probe_result> said = co_await ask(fresh, target);
        co_return said.value_or(probe_result::failed);
    }

    [[nodiscard]] const http_probe_options& options() const noexcept { return options_; }

private:
    using socket_type = boost::asio::ip::tcp::socket;
    static constexpr auto error_first = boost::asio::as_tuple(boost::asio::use_awaitable);
    static constexpr int most_interim = 8;  // 100 and 103 come once or twice, if at all

    /// None: the connection ended before a byte of an answer.
    boost::asio::awaitable<std::optional<probe_result>> ask(socket_type& socket, probe_target& target) const {
        namespace http = boost::beast::http;
        boost::system::error_code ec;
        http::request<http::empty_body> request{http::verb::get, options_.target, 11};
        request.set(http::field::host, host_for(socket));
        request.set(http::field::user_agent, "weir");
        request.keep_alive(options_.keep);
        std::size_t n = 0;
        std::tie(ec, n) = co_await http::async_write(socket, request, error_first);
        if (ec) co_return std::nullopt;

        boost::beast::flat_buffer buffer;
        std::optional<http::response_parser<http::string_body>> answer;
        for (int interim = 0; interim <= most_interim && (!answer || answer->get().result_int() < 200); ++interim) {
            answer.emplace();
            answer->header_limit(options_.max_head);
            answer->body_limit(boost::none);  // Content-Length would be held against it before the status is known
            std::tie(ec, n) = co_await http::async_read_header(socket, buffer, *answer, error_first);
            if (ec && interim == 0 && !answer->got_some()) co_return std::nullopt;
            if (ec) co_return probe_result::failed;
        }
        const auto expected = [&](const status_range& s) { return s.has(answer->get().result_int()); };
        if (std::none_of(options_.statuses.begin(), options_.statuses.end(), expected)) co_return probe_result::failed;
        if (options_.body.empty() && !options_.keep) co_return probe_result::passed;

        answer->body_limit(options_.max_body);
        std::tie(ec, n) = co_await http::async_read(socket, buffer, *answer, error_first);
        if (ec == http::error::body_limit && options_.body.empty()) co_return probe_result::passed;
        if (ec || answer->get().body().find(options_.body) == std::string::npos) co_return probe_result::failed;
        if (options_.keep && answer->keep_alive() && buffer.size() == 0) target.kept.emplace(std::move(socket));
        co_return probe_result::passed;
    }

    [[nodiscard]] std::string host_for(const socket_type& socket) const {
        if (!options_.host.empty()) return options_.host;
        boost::system::error_code ec;
        std::ostringstream address;
        address << socket.remote_endpoint(ec);
        return address.str();
    }

    http_probe_options options_;
};

}  // namespace weir::inline WEIR_ABI
