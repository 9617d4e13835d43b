#pragma once

#include "../../detail/bytes.hpp"
#include "../hash_function.hpp"

#include <array>
#include <cstddef>
#include <cstring>

#include <nettle/md5.h>

namespace weir::inline WEIR_ABI {

/// MD5, for agreeing with software that places its points by it; no longer a defence against anybody.
///
/// By the library Nettle, whose context lives on the stack: nothing is allocated and no lock is taken, where OpenSSL's
/// EVP does both. Link weir::md5, or nettle. The only header that includes it, beside dialects/ketama.hpp.
struct md5 {
    using is_avalanching = void;
    using digest = std::array<unsigned char, 16>;
    std::uint64_t seed = 0;  ///< 0: none; else its 8 bytes, little-endian, go before the text

    /// The first 8 bytes of the digest, little-endian.
    [[nodiscard]] std::uint64_t operator()(std::string_view text) const noexcept { return word<std::uint64_t>(text); }

    /// The first bytes of the digest as one word, little-endian: 32 bits of it are what ketama calls a key.
    template <class Word>
    [[nodiscard]] Word word(std::string_view text) const noexcept {
        const digest d = of(text);
        return detail::read_little_endian<Word>(reinterpret_cast<const char*>(d.data()));
    }

    [[nodiscard]] digest of(std::string_view text) const noexcept {
        md5_ctx context;
        md5_init(&context);
        if (seed != 0) {
            std::array<unsigned char, 8> bytes{};
            for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(seed >> (8 * i));
            md5_update(&context, bytes.size(), bytes.data());
        }
        md5_update(&context, text.size(), reinterpret_cast<const unsigned char*>(text.data()));
        digest result{};
        finish(context, result.data());
        return result;
    }
    bool operator==(const md5&) const = default;

private:
    /// Nettle 4 took the length out of the call.
    template <class Context>
    static void finish(Context& context, unsigned char* to) noexcept {
        if constexpr (requires { md5_digest(&context, std::size_t{16}, to); })
            md5_digest(&context, std::size_t{16}, to);
        else
            md5_digest(&context, to);
    }
};

static_assert(hash_function<md5>);

}  // namespace weir::inline WEIR_ABI
