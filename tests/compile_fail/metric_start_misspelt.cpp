// expect: on_start is `void on_start(pool&, state&[, std::chrono::nanoseconds]) const noexcept`
#include <weir/select/choices.hpp>

struct mine {
    static constexpr bool timed = false;
    struct pool {};
    struct state {};
    void join(pool&, state&) const noexcept {}
    void leave(pool&, state&) const noexcept {}
#ifdef WEIR_FIXED
    void on_start(pool&, state&) const noexcept {}
#else
    void on_start(state&) const noexcept {}  // never called: nobody would notice
#endif
    void on_end(pool&, state&, weir::outcome, std::chrono::nanoseconds, std::chrono::nanoseconds) const noexcept {}
    double score(const pool&, const state&, const weir::load_reading& r) const noexcept { return r.in_flight; }
    bool operator==(const mine&) const = default;
};

void use(weir::registry<int>& r) { weir::choices<int, mine, 2> s{r, mine{}}; }
