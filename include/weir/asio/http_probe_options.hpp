#pragma once

#include "../detail/error.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::inline WEIR_ABI {

/// Statuses from `first` to `last`, both included; of one number alone, that one.
struct status_range {
    constexpr status_range(unsigned only) noexcept : first{only}, last{only} {}  // NOLINT(google-explicit-constructor)
    constexpr status_range(unsigned from, unsigned to) noexcept : first{from}, last{to} {}

    [[nodiscard]] constexpr bool has(unsigned status) const noexcept { return first <= status && status <= last; }

    unsigned first, last;
};

/// What an `http_probe` asks for and accepts.
struct http_probe_options {
    std::string target = "/";
    std::string host = {};                              ///< the field Host; empty: the address that is connected to
    std::vector<status_range> statuses = {{200, 399}};  ///< one of them is enough; redirects are not followed
    std::string body = {};                              ///< must occur in the body; empty: any
    bool keep = false;                                  ///< ask again over the same connection
    std::uint32_t max_head = 8 * 1024;                  ///< bytes of an answer's head; more is a failure
    std::uint64_t max_body = 64 * 1024;                 ///< bytes of a body that are read; see http_probe
};

namespace detail {

/// Throws std::invalid_argument for what cannot be sent or never comes, naming the value and the bound.
inline void check(const http_probe_options& o) {
    const auto visible = [](char c) { return c > ' ' && c < '\x7f'; };
    if (!o.target.starts_with('/') || !std::all_of(o.target.begin(), o.target.end(), visible))
        reject("http_probe: target \"" + o.target + "\" is not a / and visible ASCII characters");
    if (!std::all_of(o.host.begin(), o.host.end(), visible))
        reject("http_probe: host \"" + o.host + "\" has other than visible ASCII characters");
    if (o.statuses.empty()) reject("http_probe: no status would pass; give at least one");
    for (const status_range& s : o.statuses)
        if (s.first < 200 || s.last > 599 || s.first > s.last)
            reject("http_probe: statuses " + std::to_string(s.first) + " to " + std::to_string(s.last) +
                   " are not a range within 200 to 599");
    if (o.max_head == 0) reject("http_probe: max_head 0 is not at least 1");
    if (o.body.size() > o.max_body)
        reject("http_probe: body of " + std::to_string(o.body.size()) + " bytes is longer than max_body, " +
               std::to_string(o.max_body));
}

}  // namespace detail
}  // namespace weir::inline WEIR_ABI
