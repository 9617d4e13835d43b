#pragma once

#include "config.hpp"

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace weir::inline WEIR_ABI::detail {

template <class>
class function_ref;

/// A call of a function object that somebody else keeps. As a parameter it spares a long function being a template, compiled
/// anew for each lambda that it is given. Never empty; what `Result` void has no use for is dropped.
template <class Result, class... Args>
class function_ref<Result(Args...)> {
public:
    template <class F>
        requires(!std::same_as<std::remove_cvref_t<F>, function_ref> && std::is_class_v<std::remove_cvref_t<F>> &&
                 std::is_invocable_r_v<Result, F&, Args...>)
    function_ref(F&& object) noexcept
        : object_{std::addressof(object)}, call_{[](const void* o, Args... args) -> Result {
              auto& function = *static_cast<std::remove_reference_t<F>*>(const_cast<void*>(o));
              if constexpr (std::is_void_v<Result>)
                  function(std::forward<Args>(args)...);
              else
                  return function(std::forward<Args>(args)...);
          }} {}

    Result operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

private:
    const void* object_;
    Result (*call_)(const void*, Args...);
};

}  // namespace weir::inline WEIR_ABI::detail
