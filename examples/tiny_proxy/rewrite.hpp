#pragma once

// Heads as the proxy sends them: written anew from checked parts, never copied as bytes. Pure, like the gate.

#include "gate.hpp"

#include <boost/beast/http/status.hpp>

#include <iterator>
#include <ostream>

namespace tiny_proxy {

using names = std::vector<std::string_view>;

inline const names hop_by_hop = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
    "te",         "trailer",    "transfer-encoding",  "content-length",      "upgrade"};
/// What only this proxy may say to a backend. From a client it is hearsay: no peer is trusted.
inline const names ours = {"host",      "expect",    "x-forwarded-for",  "x-forwarded-proto",
                           "forwarded", "x-real-ip", "x-forwarded-host", "x-forwarded-port"};

/// To many applications `X_Forwarded_For` and `X-Forwarded-For` are one name, so here they are too.
inline bool listed(std::string_view name, const names& list) {
    const auto fold = [](char c) { return lower(c == '_' ? '-' : c); };
    return std::ranges::any_of(list, [&](auto one) { return std::ranges::equal(name, one, {}, fold, fold); });
}

inline void add(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

/// The fields that neither end at this hop, nor are named by Connection, nor in `without`; then our Via and framing.
inline void add_fields(std::string& out, const head& h, const names& without, framing body) {
    names named;
    for (auto& [name, value] : h.fields)
        if (iequals(name, "connection")) std::ranges::copy(elements(value), std::back_inserter(named));
    for (auto& [name, value] : h.fields)
        if (!listed(name, hop_by_hop) && !listed(name, named) && !listed(name, without)) add(out, name, value);
    add(out, "Via", h.minor == 1 ? "1.1 weir" : "1.0 weir");
    if (body == framing::chunked)
        add(out, "Transfer-Encoding", "chunked");
    else if (h.has_length)
        add(out, "Content-Length", std::to_string(h.length));
}

/// The request as a backend gets it. What the client may have named in Connection is gone before ours is added.
inline std::string to_backend(const head& request, std::string_view client, std::string_view backend) {
    std::string out(request.method);
    out.append(" ").append(request.target).append(" HTTP/1.1\r\n");
    add(out, "Host", request.host.empty() ? backend : request.host);
    add_fields(out, request, ours, request.body);
    add(out, "X-Forwarded-For", client);
    add(out, "X-Forwarded-Proto", "http");
    if (!request.host.empty()) add(out, "X-Forwarded-Host", request.host);
    return out.append("\r\n");
}

/// How the client is told where a response ends: HTTP/1.0 knows no chunks, only the end of the connection.
inline framing framing_for(const head& request, const head& response) {
    if (response.body == framing::none || response.body == framing::length) return response.body;
    return request.minor == 1 ? framing::chunked : framing::until_close;
}

/// The response as the client gets it; `keep` says that its connection goes on afterwards.
inline std::string to_client(const head& request, const head& response, bool keep) {
    namespace http = boost::beast::http;
    const auto code = http::int_to_status(static_cast<unsigned>(response.status));
    auto out = std::string("HTTP/1.1 ") + std::to_string(response.status) + ' ';
    if (code != http::status::unknown) out.append(http::obsolete_reason(code));
    add_fields(out.append("\r\n"), response, {}, framing_for(request, response));
    if (response.status >= 200 && (!keep || request.minor == 0)) add(out, "Connection", keep ? "keep-alive" : "close");
    return out.append("\r\n");
}

/// A response of the proxy's own.
inline std::string own_response(const head& request, int status, std::string_view type, std::string_view body,
                                bool keep) {
    head h;
    h.status = status;
    h.fields = {{"Content-Type", type}};
    h.length = body.size();
    h.has_length = true;
    return to_client(request, h, keep).append(request.method == "HEAD" ? "" : body);
}

}  // namespace tiny_proxy
