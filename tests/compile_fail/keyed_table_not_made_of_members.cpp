// expect: a keyed table is made of (std::span<const weir::hash_member>, const options&)
#include <weir/select/consistent_hash.hpp>

struct mine {
    struct options {};
    static constexpr bool history_free = true;
#ifdef WEIR_FIXED
    mine(std::span<const weir::hash_member>, const options&) {}
#else
    explicit mine(std::span<const std::string_view>) {}
#endif
    [[nodiscard]] bool empty() const noexcept { return true; }
    [[nodiscard]] std::uint32_t find(std::uint64_t) const noexcept { return 0; }
    template <class Accept>
    std::uint32_t walk(std::uint64_t, std::uint32_t steps, Accept&&) const noexcept {
        return steps;
    }
};

void use(weir::registry<int>& r) { weir::consistent_hash<int, mine> s{r}; }
