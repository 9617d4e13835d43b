#pragma once

// The gate: decides from bytes alone whether a message may pass. Two parsers that disagree about where a message ends are
// how requests get smuggled, so whatever RFC 9112 lets a recipient tolerate is refused here, and what does pass is written
// anew from its parts (rewrite.hpp). No sockets, no clock, no Boost.

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tiny_proxy {

inline constexpr std::size_t max_head = 16 * 1024;   // bytes; others grant between 8 and 32 KiB
inline constexpr std::size_t max_fields = 100;       // each is compared with all that are stripped
inline constexpr std::size_t max_chunk_line = 1024;  // a size takes 15 digits, the rest would be dropped anyway

/// Why a message may not pass; no status, no objection.
struct refusal {
    int status = 0;
    std::string_view reason{};
    explicit operator bool() const { return status != 0; }
};

struct field {
    std::string_view name, value;
};

enum class framing { none, length, chunked, until_close };

/// A checked head. Its views point into the bytes it was read from.
struct head {
    std::string_view method, target, host;  // of a request; a target is kept without scheme and authority
    int status = 0;                         // of a response
    int minor = 1;                          // HTTP/1.minor
    std::vector<field> fields;
    framing body = framing::none;
    std::uint64_t length = 0;
    bool has_length = false;  // also where no body follows: the reply to a HEAD has a length
    bool keep_alive = true, expects_continue = false;
};

inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
inline bool iequals(std::string_view a, std::string_view b) { return std::ranges::equal(a, b, {}, lower, lower); }
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_alnum(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z'); }
inline bool is_text(char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); }
inline bool is_one_of(char c, std::string_view set) { return set.find(c) != set.npos; }
inline bool is_token(std::string_view s) {
    return !s.empty() && std::ranges::all_of(s, [](char c) { return is_alnum(c) || is_one_of(c, "!#$%&'*+-.^_`|~"); });
}

inline std::string_view trim(std::string_view s) {
    const auto first = (std::min)(s.find_first_not_of(" \t"), s.size());
    return s.substr(first, s.find_last_not_of(" \t") + 1 - first);
}

/// The trimmed elements of a comma-separated list.
inline std::vector<std::string_view> elements(std::string_view list) {
    std::vector<std::string_view> found;
    for (std::size_t at = 0, comma; at <= list.size(); at = comma + 1) {
        comma = (std::min)(list.find(',', at), list.size());
        found.push_back(trim(list.substr(at, comma - at)));
    }
    return found;
}

inline refusal parse_field(std::string_view line, field& out) {
    const auto colon = line.find(':');
    if (is_one_of(line.front(), " \t")) return {400, "folded field line"};
    if (colon == line.npos || !is_token(line.substr(0, colon))) return {400, "field name is not a token"};
    if (!std::ranges::all_of(line, is_text)) return {400, "control character in a field"};
    out = {line.substr(0, colon), trim(line.substr(colon + 1))};
    return {};
}

/// A name, IPv4 or bracketed IPv6 address with an optional port: what may be passed on without escaping.
inline bool is_host(std::string_view s) {
    const bool v6 = s.starts_with('[');
    const auto end = (std::min)(v6 ? s.find(']') : s.rfind(':'), s.size());
    auto name = s.substr(v6, end - v6), port = s.substr(end);
    if (v6 && !port.empty())
        port.remove_prefix(1);
    else if (v6)
        return false;
    const auto fits = [&](char c) { return is_alnum(c) || is_one_of(c, v6 ? ":." : "-._~"); };
    if (name.empty() || !std::ranges::all_of(name, fits) || port.size() > 6) return false;
    return port.empty() || (port[0] == ':' && port.size() > 1 && std::ranges::all_of(port.substr(1), is_digit));
}

/// The field lines and what they say about framing. Requests and responses share it.
inline refusal parse_fields(std::string_view lines, head& h) {
    bool close = false, keep = false;
    for (std::size_t end; (end = lines.find("\r\n")) != 0; lines.remove_prefix(end + 2)) {
        if (h.fields.size() == max_fields) return {431, "too many fields"};
        auto& [name, value] = h.fields.emplace_back();
        if (auto fault = parse_field(lines.substr(0, end), h.fields.back())) return fault;
        if (iequals(name, "content-length")) {
            const auto [rest, ec] = std::from_chars(value.data(), value.data() + value.size(), h.length);
            if (h.has_length || value.empty() || !std::ranges::all_of(value, is_digit))
                return {400, "Content-Length is not one plain number"};
            if (ec != std::errc{} || h.length >> 63 != 0) return {400, "Content-Length is 2^63 or more"};
            h.has_length = true;
        } else if (iequals(name, "transfer-encoding")) {
            if (h.body != framing::none || h.minor == 0) return {400, "Transfer-Encoding repeated, or with HTTP/1.0"};
            auto codings = elements(value);
            if (iequals(codings.back(), "chunked")) codings.pop_back();  // nothing may follow it
            for (auto coding : codings)
                if (!is_token(coding) || iequals(coding, "chunked")) return {400, "malformed Transfer-Encoding"};
            if (!iequals(value, "chunked")) return {501, "unknown transfer coding"};
            h.body = framing::chunked;
        } else if (iequals(name, "connection")) {
            for (auto option : elements(value)) {
                close = close || iequals(option, "close");
                keep = keep || iequals(option, "keep-alive");
            }
        }
    }
    h.keep_alive = !close && (h.minor == 1 || keep);
    if (h.has_length && h.body == framing::chunked) return {400, "Content-Length and Transfer-Encoding"};
    if (h.has_length) h.body = framing::length;
    return {};
}

/// Looks for the end of a head in bytes that are still arriving: `end` is one past its empty line, or stays 0. A lone CR
/// or LF or a NUL is refused when seen, so that what only another parser would call a head is not waited for. `seen`
/// remembers what was looked at: one byte at a time costs no more than all at once.
inline refusal find_head(std::string_view bytes, std::size_t& seen, std::size_t& end) {
    for (; seen < bytes.size() && end == 0; ++seen) {
        const bool after_cr = seen > 0 && bytes[seen - 1] == '\r';
        if (seen >= max_head) return {431, "head larger than 16 KiB"};
        if (bytes[seen] == '\0') return {400, "NUL in the head"};
        if (after_cr != (bytes[seen] == '\n')) return {400, "bare CR or LF"};
        if (after_cr && (seen == 1 || bytes[seen - 2] == '\n')) end = seen + 1;
    }
    return {};
}

/// Judges a whole request head, as find_head delimits it.
inline refusal check_request(std::string_view bytes, head& h) {
    h = {};
    const auto line = bytes.substr(0, bytes.find("\r\n"));
    const auto first = line.find(' '), last = line.rfind(' ');
    if (first == last) return {400, "request line is not three parts"};
    h.method = line.substr(0, first);
    h.target = line.substr(first + 1, last - first - 1);
    const auto version = line.substr(last + 1);
    if (!is_token(h.method)) return {400, "method is not a token"};
    if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) || version[6] != '.')
        return {400, "malformed HTTP version"};
    if (version != "HTTP/1.1" && version != "HTTP/1.0") return {505, "only HTTP/1.0 and HTTP/1.1"};
    h.minor = version[7] - '0';
    if (!std::ranges::all_of(h.target, [](char c) { return c > 0x20 && c < 0x7f && !is_one_of(c, "#\"<>\\"); }))
        return {400, "character not allowed in a target"};
    if (h.method == "CONNECT" || h.method == "TRACE") return {501, "no tunnels and no traces here"};

    std::string_view authority;
    if (iequals(h.target.substr(0, 7), "http://")) {
        authority = h.target.substr(7, h.target.find_first_of("/?", 7) - 7);
        h.target.remove_prefix(7 + authority.size());
        if (h.target.empty()) h.target = "/";
        if (!is_host(authority)) return {400, "malformed authority in the target"};
    }
    if (!h.target.starts_with('/') && !(h.target == "*" && h.method == "OPTIONS"))
        return {400, "target without a leading slash"};
    if (auto fault = parse_fields(bytes.substr(line.size() + 2), h)) return fault;

    int hosts = 0;
    for (auto& [name, value] : h.fields) {
        if (iequals(name, "host") && ++hosts) h.host = value;
        if (!iequals(name, "expect")) continue;
        if (!iequals(value, "100-continue")) return {417, "unknown expectation"};
        h.expects_continue = h.minor == 1 && h.body != framing::none;
    }
    if (hosts > 1 || (hosts == 0 && h.minor == 1)) return {400, "not exactly one Host"};
    if (hosts == 1 && !is_host(h.host)) return {400, "malformed Host"};
    if (hosts == 0) h.host = authority;
    const auto plain = [](std::string_view s) { return s.ends_with(":80") ? s.substr(0, s.size() - 3) : s; };
    if (!authority.empty() && !iequals(plain(authority), plain(h.host))) return {400, "target and Host disagree"};
    return {};
}

/// Judges a whole response head; `method` is what it answers. A fault here is the backend's: the client gets 502.
inline refusal check_response(std::string_view bytes, std::string_view method, head& h) {
    h = {};
    const auto line = bytes.substr(0, bytes.find("\r\n"));
    if ((!line.starts_with("HTTP/1.1 ") && !line.starts_with("HTTP/1.0 ")) || line.size() < 12 ||
        !std::ranges::all_of(line.substr(9, 3), is_digit) || (line.size() > 12 && line[12] != ' '))
        return {502, "malformed status line"};
    h.minor = line[7] - '0';
    std::from_chars(line.data() + 9, line.data() + 12, h.status);
    if (h.status < 100 || h.status > 599 || h.status == 101) return {502, "status that nobody asked for"};
    if (auto fault = parse_fields(bytes.substr(line.size() + 2), h)) return {502, fault.reason};
    const bool never = h.status < 200 || h.status == 204;  // RFC 9110, 8.6: no Content-Length in these
    if (h.body == framing::none) h.body = framing::until_close;
    if (never || h.status == 304 || method == "HEAD") h.body = framing::none;
    if (never) h.has_length = false;
    if (h.body == framing::until_close) h.keep_alive = false;
    return {};
}

/// Takes a body apart by its framing, as bytes arrive. Chunk framing is CRLF or nothing; extensions and trailers are
/// checked, then dropped.
class body_reader {
public:
    explicit body_reader(const head& h, std::uint64_t limit = UINT64_MAX) : framing_(h.body), room_(limit) {
        if (framing_ == framing::length) expect(h.length, state::done);
        if (framing_ == framing::until_close) expect(limit, state::done);
        if (framing_ == framing::none) state_ = state::done;
    }

    bool done() const { return state_ == state::done; }
    refusal fault() const { return fault_; }
    bool ends_with_connection() const { return framing_ == framing::until_close; }

    /// Appends payload to `out` and says how many bytes it took. What it leaves is an unfinished line, or not the body's.
    std::size_t feed(std::string_view in, std::string& out) {
        const auto given = in.size();
        while (!in.empty() && !done() && !fault_) {
            if (state_ == state::data) {
                const auto n = static_cast<std::size_t>((std::min<std::uint64_t>)(in.size(), left_));
                out.append(in.substr(0, n));
                in.remove_prefix(n);
                if ((left_ -= n) == 0) state_ = framing_ == framing::chunked ? state::data_end : state::done;
            } else if (!take_line(in)) {
                break;
            }
        }
        return given - in.size();
    }

private:
    enum class state { size, data, data_end, trailer, done };

    bool fail(std::string_view why, int status = 400) {
        fault_ = {status, why};
        return false;
    }

    bool expect(std::uint64_t size, state if_none) {
        if (size > room_) return fail("body larger than allowed", 413);
        room_ -= size;
        left_ = size;
        state_ = size == 0 ? if_none : state::data;
        return true;
    }

    /// False if the line is not all there yet, or wrong.
    bool take_line(std::string_view& in) {
        const auto end = (std::min)(in.find_first_of("\r\n"), in.size());
        const auto line = in.substr(0, end), ending = in.substr(end, 2);
        if (state_ == state::data_end && end != 0) return fail("chunk longer than its size");
        if (end > max_chunk_line) return fail("chunk line or trailer too long");
        if (!std::string_view("\r\n").starts_with(ending)) return fail("bare CR or LF in chunk framing");
        if (!std::ranges::all_of(line, is_text)) return fail("control character in chunk framing");
        if (ending.size() < 2) return false;
        in.remove_prefix(end + 2);
        if (state_ == state::size) {
            std::uint64_t size = 0;
            const auto [rest, ec] = std::from_chars(line.data(), line.data() + end, size, 16);
            const auto digits = static_cast<std::size_t>(rest - line.data());
            if (ec != std::errc{} || (digits < end && *rest != ';')) return fail("malformed chunk size");
            if (digits > 15) return fail("chunk size of more than 15 digits");  // 2^60 bytes: no sum wraps
            return expect(size, state::trailer);
        }
        if (state_ == state::data_end || line.empty()) {
            state_ = state_ == state::data_end ? state::size : state::done;
            return true;
        }
        field ignored;
        fault_ = ++trailers_ > max_fields ? refusal{431, "too many trailers"} : parse_field(line, ignored);
        return !fault_;
    }

    framing framing_;
    std::uint64_t room_, left_ = 0;
    state state_ = state::size;
    std::size_t trailers_ = 0;
    refusal fault_;
};

}  // namespace tiny_proxy
