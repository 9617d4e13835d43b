#pragma once

#include "bucket_table.hpp"
#include "jump_hash.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace weir::inline WEIR_ABI {

namespace detail {

/// Buckets 0 to n-1: only the last can go.
class jump_buckets {
public:
    jump_buckets() = default;
    explicit jump_buckets(std::uint32_t n) noexcept : size_{n} {}

    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    [[nodiscard]] WEIR_ALWAYS_INLINE std::uint32_t find(std::uint64_t key) const noexcept {
        return jump_hash(mix(key), size_);
    }
    void reserve(std::uint32_t) const noexcept {}
    std::uint32_t add() noexcept { return size_++; }
    std::uint32_t remove(std::uint32_t) noexcept { return --size_; }
    [[nodiscard]] std::vector<std::uint32_t> removed() const { return {}; }
    void clear() noexcept { size_ = 0; }

private:
    std::uint32_t size_ = 0;
};

}  // namespace detail

/// Jump consistent hash over members: no table but who has which bucket, and the most even shares.
///
/// Rule: weight / gcd buckets a member, see bucket_table. Only the last bucket can go, so when another one loses its
/// member, the last bucket's takes its place: twice the necessary keys move, and they do not all come back. A key's own
/// order is by hashing it again with the attempt. For pools that grow and shrink at the end; memento_table costs a
/// little more and moves nothing needlessly.
///
/// Not history_free. Complexity: look-up O(ln buckets), an update O(buckets). Memory: 8 bytes a bucket. Immutable.
/// Source: Lamping and Veach 2014.
class jump_table : public detail::bucket_table<detail::jump_buckets> {
public:
    struct options {
        std::uint64_t seed = 0;   ///< of the keys' hash
        bucket_state state = {};  ///< of the table to go on from; its members then become those given
    };

    jump_table() = default;

    /// Throws std::invalid_argument: too many buckets, an identity twice, a state that is none of a jump_table.
    explicit jump_table(std::span<const hash_member> members, const options& o)
        : bucket_table{restored(o.state), o.seed} {
        restore("jump_table", o.state);
        follow("jump_table", members);
    }
    explicit jump_table(const jump_table& previous, std::span<const hash_member> members) : bucket_table{previous} {
        follow("jump_table", members);
    }

private:
    static detail::jump_buckets restored(const bucket_state& s) {
        if (!s.removed.empty())
            detail::reject("jump_table: a state with " + std::to_string(s.removed.size()) +
                           " removed buckets is another table's");
        return detail::jump_buckets{detail::count(s)};
    }
};

}  // namespace weir::inline WEIR_ABI
