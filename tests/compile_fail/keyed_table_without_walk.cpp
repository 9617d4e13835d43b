// expect: a keyed table has `template <class Accept> std::uint32_t walk
#include <weir/select/consistent_hash.hpp>

struct mine {
    struct options {};
    static constexpr bool history_free = true;
    mine(std::span<const weir::hash_member>, const options&) {}
    [[nodiscard]] bool empty() const noexcept { return true; }
    [[nodiscard]] std::uint32_t find(std::uint64_t) const noexcept { return 0; }
#ifdef WEIR_FIXED
    template <class Accept>
    std::uint32_t walk(std::uint64_t, std::uint32_t steps, Accept&&) const noexcept {
        return steps;
    }
#endif
};

void use(weir::registry<int>& r) { weir::consistent_hash<int, mine> s{r}; }
