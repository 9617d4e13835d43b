#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace weir_test {

/// Named by a free function.
struct server {
    std::string host;
    std::uint16_t port = 80;
};
inline std::string identity(const server& s) { return s.host + ':' + std::to_string(s.port); }

/// Move only, named by a member.
struct channel {
    std::unique_ptr<std::string> name;
    explicit channel(std::string text) : name{std::make_unique<std::string>(std::move(text))} {}
    [[nodiscard]] std::string_view identity() const { return *name; }
};

/// Without a name.
struct nameless {
    int value = 0;
};

/// Knows whether it is used after its death, and how many of its kind live.
class mortal {
public:
    explicit mortal(std::string name, std::function<void()> last_words = {})
        : name_{std::move(name)}, last_words_{std::move(last_words)} {
        living_.fetch_add(1);
    }
    mortal(mortal&& other) noexcept
        : name_{std::move(other.name_)}, last_words_{std::exchange(other.last_words_, nullptr)} {
        living_.fetch_add(1);
    }
    mortal& operator=(mortal&&) = delete;
    ~mortal() {
        if (last_words_) last_words_();
        // Atomic, so that the compiler does not drop a store into an object that ends.
        canary_.store(dead, std::memory_order_relaxed);
        living_.fetch_sub(1);
    }

    [[nodiscard]] bool alive() const noexcept { return canary_.load(std::memory_order_relaxed) == sings; }
    [[nodiscard]] const std::string& identity() const noexcept { return name_; }
    [[nodiscard]] static int living() noexcept { return living_.load(); }

private:
    static constexpr std::uint64_t sings = 0x5ca1ab1e0ddba11, dead = 0xdeadc0de;
    static inline std::atomic<int> living_{0};
    std::string name_;
    std::function<void()> last_words_;
    std::atomic<std::uint64_t> canary_{sings};
};

}  // namespace weir_test
