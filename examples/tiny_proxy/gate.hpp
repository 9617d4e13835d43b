#pragma once

// The gate: decides from bytes alone whether a message may pass. Two parsers that disagree about where a message ends are
// how requests get smuggled, so whatever RFC 9112 lets a recipient tolerate is refused here, and what does pass is written
// anew from its parts (rewrite.hpp). No sockets, no clock, no Boost.

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tiny_proxy {

/// Why a message may not pass: thrown by whoever finds out. Without a status: no objection.
struct refusal {
    int status = 0;
    std::string_view reason{};
    explicit operator bool() const { return status != 0; }
};

inline void refuse_if(bool wrong, int status, std::string_view reason) {
    if (wrong) throw refusal{status, reason};
}

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

using names = std::vector<std::string_view>;

/// The trimmed elements of lists with separators: of each at least one, perhaps empty.
inline names elements(const names& lists, char separator = ',') {
    names found;
    for (auto list : lists)
        for (std::size_t at = 0, end; at <= list.size(); at = end + 1) {
            end = (std::min)(list.find(separator, at), list.size());
            found.push_back(trim(list.substr(at, end - at)));
        }
    return found;
}

/// To many applications `X_Forwarded_For` and `X-Forwarded-For` are one name, so here they are too.
inline bool listed(std::string_view name, const names& list) {
    const auto fold = [](char c) { return lower(c == '_' ? '-' : c); };
    return std::ranges::any_of(list, [&](auto one) { return std::ranges::equal(name, one, {}, fold, fold); });
}

using field = std::pair<std::string_view, std::string_view>;  // name, value
enum class framing { none, length, chunked, until_close };

/// A checked head. Its views point into the bytes it was read from.
struct head {
    std::string_view method = {}, target = {}, host = {};  // of a request; a target loses scheme and authority
    int status = 0;                                        // of a response
    int minor = 1;                                         // HTTP/1.minor
    std::vector<field> fields = {};
    names connection = {};  // what Connection lists: options, and fields that end at this hop
    framing body = framing::none;
    std::optional<std::uint64_t> length = {};  // also where no body follows: the reply to a HEAD has one
    bool keep_alive = true, expects_continue = false;

    /// The values of all fields of that name.
    names values(std::string_view wanted) const {
        names found;
        for (const auto& [name, value] : fields)
            if (iequals(name, wanted)) found.push_back(value);
        return found;
    }
};

/// A name, IPv4 or bracketed IPv6 address with an optional port: what may be passed on without escaping.
inline bool is_host(std::string_view s) {
    const bool v6 = s.starts_with('[');
    const auto end = s.find(v6 ? ']' : ':');
    if (v6 && end == s.npos) return false;
    const auto name = s.substr(v6, end - v6), port = end == s.npos ? "" : s.substr(end + v6);
    const auto fits = [&](char c) { return is_alnum(c) || is_one_of(c, v6 ? ":." : "-._~"); };
    if (name.empty() || !std::ranges::all_of(name, fits) || port.size() == 1 || port.size() > 6) return false;
    return port.empty() || (port[0] == ':' && std::ranges::all_of(port.substr(1), is_digit));
}

/// Looks for the end of a head in bytes that are still arriving: one past its empty line, or 0. A lone CR or LF or a NUL
/// is refused when seen, so that what only another parser would call a head is not waited for. `seen` remembers what was
/// looked at: one byte at a time costs no more than all at once.
inline std::size_t find_head(std::string_view bytes, std::size_t& seen) {
    for (; seen < bytes.size(); ++seen) {
        const bool after_cr = seen > 0 && bytes[seen - 1] == '\r';
        refuse_if(seen >= 16 * 1024, 431, "head larger than 16 KiB");  // others grant between 8 and 32
        refuse_if(bytes[seen] == '\0', 400, "NUL in the head");
        refuse_if(after_cr != (bytes[seen] == '\n'), 400, "bare CR or LF");
        if (after_cr && (seen == 1 || bytes[seen - 2] == '\n')) return seen + 1;
    }
    return 0;
}

inline field parse_field(std::string_view line) {
    const auto colon = line.find(':');
    refuse_if(is_one_of(line.front(), " \t"), 400, "folded field line");
    refuse_if(colon == line.npos || !is_token(line.substr(0, colon)), 400, "field name is not a token");
    refuse_if(!std::ranges::all_of(line, is_text), 400, "control character in a field");
    return {line.substr(0, colon), trim(line.substr(colon + 1))};
}

/// The field lines, and what they say about framing. Requests and responses share it.
inline void parse_fields(std::string_view lines, head& h) {
    for (std::size_t end; (end = lines.find("\r\n")) != 0; lines.remove_prefix(end + 2)) {
        refuse_if(h.fields.size() == 100, 431, "more than 100 fields");  // each is compared with all that are stripped
        h.fields.push_back(parse_field(lines.substr(0, end)));
    }
    h.connection = elements(h.values("connection"));
    h.keep_alive = !listed("close", h.connection) && (h.minor == 1 || listed("keep-alive", h.connection));

    const auto lengths = h.values("content-length");
    for (auto text : lengths) {
        const auto [rest, ec] = std::from_chars(text.data(), text.data() + text.size(), h.length.emplace());
        const bool number = ec == std::errc{} && rest == text.data() + text.size() && *h.length >> 63 == 0;
        refuse_if(!number || lengths.size() > 1, 400, "Content-Length is not one plain number below 2^63");
        h.body = framing::length;
    }
    auto codings = elements(h.values("transfer-encoding"));
    if (codings.empty()) return;
    refuse_if(h.length || h.minor == 0, 400, "Transfer-Encoding with Content-Length or HTTP/1.0");
    const bool tokens = std::ranges::all_of(codings, is_token), chunked = iequals(codings.back(), "chunked");
    codings.pop_back();
    refuse_if(!tokens || listed("chunked", codings), 400, "malformed Transfer-Encoding");
    refuse_if(!chunked || !codings.empty(), 501, "unknown transfer coding");
    h.body = framing::chunked;
}

/// Judges a whole request head, as find_head delimits it.
inline void check_request(std::string_view bytes, head& h) {
    h = {};
    const auto line = bytes.substr(0, bytes.find("\r\n"));
    const auto first = line.find(' '), last = line.rfind(' ');
    h.method = line.substr(0, first);
    refuse_if(first == last || !is_token(h.method), 400, "request line is not a method, a target and a version");
    h.target = line.substr(first + 1, last - first - 1);
    const auto version = line.substr(last + 1);
    const bool named = version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) && version[6] == '.';
    refuse_if(!named, 400, "malformed HTTP version");
    refuse_if(version != "HTTP/1.1" && version != "HTTP/1.0", 505, "only HTTP/1.0 and HTTP/1.1");
    h.minor = version[7] - '0';
    const auto allowed = [](char c) { return c > 0x20 && c < 0x7f && !is_one_of(c, "#\"<>\\"); };
    refuse_if(!std::ranges::all_of(h.target, allowed), 400, "character not allowed in a target");
    refuse_if(h.method == "CONNECT" || h.method == "TRACE", 501, "no tunnels and no traces here");
    std::string_view authority;
    if (iequals(h.target.substr(0, 7), "http://")) {
        authority = h.target.substr(7, h.target.find_first_of("/?", 7) - 7);
        h.target.remove_prefix(7 + authority.size());
        if (h.target.empty()) h.target = "/";
        refuse_if(!is_host(authority), 400, "malformed authority in the target");
    }
    refuse_if(!h.target.starts_with('/') && !(h.target == "*" && h.method == "OPTIONS"), 400, "target without a slash");
    parse_fields(bytes.substr(line.size() + 2), h);

    const auto hosts = h.values("host"), expectations = h.values("expect");
    refuse_if(hosts.size() > 1 || (hosts.empty() && h.minor == 1), 400, "not exactly one Host");
    refuse_if(!hosts.empty() && !is_host(hosts[0]), 400, "malformed Host");
    h.host = hosts.empty() ? authority : hosts[0];
    const auto plain = [](std::string_view s) { return s.ends_with(":80") ? s.substr(0, s.size() - 3) : s; };
    refuse_if(!authority.empty() && !iequals(plain(authority), plain(h.host)), 400, "target and Host disagree");
    for (auto one : expectations) refuse_if(!iequals(one, "100-continue"), 417, "unknown expectation");
    h.expects_continue = !expectations.empty() && h.minor == 1;
}

/// Judges a whole response head; `method` is what it answers.
inline void check_response(std::string_view bytes, std::string_view method, head& h) {
    h = {};
    const auto line = bytes.substr(0, bytes.find("\r\n"));
    const bool version = line.starts_with("HTTP/1.1 ") || line.starts_with("HTTP/1.0 ");
    const bool status = line.size() == 12 || (line.size() > 12 && line[12] == ' ');
    refuse_if(!version || !status || !std::ranges::all_of(line.substr(9, 3), is_digit), 502, "malformed status line");
    h.minor = line[7] - '0';
    std::from_chars(line.data() + 9, line.data() + 12, h.status);
    refuse_if(h.status < 100 || h.status > 599 || h.status == 101, 502, "status that nobody asked for");
    parse_fields(bytes.substr(line.size() + 2), h);
    const bool never = h.status < 200 || h.status == 204;  // RFC 9110, 8.6: no Content-Length in these
    if (h.body == framing::none) h.body = framing::until_close;
    if (never || h.status == 304 || method == "HEAD") h.body = framing::none;
    if (never) h.length.reset();
    if (h.body == framing::until_close) h.keep_alive = false;
}

/// Takes a body apart by its framing, as bytes arrive. Chunk framing is CRLF or nothing; extensions and trailers are
/// checked, then dropped.
class body_reader {
public:
    explicit body_reader(const head& h, std::uint64_t limit = UINT64_MAX) : framing_(h.body), room_(limit) {
        if (framing_ == framing::length) expect(*h.length, state::done);
        if (framing_ == framing::until_close) expect(limit, state::done);
        if (framing_ == framing::none) state_ = state::done;
    }

    bool done() const { return state_ == state::done; }
    bool ends_with_connection() const { return framing_ == framing::until_close; }

    /// Appends payload to `out` and says how many bytes it took. What it leaves is an unfinished line, or not the body's.
    std::size_t feed(std::string_view in, std::string& out) {
        const auto given = in.size();
        while (!in.empty() && !done()) {
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

    void expect(std::uint64_t size, state if_none) {
        refuse_if(size > room_, 413, "body larger than allowed");
        room_ -= size;
        left_ = size;
        state_ = size == 0 ? if_none : state::data;
    }

    /// False if the line is not all there yet.
    bool take_line(std::string_view& in) {
        const auto end = (std::min)(in.find_first_of("\r\n"), in.size());
        const auto line = in.substr(0, end), ending = in.substr(end, 2);
        refuse_if(state_ == state::data_end && end != 0, 400, "chunk longer than its size");
        refuse_if(end > 1024, 400, "chunk line or trailer longer than 1 KiB");  // all but 15 digits would be dropped
        refuse_if(!std::string_view("\r\n").starts_with(ending), 400, "bare CR or LF in chunk framing");
        refuse_if(!std::ranges::all_of(line, is_text), 400, "control character in chunk framing");
        if (ending.size() < 2) return false;
        in.remove_prefix(end + 2);
        if (state_ == state::size) {
            std::uint64_t size = 0;
            const auto [rest, ec] = std::from_chars(line.data(), line.data() + end, size, 16);
            const auto digits = static_cast<std::size_t>(rest - line.data());
            const bool number = ec == std::errc{} && digits <= 15;  // below 2^60: no sum wraps
            refuse_if(!number || (digits < end && *rest != ';'), 400, "malformed chunk size");
            expect(size, state::trailer);
        } else if (state_ == state::trailer && !line.empty()) {
            parse_field(line);
        } else {
            state_ = state_ == state::data_end ? state::size : state::done;
        }
        return true;
    }

    framing framing_;
    std::uint64_t room_, left_ = 0;
    state state_ = state::size;
};

}  // namespace tiny_proxy
