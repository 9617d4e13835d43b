#pragma once

#include "../detail/error.hpp"
#include "../hash.hpp"
#include "../random.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::inline WEIR_ABI::detail {

/// The numbers that a key goes on with where its bucket is gone, each below an n: one after the other, so that none is used
/// twice (draws by key and bucket reuse for bucket 0 what led there), and none that an attempt of a walk begins with.
class bucket_draws {
public:
    explicit bucket_draws(std::uint64_t hashed) noexcept : state_{hashed} {}
    std::uint32_t operator()(std::uint32_t, std::uint32_t n) noexcept {
        state_ = mix(state_ + weyl_step);
        return static_cast<std::uint32_t>(scale(state_, n));
    }

private:
    std::uint64_t state_;
};

/// Refuses a list of removed buckets that no sequence of removals from `size` buckets leaves.
inline void check_removed(const char* who, std::size_t size, std::span<const std::uint32_t> removed) {
    std::vector<bool> gone(size);
    for (const std::uint32_t b : removed) {
        if (b >= size || gone[b])
            reject(std::string{who} + ": the bucket " + std::to_string(b) + " of " + std::to_string(size) +
                   " cannot have been removed" + (b < size ? " twice" : ""));
        gone[b] = true;
    }
}

}  // namespace weir::inline WEIR_ABI::detail
