#pragma once

#include "detail/wide.hpp"

#include <cstdint>

namespace weir::inline WEIR_ABI {

namespace detail {

inline constexpr std::uint64_t weyl_step =
    0xa0761d6478bd642f;  // wyrand's increment: odd, so the counter has period 2^64

/// wyrand's output function (Wang Yi): one multiplication turns consecutive counter values into random bits.
constexpr std::uint64_t scramble(std::uint64_t counter) noexcept {
    const wide product = multiply(counter, counter ^ 0xe7037ed1a0b428db);
    return product.high ^ product.low;
}

}  // namespace detail

/// A small, fast generator (wyrand): 64 bits of state, period 2^64, not for secrets.
/// A UniformRandomBitGenerator; equal seeds give equal sequences on every platform.
class generator {
public:
    using result_type = std::uint64_t;
    constexpr explicit generator(std::uint64_t seed) noexcept : counter_{seed} {}

    constexpr result_type operator()() noexcept { return detail::scramble(counter_ += detail::weyl_step); }
    /// A uniform number below n (0 for n = 0); the bias is below n / 2^64.
    constexpr std::uint64_t below(std::uint64_t n) noexcept { return detail::scale((*this)(), n); }

    static constexpr result_type(min)() noexcept { return 0; }
    static constexpr result_type(max)() noexcept { return ~result_type{0}; }

private:
    std::uint64_t counter_;
};

}  // namespace weir::inline WEIR_ABI
