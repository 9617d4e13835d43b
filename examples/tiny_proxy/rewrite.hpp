#pragma once

// Heads and bodies as the proxy sends them: written anew from checked parts, never copied as bytes. Pure, like the gate.

#include "gate.hpp"

#include <boost/beast/http/status.hpp>

#include <ostream>

namespace tiny_proxy {

/// What ends at this hop, and what only this proxy may say: from a client it is hearsay, for no peer is trusted.
inline const names stripped = elements(
    {"connection, keep-alive, proxy-authenticate, proxy-authorization, proxy-connection, te, trailer, upgrade",
     "transfer-encoding, content-length, host, expect, forwarded, x-real-ip, x-forwarded-for, x-forwarded-proto",
     "x-forwarded-host, x-forwarded-port"});

inline void add(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

/// The fields that may pass and are not named by Connection; then our Via and framing.
inline void add_fields(std::string& out, const head& h, framing body) {
    for (const auto& [name, value] : h.fields)
        if (!listed(name, stripped) && !listed(name, h.connection)) add(out, name, value);
    add(out, "Via", h.minor == 1 ? "1.1 weir" : "1.0 weir");
    if (body == framing::chunked) add(out, "Transfer-Encoding", "chunked");
    if (h.length) add(out, "Content-Length", std::to_string(*h.length));
}

/// The request as a backend gets it. What the client may have named in Connection is gone before ours is added.
inline std::string to_backend(const head& request, std::string_view client, std::string_view backend) {
    std::string out(request.method);
    out.append(" ").append(request.target).append(" HTTP/1.1\r\n");
    add(out, "Host", request.host.empty() ? backend : request.host);
    add_fields(out, request, request.body);
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
    const auto code = boost::beast::http::int_to_status(static_cast<unsigned>(response.status));
    auto out = std::string("HTTP/1.1 ") + std::to_string(response.status) + ' ';
    if (code != boost::beast::http::status::unknown) out.append(obsolete_reason(code));
    add_fields(out.append("\r\n"), response, framing_for(request, response));
    if (response.status >= 200 && (!keep || request.minor == 0)) add(out, "Connection", keep ? "keep-alive" : "close");
    return out.append("\r\n");
}

/// A piece of a body, framed. The last one may be empty; another that is empty must not end the body.
inline void add_piece(std::string& out, std::string_view piece, framing body, bool last) {
    const bool chunk = body == framing::chunked && !piece.empty();
    char size[16];
    if (chunk) out.append(size, std::to_chars(size, size + sizeof size, piece.size(), 16).ptr).append("\r\n");
    out.append(piece).append(chunk ? "\r\n" : "");
    if (body == framing::chunked && last) out.append("0\r\n\r\n");
}

}  // namespace tiny_proxy
