#pragma once

#include "../detail/config.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace weir::inline WEIR_ABI {

/// An IPv4 or IPv6 address: its bytes in network order, and the strict reading of its text.
class ip_address {
public:
    explicit constexpr ip_address(const std::array<std::uint8_t, 4>& v4) noexcept : size_{4} {
        std::copy(v4.begin(), v4.end(), bytes_.begin());
    }
    explicit constexpr ip_address(const std::array<std::uint8_t, 16>& v6) noexcept : bytes_{v6}, size_{16} {}

    /// Reads "192.0.2.7" or "2001:db8::7"; none for anything else. IPv4: four numbers up to 255 without leading zeros,
    /// which others take for octal. IPv6: RFC 4291, section 2.2, with an IPv4 address as the last two groups if need be;
    /// no brackets, port, prefix length or zone. No white space. O(length), and never more than 46 characters are read.
    [[nodiscard]] static constexpr std::optional<ip_address> parse(std::string_view text) noexcept {
        if (text.size() > longest) return std::nullopt;
        if (text.find(':') == std::string_view::npos) return parse_v4(text);
        return parse_v6(text);
    }

    [[nodiscard]] constexpr bool is_v4() const noexcept { return size_ == 4; }
    /// 4 or 16 of them.
    [[nodiscard]] constexpr std::span<const std::uint8_t> bytes() const noexcept { return {bytes_.data(), size_}; }

    /// The IPv4 address that an IPv4-mapped one (::ffff:a.b.c.d) stands for: what a socket for both shows of an IPv4
    /// client. Any other as it is.
    [[nodiscard]] constexpr ip_address unmapped() const noexcept {
        constexpr std::uint8_t prefix[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
        if (is_v4() || !std::equal(std::begin(prefix), std::end(prefix), bytes_.begin())) return *this;
        return ip_address{std::array{bytes_[12], bytes_[13], bytes_[14], bytes_[15]}};
    }

    /// The network it is in: the first `bits` bits, the others 0.
    [[nodiscard]] constexpr ip_address network(unsigned bits) const noexcept {
        ip_address result = *this;
        for (std::size_t i = 0; i < size_; ++i) {
            const std::size_t kept = std::clamp<std::size_t>(bits, 8 * i, 8 * i + 8) - 8 * i;
            result.bytes_[i] &= static_cast<std::uint8_t>(0xff00u >> kept);
        }
        return result;
    }

    friend constexpr bool operator==(const ip_address&, const ip_address&) noexcept = default;

private:
    static constexpr std::size_t longest = 45;  // eight groups of which two are written as IPv4

    static constexpr std::optional<ip_address> parse_v4(std::string_view text) noexcept {
        std::array<std::uint8_t, 4> bytes{};
        for (std::size_t i = 0; i < 4; ++i) {
            if (i > 0) {
                if (text.empty() || text.front() != '.') return std::nullopt;
                text.remove_prefix(1);
            }
            unsigned value = 0, digits = 0;
            for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
                value = value * 10 + static_cast<unsigned>(text.front() - '0');
                if ((++digits > 1 && value < 10) || value > 255) return std::nullopt;
            }
            if (digits == 0) return std::nullopt;
            bytes[i] = static_cast<std::uint8_t>(value);
        }
        if (!text.empty()) return std::nullopt;
        return ip_address{bytes};
    }

    static constexpr int hex_digit(char c) noexcept {
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
    }

    static constexpr std::optional<ip_address> parse_v6(std::string_view text) noexcept {
        std::array<std::uint8_t, 16> bytes{};
        std::size_t size = 0, gap = bytes.size() + 1;  // where "::" stands
        if (text.starts_with("::")) {
            gap = 0;
            text.remove_prefix(2);
        }
        while (!text.empty()) {
            if (size + 2 > bytes.size()) return std::nullopt;
            unsigned value = 0;
            std::size_t digits = 0;
            for (; digits < text.size() && hex_digit(text[digits]) >= 0; ++digits)
                value = (value << 4 | static_cast<unsigned>(hex_digit(text[digits]))) & 0xffff;
            if (digits == 0) return std::nullopt;
            if (digits < text.size() && text[digits] == '.') {
                const auto tail = parse_v4(text);
                if (!tail || size + 4 > bytes.size()) return std::nullopt;
                for (const std::uint8_t byte : tail->bytes()) bytes[size++] = byte;
                break;
            }
            if (digits > 4) return std::nullopt;
            bytes[size++] = static_cast<std::uint8_t>(value >> 8);
            bytes[size++] = static_cast<std::uint8_t>(value & 0xff);
            text.remove_prefix(digits);
            if (text.empty()) break;
            if (text.front() != ':' || text == ":") return std::nullopt;
            text.remove_prefix(1);
            if (text.front() == ':') {
                if (gap <= bytes.size()) return std::nullopt;
                gap = size;
                text.remove_prefix(1);
            }
        }
        if (gap > bytes.size()) return size == bytes.size() ? std::optional{ip_address{bytes}} : std::nullopt;
        if (size > bytes.size() - 2) return std::nullopt;  // "::" stands for at least one group
        std::rotate(bytes.begin() + static_cast<std::ptrdiff_t>(gap), bytes.begin() + static_cast<std::ptrdiff_t>(size),
                    bytes.end());
        return ip_address{bytes};
    }

    std::array<std::uint8_t, 16> bytes_{};
    std::size_t size_;
};

}  // namespace weir::inline WEIR_ABI
