#include "catch.hpp"

#include <weir/detail/function_ref.hpp>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

using weir::detail::function_ref;

TEST_CASE("function_ref calls the object that it was given, not a copy") {
    int calls = 0;
    auto count = [calls]() mutable { return ++calls; };
    const function_ref<int()> f = count;
    CHECK(f() == 1);
    CHECK(f() == 2);
    CHECK(count() == 3);
}

TEST_CASE("function_ref takes const objects and passes what it is given on, moved where it can be") {
    const auto own = [](std::unique_ptr<int> p, const std::string& s) { return s + std::to_string(*p); };
    const function_ref<std::string(std::unique_ptr<int>, const std::string&)> f = own;
    CHECK(f(std::make_unique<int>(7), "n = ") == "n = 7");
    int seen = 0;
    const auto call = [](function_ref<void(int&)> g, int& n) { g(n); };
    call([](int& n) { return n = 5; }, seen);  // what it returns is dropped
    CHECK(seen == 5);
}

TEST_CASE("a copy of a function_ref refers to the same object, and nothing else converts to one") {
    int n = 0;
    auto add = [&](int by) { n += by; };
    function_ref<void(int)> f = add;
    function_ref<void(int)> copy = f;  // of f itself it would follow f to `other`
    auto other = [&](int by) { n -= by; };
    f = other;
    copy(3);
    CHECK(n == 3);
    f(1);
    CHECK(n == 2);
    STATIC_REQUIRE(!std::is_constructible_v<function_ref<void(int)>, int>);
    STATIC_REQUIRE(!std::is_constructible_v<function_ref<void(std::string)>, decltype(add)&>);
}
