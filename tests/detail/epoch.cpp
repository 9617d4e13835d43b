#include <weir/detail/epoch.hpp>

#include "catch.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

// The domain over atomics that have nothing to do with the standard library's. One thread runs it, and at any step that
// it takes something else may happen: so each order of two calls is seen, one by one.

namespace {

using weir::detail::fence_mode;
using weir::detail::retired;

/// What happens at which step.
struct script {
    static inline std::uint64_t steps = 0, at = 0;
    static inline std::function<void()> then;

    static void begin(std::uint64_t step, std::function<void()> f) {
        steps = 0;
        at = step;
        then = std::move(f);
    }
    static void step() {
        if (++steps == at && then) std::exchange(then, nullptr)();
    }
};

template <class T>
class stepped {
public:
    constexpr stepped(T value) noexcept : value_{value} {}
    stepped(const stepped&) = delete;
    stepped& operator=(const stepped&) = delete;

    T load(std::memory_order) const noexcept { return script::step(), value_; }
    void store(T value, std::memory_order) noexcept { exchange(value, {}); }
    T exchange(T value, std::memory_order) noexcept { return script::step(), std::exchange(value_, value); }
    T fetch_add(T n, std::memory_order) noexcept { return script::step(), std::exchange(value_, value_ + n); }
    T fetch_sub(T n, std::memory_order) noexcept { return script::step(), std::exchange(value_, value_ - n); }
    bool compare_exchange_strong(T& expected, T value, std::memory_order, std::memory_order = {}) noexcept {
        script::step();
        if (value_ != expected) return expected = value_, false;
        return value_ = value, true;
    }
    bool compare_exchange_weak(T& expected, T value, std::memory_order, std::memory_order) noexcept {
        return compare_exchange_strong(expected, value, {});
    }

private:
    T value_;
};

struct stepped_atomics {
    template <class T>
    using atomic = stepped<T>;
    static inline bool has_barrier = true;
    static void compiler_fence() noexcept { script::step(); }
    static bool process_barrier() noexcept { return script::step(), has_barrier; }
    static bool register_process_barrier() noexcept { return has_barrier; }
    static void pause() noexcept { script::step(); }
};

struct object : retired {
    int released = 0;
    object() {
        release = [](retired* self) noexcept { ++static_cast<object*>(self)->released; };
    }
};

/// A domain with one reader.
struct scene {
    using domain = weir::detail::epoch_domain<stepped_atomics>;
    std::unique_ptr<domain> d = std::make_unique<domain>();
    domain::slot* reader = nullptr;

    explicit scene(fence_mode mode) {
        d->decide(mode);
        REQUIRE(d->mode() == mode);
        reader = d->claim(1);
        REQUIRE(reader != nullptr);
    }
    void enter() const { d->mode() == fence_mode::asymmetric ? d->enter(*reader) : d->enter_portable(*reader); }
    void leave() const { d->mode() == fence_mode::asymmetric ? d->leave(*reader) : d->leave_portable(*reader); }
};

constexpr fence_mode modes[] = {fence_mode::asymmetric, fence_mode::portable};

}  // namespace

TEST_CASE("at whatever step of a writer the reader leaves, what was retired is released once, and not before") {
    for (const fence_mode mode : modes)
        for (std::uint64_t step = 1, left = 1; left != 0; ++step) {
            const scene s{mode};
            object o;
            s.enter();
            left = 0;
            script::begin(step, [&] {
                CHECK(o.released == 0);
                left = step;
                s.leave();
            });
            s.d->retire(&o, nullptr);
            if (left == 0) {
                script::then = nullptr;
                CHECK(step > 100);  // it looked at every slot, and spun for this one
                CHECK(o.released == 0);
                s.leave();
            }
            CHECK(o.released == 1);
        }
}

TEST_CASE("at whatever step of the reader's leaving a writer retires, that is released once") {
    for (const fence_mode mode : modes)
        for (std::uint64_t step = 1, met = 1; met != 0; ++step) {
            const scene s{mode};
            object first, second;
            s.enter();
            s.d->retire(&first, nullptr);
            CHECK(first.released == 0);
            met = 0;
            script::begin(step, [&] {
                met = step;
                s.d->retire(&second, nullptr);
            });
            s.leave();
            script::then = nullptr;
            CHECK(first.released == 1);
            if (met == 0) s.d->retire(&second, nullptr);
            // What the writer handed over while the reader was looking is found by the next look at the latest.
            s.enter();
            s.leave();
            CHECK(second.released == 1);
            if (met == 0) CHECK(step > 2);
        }
}

TEST_CASE("while the kernel withholds its barrier nothing is released, afterwards all") {
    const scene s{fence_mode::asymmetric};
    object first, second;
    stepped_atomics::has_barrier = false;
    s.d->retire(&first, nullptr);
    CHECK(first.released == 0);
    stepped_atomics::has_barrier = true;
    s.d->retire(&second, nullptr);
    CHECK(first.released == 1);
    CHECK(second.released == 1);
}

TEST_CASE("readers without a slot share one, and the last to leave releases") {
    const scene s{fence_mode::portable};
    object o;
    s.d->enter_shared();
    s.d->enter_shared();
    s.d->retire(&o, nullptr);
    s.d->leave_shared();
    CHECK(o.released == 0);
    s.d->leave_shared();
    CHECK(o.released == 1);
}
