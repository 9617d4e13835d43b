#pragma once

#include "config.hpp"

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace weir::inline WEIR_ABI::detail {

template <class>
class function_ref;

/// A call of a function object that somebody else keeps, for a parameter whose type should not make a template of the
/// function that takes it: what is long is then compiled once. Never empty. As std::function_ref of C++26.
template <class Result, class... Args>
class function_ref<Result(Args...)> {
public:
    template <class F>
        requires(std::is_invocable_r_v<Result, F&, Args...> && !std::same_as<std::remove_cvref_t<F>, function_ref>)
    // NOLINTNEXTLINE(google-explicit-constructor): a lambda is passed as it stands
    function_ref(F&& object) noexcept
        : object_{std::addressof(object)}, call_{[](const void* o, Args... args) -> Result {
              return (*static_cast<std::remove_reference_t<F>*>(const_cast<void*>(o)))(std::forward<Args>(args)...);
          }} {}

    Result operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

private:
    const void* object_;
    Result (*call_)(const void*, Args...);
};

}  // namespace weir::inline WEIR_ABI::detail
