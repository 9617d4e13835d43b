// expect: a keyed table says `static constexpr bool history_free`: whether the mapping depends on
#include <weir/select/consistent_hash.hpp>

struct mine {
    struct options {};
#ifdef WEIR_FIXED
    static constexpr bool history_free = true;
#endif
    mine(std::span<const weir::hash_member>, const options&) {}
    [[nodiscard]] bool empty() const noexcept { return true; }
    [[nodiscard]] std::uint32_t find(std::uint64_t) const noexcept { return 0; }
    template <class Accept>
    std::uint32_t walk(std::uint64_t, std::uint32_t steps, Accept&&) const noexcept {
        return steps;
    }
};

void use(weir::registry<int>& r) { weir::consistent_hash<int, mine> s{r}; }
