#pragma once

#include "../functions/crc32.hpp"
#include "../keyed_table.hpp"
#include "point_circle.hpp"
#include "server_numbers.hpp"

#include <charconv>
#include <string_view>
#include <utility>

namespace weir::inline WEIR_ABI {

/// nginx's plain `hash KEY`, a dialect: 15 bits of a CRC-32, modulo the sum of the weights.
///
/// Text is hashed by CRC-32. A key that is a number holds such a hash in its low 32 bits, and above them the text's
/// length, of which further tries are made (`key_of` gives both).
///
/// nginx's laws, not weir's: servers count in the order of the configuration, which is here the order in which they came
/// (`options::state` says another); one that comes or goes moves nearly all keys; one that is down still counts, and its
/// keys go to the next of 21 tries, each of which adds another CRC-32. Then nginx goes over to round robin, and weir to
/// the draw that every selector ends with. Where weights sum up to more than 32,768 the servers beyond get no first tries.
/// Not history_free: alike after the same sequence of changes, or with another's `state()`. Who leaves makes room for
/// who comes.
/// Complexity: look-up O(log n); a further try some 100 ns; building O(n). Memory: 12 bytes a member and its identity.
/// Source: answers of nginx 1.22.1; the rule is that of Cache::Memcached.
class nginx_hash_table {
public:
    static constexpr bool history_free = false;
    static constexpr std::uint32_t walk_steps = 21;

    struct options {
        std::vector<server_number> state = {};  ///< servers' places in the configuration; the others take the free ones
        bool operator==(const options&) const = default;
    };

    /// Throws std::invalid_argument for a state with a place or an identity twice.
    nginx_hash_table(std::span<const hash_member> members, const options& o)
        : nginx_hash_table{std::span{o.state}, members} {}
    nginx_hash_table(const nginx_hash_table& previous, std::span<const hash_member> members)
        : nginx_hash_table{std::span{previous.state_}, members} {}

    [[nodiscard]] bool empty() const noexcept { return servers_.empty(); }
    [[nodiscard]] const std::vector<server_number>& state() const noexcept { return state_; }

    /// The key of a text.
    [[nodiscard]] static std::uint64_t key_of(std::string_view text) noexcept {
        return (std::uint64_t{text.size()} << 32) | crc32{}(text);
    }

    [[nodiscard]] std::uint32_t find(std::uint64_t key) const noexcept { return server(bits_of(key)); }

    template <class Accept>
    std::uint32_t walk(std::uint64_t key, std::uint32_t steps, Accept&& accept) const noexcept {
        std::uint32_t sum = bits_of(key);
        if (steps == 0 || accept(server(sum))) return 0;
        // Try n hashes the number n in decimal and then the text: the CRC of the two is made of both CRCs and a length.
        const std::uint32_t shift = crc32::shift(key >> 32);
        for (std::uint32_t step = 1; step < steps; ++step) {
            char digits[10];
            const auto end = std::to_chars(digits, digits + sizeof digits, step).ptr;
            const std::uint32_t number = crc32{}({digits, static_cast<std::size_t>(end - digits)});
            sum += bits_of(crc32::multiply(number, shift) ^ static_cast<std::uint32_t>(key));
            if (accept(server(sum))) return step;
        }
        return steps;
    }

private:
    struct place {
        std::uint64_t end;  // of the weights up to here
        std::uint32_t index;
    };

    nginx_hash_table(std::span<const server_number> known, std::span<const hash_member> members) {
        const std::vector<std::uint32_t> numbers = detail::number_servers("nginx_hash_table", members, known);
        state_ = detail::named_numbers(members, numbers);
        for (const std::size_t i : detail::by_number(numbers)) {
            if (members[i].weight == 0) continue;
            servers_.push_back({(servers_.empty() ? 0 : servers_.back().end) + members[i].weight, members[i].index});
        }
    }

    static constexpr std::uint32_t bits_of(std::uint64_t crc) noexcept {
        return static_cast<std::uint32_t>(crc >> 16) & 0x7fff;
    }
    [[nodiscard]] std::uint32_t server(std::uint32_t sum) const noexcept {
        const std::uint64_t weight = sum % servers_.back().end;
        return std::upper_bound(servers_.begin(), servers_.end(), weight,
                                [](std::uint64_t w, const place& p) { return w < p.end; })
            ->index;
    }

    std::vector<server_number> state_;
    std::vector<place> servers_;
};

static_assert(keyed_table<nginx_hash_table>);

}  // namespace weir::inline WEIR_ABI
