// expect: a keyed table names `struct options`, copyable and with defaults
#include <weir/select/consistent_hash.hpp>

struct mine {
    struct options {
#ifndef WEIR_FIXED
        explicit options(int) {}
#endif
    };
    static constexpr bool history_free = true;
    mine(std::span<const weir::hash_member>, const options&) {}
    [[nodiscard]] bool empty() const noexcept { return true; }
    [[nodiscard]] std::uint32_t find(std::uint64_t) const noexcept { return 0; }
    template <class Accept>
    std::uint32_t walk(std::uint64_t, std::uint32_t steps, Accept&&) const noexcept {
        return steps;
    }
};

void use(weir::registry<int>& r) { weir::consistent_hash<int, mine> s{r}; }
