#pragma once

#include "detail/config.hpp"

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace weir::inline WEIR_ABI {

namespace detail {

template <class T>
concept names_text = std::convertible_to<const T&, std::string_view>;
template <class T>
concept names_number = std::integral<T> && !std::same_as<T, bool>;

/// Strings are their own identity, integers their decimal text.
template <class T>
std::string identity_text(const T& value) {
    if constexpr (names_text<T>)
        return std::string{std::string_view{value}};
    else
        return std::to_string(value);
}

template <class T>
concept identity_value = names_text<T> || names_number<T>;

// Makes an unqualified call find functions of the backend's namespace, and none of ours.
void identity() = delete;
template <class Backend>
concept has_free_identity = requires(const Backend& b) {
    { identity(b) } -> identity_value;
};
template <class Backend>
std::string call_free_identity(const Backend& b) {
    return identity_text(identity(b));
}

}  // namespace detail

/// What names a backend across processes; all hashing starts from it. In this order: a free function `identity(backend)`
/// that is found by argument-dependent lookup, a member `identity()`, each returning text or an integer; the backend
/// itself where it is text or an integer. Empty where there is none of these: then `backend_options::identity` may name
/// it, and without one no hashing selector takes the backend.
template <class Backend>
[[nodiscard]] std::optional<std::string> identity_of(const Backend& backend) {
    if constexpr (detail::has_free_identity<Backend>)
        return detail::call_free_identity(backend);
    else if constexpr (requires {
                           { backend.identity() } -> detail::identity_value;
                       })
        return detail::identity_text(backend.identity());
    else if constexpr (detail::identity_value<Backend>)
        return detail::identity_text(backend);
    else
        return std::nullopt;
}

}  // namespace weir::inline WEIR_ABI
