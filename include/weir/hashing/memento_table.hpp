#pragma once

#include "bucket_table.hpp"
#include "memento_buckets.hpp"

#include <cstdint>
#include <span>

namespace weir::inline WEIR_ABI {

/// MementoHash over members: as even as jump_table, and any member may go.
///
/// Rule: weight / gcd buckets a member, numbered by memento_buckets; bucket_table says who has which. Losing a member
/// moves exactly its keys. A key's own order is by hashing it again with the attempt.
///
/// Not history_free. Complexity: look-up O(ln buckets), more while many buckets are out of use; an update O(buckets).
/// Memory: 8 bytes a bucket, 16 while any is out of use. Imbalance: that of random draws. Immutable.
/// Source: Coluzzi, Brocco, Antonucci, Leidi 2023.
class memento_table : public detail::bucket_table<memento_buckets> {
public:
    struct options {
        std::uint64_t seed = 0;   ///< of the keys' hash
        bucket_state state = {};  ///< of the table to go on from; its members then become those given
    };

    memento_table() = default;

    /// Throws std::invalid_argument: too many buckets, an identity twice, a state that no memento_table exports.
    explicit memento_table(std::span<const hash_member> members, const options& o)
        : bucket_table{memento_buckets{detail::count(o.state), o.state.removed}, o.seed} {
        restore("memento_table", o.state);
        follow("memento_table", members);
    }
    explicit memento_table(const memento_table& previous, std::span<const hash_member> members)
        : bucket_table{previous} {
        follow("memento_table", members);
    }
};

}  // namespace weir::inline WEIR_ABI
