// expect: a keyed table has `bool empty() const noexcept` and `std::uint32_t find(std::uint64_t key) const noexcept`
#include <weir/select/consistent_hash.hpp>

struct mine {
    struct options {};
    static constexpr bool history_free = true;
    mine(std::span<const weir::hash_member>, const options&) {}
    [[nodiscard]] bool empty() const noexcept { return true; }
#ifdef WEIR_FIXED
    [[nodiscard]] std::uint32_t find(std::uint64_t) const noexcept { return 0; }
#else
    [[nodiscard]] std::uint32_t find(std::uint64_t) const { return 0; }
#endif
    template <class Accept>
    std::uint32_t walk(std::uint64_t, std::uint32_t steps, Accept&&) const noexcept {
        return steps;
    }
};

void use(weir::registry<int>& r) { weir::consistent_hash<int, mine> s{r}; }
