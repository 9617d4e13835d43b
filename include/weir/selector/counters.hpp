#pragma once

#include "../detail/config.hpp"
#include "../outcome.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weir::inline WEIR_ABI {

/// Picks of one selector, by reason and by error, since it was made; all its copies count together.
struct selector_counts {
    std::uint64_t by_reason[pick_reason_count]{};
    std::uint64_t by_error[pick_error_count]{};

    [[nodiscard]] std::uint64_t operator[](pick_reason r) const noexcept {
        return by_reason[static_cast<std::size_t>(r)];
    }
    [[nodiscard]] std::uint64_t operator[](pick_error e) const noexcept {
        return by_error[static_cast<std::size_t>(e)];
    }
};

namespace detail {

/// Threads whose stripe of something is their own alone; the others share one more.
inline constexpr std::uint32_t own_stripes = 64;

/// Counters that a pick adds to without sharing a line: each reader slot has a stripe, the last is for the others.
class pick_counters {
public:
    WEIR_ALWAYS_INLINE void count(std::uint32_t own, pick_reason r, std::uint64_t times = 1) noexcept {
        add(own, static_cast<std::size_t>(r), times);
    }
    void count(std::uint32_t own, pick_error e) noexcept {
        add(own, pick_reason_count + static_cast<std::size_t>(e), 1);
    }

    [[nodiscard]] selector_counts read() const noexcept {
        selector_counts sum;
        for (const auto& s : stripes_) {
            for (std::size_t i = 0; i < pick_reason_count; ++i)
                sum.by_reason[i] += s.counters[i].load(std::memory_order_relaxed);
            for (std::size_t i = 0; i < pick_error_count; ++i)
                sum.by_error[i] += s.counters[pick_reason_count + i].load(std::memory_order_relaxed);
        }
        return sum;
    }

private:
    WEIR_ALWAYS_INLINE void add(std::uint32_t own, std::size_t which, std::uint64_t times) noexcept {
        if (own < own_stripes) [[likely]] {  // nobody else writes it
            auto& counter = stripes_[own].counters[which];
            counter.store(counter.load(std::memory_order_relaxed) + times, std::memory_order_relaxed);
        } else {
            stripes_[own_stripes].counters[which].fetch_add(times, std::memory_order_relaxed);
        }
    }

    struct alignas(cache_line) stripe {
        std::atomic<std::uint64_t> counters[pick_reason_count + pick_error_count]{};
    };
    stripe stripes_[own_stripes + 1];
};

}  // namespace detail
}  // namespace weir::inline WEIR_ABI
