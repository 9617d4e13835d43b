// expect: a keyed table that is not history_free is also made of (const Table& previous,
#include <weir/select/consistent_hash.hpp>

struct mine {
    struct options {
        int state = 0;
    };
    static constexpr bool history_free = false;
    mine(std::span<const weir::hash_member>, const options&) {}
#ifdef WEIR_FIXED
    mine(const mine&, std::span<const weir::hash_member>) {}
    [[nodiscard]] int state() const { return 0; }
#endif
    [[nodiscard]] bool empty() const noexcept { return true; }
    [[nodiscard]] std::uint32_t find(std::uint64_t) const noexcept { return 0; }
    template <class Accept>
    std::uint32_t walk(std::uint64_t, std::uint32_t steps, Accept&&) const noexcept {
        return steps;
    }
};

void use(weir::registry<int>& r) { weir::consistent_hash<int, mine> s{r}; }
