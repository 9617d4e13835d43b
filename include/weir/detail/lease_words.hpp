#pragma once

#include "lease_word.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

// Where the lease words of a registry lie. A line for each would keep threads apart that lease different backends, but of a
// thousand backends the first cache would hold half, and of ten thousand the second. So a block has 64 lines of four words
// each, and a slot gets one of the line of its own number, modulo 64, as long as there is one: while none have gone, up to
// 64 backends have a line for themselves, and in larger pools those that share one are a multiple of 64 apart, so that a
// rotation does not meet a line twice in 64 picks.
namespace weir::inline WEIR_ABI::detail {

struct metric_cell;
struct record_base;

/// 256 words, and beside each whose it is and who is told of its leases. A word taken from it must not outlive it.
class lease_block {
public:
    static constexpr std::size_t lines = 64, rows = cache_line / sizeof(lease_word);

    lease_block() {
        for (auto& row : free_) row.store(~std::uint64_t{0}, std::memory_order_relaxed);
    }
    lease_block(const lease_block&) = delete;
    lease_block& operator=(const lease_block&) = delete;

    /// A new word for the leases of `owner`, on one of `these` lines (a bit each); null if all are taken. One thread at a time.
    [[nodiscard]] lease_word* take(record_base* owner, std::uint64_t these = ~std::uint64_t{0}) noexcept {
        for (std::size_t row = 0; row < rows; ++row) {
            const std::uint64_t free = free_[row].load(std::memory_order_acquire) & these;
            if (free == 0) continue;
            const auto line = static_cast<std::size_t>(std::countr_zero(free));
            free_[row].fetch_and(~(std::uint64_t{1} << line), std::memory_order_acquire);
            const std::size_t at = line * rows + row;
            std::construct_at(&memory_->others[at])->owner = owner;
            return std::construct_at(&memory_->words[at]);
        }
        return nullptr;
    }
    /// From any thread, also during a `take`.
    void give_back(lease_word* word) noexcept {
        const auto at = static_cast<std::size_t>(word - memory_->words.data());
        free_[at % rows].fetch_or(std::uint64_t{1} << (at / rows), std::memory_order_release);
    }

    /// The first of those that want to be told of the leases that this word of a block counts.
    [[nodiscard]] static std::atomic<metric_cell*>& told_of(lease_word& word) noexcept { return beside(word).told; }
    /// Whose leases it counts.
    [[nodiscard]] static record_base& owner_of(lease_word& word) noexcept { return *beside(word).owner; }

private:
    static constexpr std::size_t size = lines * rows;

    /// What only a lease with a metric asks, or one that fails. Not on a line of the record, which would be fetched behind a
    /// locked addition, where nothing overlaps; and at the same distance from each word.
    struct alignas(sizeof(lease_word)) other {
        std::atomic<metric_cell*> told{nullptr};
        record_base* owner = nullptr;
    };
    // A line more than 4,096 bytes apart: a load at just that distance from a store before it would be taken for one of the
    // same place.
    struct alignas(cache_line) memory {
        std::array<lease_word, size> words{};
        std::array<std::byte, cache_line> apart{};
        std::array<other, size> others{};
    };
    static_assert(rows * sizeof(lease_word) == cache_line && sizeof(other) == sizeof(lease_word));

    static other& beside(lease_word& word) noexcept {
        return *reinterpret_cast<other*>(reinterpret_cast<std::byte*>(&word) + offsetof(memory, others));
    }

    std::array<std::atomic<std::uint64_t>, rows> free_{};  // a bit a line
    const std::unique_ptr<memory> memory_ = std::make_unique<memory>();
};

/// A word of a block, which it keeps.
class leased_word {
public:
    leased_word() noexcept = default;
    leased_word(lease_word* w, std::shared_ptr<lease_block> b) noexcept : word_{w}, block_{std::move(b)} {}
    leased_word(const leased_word&) = delete;
    leased_word& operator=(const leased_word&) = delete;
    leased_word& operator=(leased_word&& other) noexcept {
        std::swap(word_, other.word_);
        std::swap(block_, other.block_);
        return *this;
    }
    ~leased_word() {
        if (word_ != nullptr) block_->give_back(word_);
    }
    [[nodiscard]] lease_word* get() noexcept { return word_; }
    [[nodiscard]] const lease_word* get() const noexcept { return word_; }

private:
    lease_word* word_ = nullptr;
    std::shared_ptr<lease_block> block_;
};

/// The blocks of one registry. They stay, for those to come, as long as it does or a word of theirs is in use.
class lease_words {
public:
    /// Under the writer's lock. O(1) on average while backends only come; O(blocks) at worst.
    [[nodiscard]] leased_word take(record_base* owner, std::uint32_t slot) {
        const std::uint64_t its_line = std::uint64_t{1} << (slot % lease_block::lines);
        for (const std::uint64_t lines : {its_line, ~std::uint64_t{0}})
            for (std::size_t tries = 0; tries < blocks_.size(); ++tries, last_ = (last_ + 1) % blocks_.size())
                if (lease_word* const word = blocks_[last_]->take(owner, lines)) return {word, blocks_[last_]};
        blocks_.push_back(std::make_shared<lease_block>());
        last_ = blocks_.size() - 1;
        return {blocks_[last_]->take(owner, its_line), blocks_[last_]};
    }

private:
    std::vector<std::shared_ptr<lease_block>> blocks_;
    std::size_t last_ = 0;
};

}  // namespace weir::inline WEIR_ABI::detail
