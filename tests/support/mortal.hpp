#pragma once

#include <atomic>
#include <cstdint>

namespace weir_test {

/// A backend that knows when it is used after its death, and how many are alive. Move-only.
class mortal {
public:
    explicit mortal(std::uint64_t number) : number_{number} { ++alive; }
    mortal(mortal&& other) noexcept : number_{other.number_} { ++alive; }
    mortal(const mortal&) = delete;
    mortal& operator=(const mortal&) = delete;
    ~mortal() {
        life_.store(dead, std::memory_order_relaxed);
        --alive;
    }
    [[nodiscard]] bool lives() const noexcept { return life_.load(std::memory_order_relaxed) == living; }
    [[nodiscard]] std::uint64_t identity() const noexcept { return number_; }

    static inline std::atomic<std::int64_t> alive{0};

private:
    static constexpr std::uint64_t living = 0x11fe11fe11fe11fe, dead = 0xdeaddeaddeaddead;
    std::atomic<std::uint64_t> life_{living};
    std::uint64_t number_;
};

}  // namespace weir_test
