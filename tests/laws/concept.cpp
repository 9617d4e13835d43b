#include "every_selector.hpp"

using namespace weir_test;
using namespace weir_test::law;

namespace {

template <class Entry>
void check_claims() {
    using type = decltype(Entry::make(std::declval<weir::registry_base<std::string>&>(), 1));
    static_assert(weir::selector<type>);
    static_assert(weir::policy<typename type::policy_type>);
    static_assert(noexcept(std::declval<const type&>().pick()));
    static_assert(noexcept(std::declval<const type&>().counts()));
    static_assert(std::is_nothrow_move_constructible_v<type>);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("every selector is one by the concept, over every shape of backend", "", every_selector) {
    check_claims<TestType>();
    const auto one = [](auto&& registry, auto&& backend) {
        registry.add(std::move(backend));
        const auto selector = TestType::make(registry, 1);
        CHECK(selector.pick({.key = 1}));
    };
    one(weir::registry<int>{}, 5);
    one(weir::registry<server>{}, server{"h", 1});
    one(weir::registry<channel>{}, channel{"wire"});
}
