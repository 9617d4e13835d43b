#pragma once

#include "../detail/error.hpp"
#include "../hash.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace weir::inline WEIR_ABI {

/// Keys to try a mapping with: so many made up, or one's own, as numbers or as text. Refers to what it was made of.
class key_sample {
public:
    static constexpr std::uint64_t max_count = std::uint64_t{1} << 32;

    /// That many keys, mixed from 0 on, the same each time. Throws std::invalid_argument for none, or more than 2^32.
    template <std::integral Number>
        requires(!std::same_as<Number, bool>)
    key_sample(Number count) : keys_{static_cast<std::uint64_t>(count)} {
        if (count < 1 || static_cast<std::uintmax_t>(count) > max_count)
            detail::reject("a sample of " + std::to_string(count) + " keys is not from 1 to " +
                           std::to_string(max_count));
    }
    /// A container of std::uint64_t, std::string or std::string_view. Throws std::invalid_argument for an empty one.
    template <std::ranges::contiguous_range Range>
        requires std::convertible_to<const Range&, std::span<const std::ranges::range_value_t<Range>>>
    key_sample(const Range& keys) : keys_{std::span<const std::ranges::range_value_t<Range>>{keys}} {
        if (size() == 0) detail::reject("a sample of 0 keys is not from 1 to " + std::to_string(max_count));
    }

    [[nodiscard]] std::uint64_t size() const noexcept {
        if (const auto* const count = std::get_if<std::uint64_t>(&keys_)) return *count;
        return std::visit(
            [](const auto& keys) -> std::uint64_t {
                if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(keys)>>)
                    return keys;
                else
                    return keys.size();
            },
            keys_);
    }

    /// Calls `f(key before, key after)` for each key, as two tables read it: text by their own `key_of`, if they have one.
    template <class Before, class After, class F>
    void for_each(const Before& before, const After& after, F&& f) const {
        std::visit(
            [&](const auto& keys) {
                using held = std::remove_cvref_t<decltype(keys)>;
                if constexpr (std::is_integral_v<held>) {
                    for (std::uint64_t i = 0; i < keys; ++i) f(mix(i), mix(i));
                } else if constexpr (std::same_as<held, std::span<const std::uint64_t>>) {
                    for (const std::uint64_t key : keys) f(key, key);
                } else {
                    for (const std::string_view text : keys) f(key_of(before, text), key_of(after, text));
                }
            },
            keys_);
    }

private:
    template <class Table>
    static std::uint64_t key_of(const Table& table, std::string_view text) noexcept {
        if constexpr (requires { table.key_of(text); })
            return table.key_of(text);
        else
            return hash(text);
    }

    std::variant<std::uint64_t, std::span<const std::uint64_t>, std::span<const std::string>,
                 std::span<const std::string_view>>
        keys_;
};

}  // namespace weir::inline WEIR_ABI
