// expect: on_start with a time is for metrics that are `timed`
#include <weir/select/choices.hpp>

struct mine {
#ifdef WEIR_FIXED
    static constexpr bool timed = true;
#else
    static constexpr bool timed = false;
#endif
    struct pool {};
    struct state {};
    void join(pool&, state&) const noexcept {}
    void leave(pool&, state&) const noexcept {}
    void on_start(pool&, state&, std::chrono::nanoseconds) const noexcept {}
    void on_end(pool&, state&, weir::outcome, std::chrono::nanoseconds, std::chrono::nanoseconds) const noexcept {}
    double score(const pool&, const state&, const weir::load_reading& r) const noexcept { return r.in_flight; }
    bool operator==(const mine&) const = default;
};

void use(weir::registry<int>& r) { weir::choices<int, mine, 2> s{r, mine{}}; }
