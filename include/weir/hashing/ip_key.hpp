#pragma once

#include "../detail/error.hpp"
#include "../hash.hpp"
#include "ip_address.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::inline WEIR_ABI {

/// How much of a client's address counts: the bits from its beginning, 1 to 32 and 1 to 128. {24, 56} takes the usual
/// networks of households and offices together. Throws std::invalid_argument.
struct ip_prefix {
    constexpr ip_prefix(int v4_bits = 32, int v6_bits = 128) : v4{v4_bits}, v6{v6_bits} {
        if (v4 < 1 || v4 > 32) detail::reject("ip_prefix: " + std::to_string(v4) + " bits of IPv4 are not 1 to 32");
        if (v6 < 1 || v6 > 128) detail::reject("ip_prefix: " + std::to_string(v6) + " bits of IPv6 are not 1 to 128");
    }
    int v4;
    int v6;
};

/// The key of a client, for any hashing selector: `hash` of the bytes of its network. Equal on every machine and in every
/// version of weir. An IPv4-mapped IPv6 address counts as the IPv4 address.
[[nodiscard]] inline std::uint64_t ip_key(const ip_address& client, ip_prefix prefix = {}) noexcept {
    const ip_address own = client.unmapped();
    const ip_address network = own.network(static_cast<unsigned>(own.is_v4() ? prefix.v4 : prefix.v6));
    const auto bytes = network.bytes();
    return hash({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

/// The same from text, for `pick_options::key`: what is no address (see `ip_address::parse`) gives no key, and a pick
/// without one is a draw at random: `caches.pick({.key = weir::ip_key(client, {24, 56})})`.
[[nodiscard]] inline std::optional<std::uint64_t> ip_key(std::string_view client, ip_prefix prefix = {}) noexcept {
    const auto address = ip_address::parse(client);
    return address ? std::optional{ip_key(*address, prefix)} : std::nullopt;
}

}  // namespace weir::inline WEIR_ABI
