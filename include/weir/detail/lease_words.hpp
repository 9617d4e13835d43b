#pragma once

#include "lease_word.hpp"

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

// Where the lease words of a registry lie. What a lease reads and writes of its backend is one entry of 32 bytes, so that it
// meets one cache line of it. Most registries have them in a row, by slot: whoever knows the slot knows the address, and need
// not look it up in an array that the first cache does not hold. In a row for few backends each has a line, or threads that
// lease different ones would wait for each other; in a row for many two share one, as of a thousand lines the first cache
// would hold half, and of ten thousand the second.
//
// A word that leases count on does not move. So backends that come when the row is full have theirs elsewhere, in blocks of
// 64 lines: a slot gets one of the line of its own number, modulo 64, as long as there is one. Where an update leaves new
// members alone, they get a new row; see `membership`.
namespace weir::inline WEIR_ABI::detail {

struct metric_cell;
struct record_base;

/// What the leases of one backend read and write. `told` and `owner` are what only the pick reads, or a lease with a metric,
/// or one that fails: all of them have just had this line.
struct alignas(32) lease_entry {
    lease_word word;
    std::atomic<metric_cell*> told{nullptr};  ///< the first of those that want to be told of the leases
    record_base* owner = nullptr;

    /// The entry of a word that was taken from a block.
    [[nodiscard]] WEIR_ALWAYS_INLINE static lease_entry& of(lease_word& word) noexcept {
        return *reinterpret_cast<lease_entry*>(&word);  // its first member
    }
};
static_assert(std::is_standard_layout_v<lease_entry> && offsetof(lease_entry, word) == 0);

/// A number of entries. A word taken from it must not outlive it.
class lease_block {
public:
    static constexpr std::size_t in_line = cache_line / sizeof(lease_entry);

    /// `size` is a multiple of 64. Memory of entries that nobody has taken is not touched.
    explicit lease_block(std::size_t size)
        : free_(size / 64), entries_{static_cast<lease_entry*>(
                                ::operator new(size * sizeof(lease_entry), std::align_val_t{cache_line}))} {
        for (auto& some : free_) some.store(~std::uint64_t{0}, std::memory_order_relaxed);
    }
    lease_block(const lease_block&) = delete;
    lease_block& operator=(const lease_block&) = delete;
    ~lease_block() { ::operator delete(entries_, std::align_val_t{cache_line}); }

    [[nodiscard]] std::size_t size() const noexcept { return free_.size() * 64; }
    [[nodiscard]] lease_entry* entries() const noexcept { return entries_; }
    [[nodiscard]] bool is_free(std::size_t at) const noexcept {
        return at < size() && (free_[at / 64].load(std::memory_order_acquire) >> (at % 64) & 1) != 0;
    }

    /// A new word for the leases of `owner`, in this entry; null if it is taken, or there is none. One thread at a time.
    [[nodiscard]] lease_word* take(record_base* owner, std::size_t at) noexcept {
        if (!is_free(at)) return nullptr;
        free_[at / 64].fetch_and(~(std::uint64_t{1} << (at % 64)), std::memory_order_acquire);
        lease_entry* const fresh = std::construct_at(entries_ + at);
        fresh->owner = owner;
        return &fresh->word;
    }
    /// In whichever entry is free.
    [[nodiscard]] lease_word* take(record_base* owner) noexcept {
        for (std::size_t i = 0; i < free_.size(); ++i)
            if (const auto free = free_[i].load(std::memory_order_acquire); free != 0)
                return take(owner, i * 64 + static_cast<std::size_t>(std::countr_zero(free)));
        return nullptr;
    }
    /// From any thread, also during a `take`.
    void give_back(lease_word* word) noexcept {
        const auto at = static_cast<std::size_t>(&lease_entry::of(*word) - entries_);
        free_[at / 64].fetch_or(std::uint64_t{1} << (at % 64), std::memory_order_release);
    }

private:
    std::vector<std::atomic<std::uint64_t>> free_;  // a bit an entry
    lease_entry* const entries_;
};
static_assert(std::is_trivially_destructible_v<lease_entry>);

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

/// The word of a slot is at `first` + slot x 2^`shift` bytes.
struct lease_row {
    std::byte* first = nullptr;  ///< null: there is none
    std::uint32_t shift = 0;

    [[nodiscard]] explicit operator bool() const noexcept { return first != nullptr; }
    [[nodiscard]] WEIR_ALWAYS_INLINE lease_word& operator[](std::uint32_t slot) const noexcept {
        return reinterpret_cast<lease_entry*>(first + (std::size_t{slot} << shift))->word;
    }
    /// Whether this word is the slot's.
    [[nodiscard]] bool holds(std::uint32_t slot, const lease_word* word) const noexcept {
        return reinterpret_cast<std::uintptr_t>(first) + (std::uintptr_t{slot} << shift) ==
               reinterpret_cast<std::uintptr_t>(word);
    }
};

/// The blocks of one registry: of its row, which stays until there is another, and others for whom that has no room. They
/// stay in any case as long as a word of theirs is in use. All members are called under the writer's lock.
class lease_words {
public:
    struct layout {
        std::shared_ptr<lease_block> row;
        std::size_t apart = 1;  ///< how many entries of the row one slot is from the next
        std::vector<std::shared_ptr<lease_block>> others;
        std::size_t last = 0;  ///< of the others, that had a word
    };

    static constexpr std::size_t lines = 64;  ///< of a block; the first row is for twice as many slots
    static constexpr std::size_t few = 256;   ///< up to so many slots have a line each in their row

    /// O(1) on average while backends only come; O(blocks) at worst.
    [[nodiscard]] leased_word take(record_base* owner, std::uint32_t slot) {
        if (now_.row == nullptr) (void)begin_row(lines);
        if (lease_word* const word = now_.row->take(owner, now_.apart * slot)) return {word, now_.row};
        if (lease_word* const word = find([&](lease_block& b) { return take_of_line(b, owner, slot); }))
            return {word, now_.others[now_.last]};
        if (lease_word* const word = find([&](lease_block& b) { return b.take(owner); }))
            return {word, now_.others[now_.last]};
        now_.others.push_back(std::make_shared<lease_block>(lines * lease_block::in_line));
        now_.last = now_.others.size() - 1;
        return {take_of_line(*now_.others[now_.last], owner, slot), now_.others[now_.last]};
    }

    /// Whether the row has the slot's word, and nobody uses it.
    [[nodiscard]] bool is_free(std::uint32_t slot) const noexcept {
        return now_.row != nullptr && now_.row->is_free(now_.apart * slot);
    }
    /// A new row for so many slots, with room for as many more. Who has a word keeps it. Returns what was, for `resume`.
    [[nodiscard]] layout begin_row(std::size_t slots) {
        const std::size_t apart = slots <= few ? lease_block::in_line : 1;
        return std::exchange(now_, {std::make_shared<lease_block>((2 * slots * apart + 63) / 64 * 64), apart, {}, 0});
    }
    void resume(layout before) noexcept { now_ = std::move(before); }
    [[nodiscard]] lease_row row() const noexcept {
        if (now_.row == nullptr) return {};
        return {reinterpret_cast<std::byte*>(now_.row->entries()),
                static_cast<std::uint32_t>(std::countr_zero(now_.apart * sizeof(lease_entry)))};
    }

private:
    [[nodiscard]] static lease_word* take_of_line(lease_block& b, record_base* owner, std::uint32_t slot) noexcept {
        const std::size_t first = slot % lines * lease_block::in_line;
        lease_word* word = nullptr;
        for (std::size_t i = 0; i < lease_block::in_line && word == nullptr; ++i) word = b.take(owner, first + i);
        return word;
    }
    /// Asks each of the others, from the last that had a word on.
    template <class Take>
    [[nodiscard]] lease_word* find(Take take) noexcept {
        for (std::size_t tries = 0; tries < now_.others.size();
             ++tries, now_.last = (now_.last + 1) % now_.others.size())
            if (lease_word* const word = take(*now_.others[now_.last])) return word;
        return nullptr;
    }

    layout now_;
};

}  // namespace weir::inline WEIR_ABI::detail
