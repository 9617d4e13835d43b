#pragma once

#include "../detail/error.hpp"
#include "siphash.hpp"

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>

namespace weir::inline WEIR_ABI {

/// Makes and reads the tokens that name a backend to its clients, in a cookie or a header: 16 hexadecimal digits, the
/// keyed hash (SipHash-2-4) of the backend's identity.
///
/// A token tells nothing about the identity, and without the key nobody can make one, or tell that two tokens of different
/// keys are of one backend. It is not a secret: all clients of a backend have the same, and whoever has one can use it,
/// which gives them no more than being balanced to that backend would. Processes with the same secret understand
/// each other's tokens; with a new secret all sessions are picked anew, once.
class session_key {
public:
    static constexpr std::size_t digits = 16;

    /// From a secret of at least 16 bytes, of any format; throws std::invalid_argument for a shorter one.
    explicit session_key(std::string_view secret) : key_{derive(secret)} {}

    /// Of this process alone: its tokens end with it.
    [[nodiscard]] static session_key random() {
        std::random_device entropy;
        const auto word = [&] { return (std::uint64_t{entropy()} << 32) | entropy(); };
        return session_key{siphash_key{word(), word()}};
    }

    [[nodiscard]] std::uint64_t hash(std::string_view identity) const noexcept { return siphash(identity, key_); }

    /// What to give to a client.
    [[nodiscard]] std::string token(std::string_view identity) const {
        const std::uint64_t value = hash(identity);
        std::string text(digits, '0');
        for (std::size_t i = 0; i < digits; ++i) text[i] = "0123456789abcdef"[(value >> (60 - 4 * i)) & 15];
        return text;
    }
    /// The hash that a token stands for; none if it is not 16 lower-case hexadecimal digits.
    [[nodiscard]] static constexpr std::optional<std::uint64_t> parse(std::string_view token) noexcept {
        if (token.size() != digits) return std::nullopt;
        std::uint64_t value = 0;
        for (const char c : token) {
            const bool number = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
            if (!number && !letter) return std::nullopt;
            value = value << 4 | static_cast<std::uint64_t>(number ? c - '0' : c - 'a' + 10);
        }
        return value;
    }

    friend bool operator==(const session_key&, const session_key&) noexcept = default;

private:
    static constexpr std::size_t least = 16;

    explicit session_key(const siphash_key& key) noexcept : key_{key} {}

    static siphash_key derive(std::string_view secret) {
        if (secret.size() < least)
            detail::reject("session_key: a secret of " + std::to_string(secret.size()) + " bytes is shorter than " +
                           std::to_string(least));
        return {siphash(secret, {1, 0}), siphash(secret, {2, 0})};
    }

    siphash_key key_;
};

}  // namespace weir::inline WEIR_ABI
