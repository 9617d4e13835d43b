#pragma once

#include "../detail/config.hpp"
#include "../detail/error.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::inline WEIR_ABI {

/// A word for each of many places, and above them words that sum up eight each: what trees of loads share.
///
/// A node is eight words, one cache line. A change of one place computes the words above it anew, from the leaf to the top
/// node, by `combine`: a function of eight words, told as a function of 0 to 7, that answers one. Its lowest 16 bits are the
/// tree's own and left 0. All calls for one tree take the same `combine`.
///
/// Complexity: O(log n): at n = 10,000 a change writes five words. Memory: 9.2 bytes a place.
/// Thread safety: all members from any thread; lock-free, every loop is bounded, nothing allocates. Each word is computed
/// and exchanged at most twice: if both exchanges fail, somebody else has begun after this change and has seen it (a
/// version in the word tells exchanges apart). So once no change is going on, every word is what its node says; during
/// changes what is read was true a moment ago, or becomes true in a moment.
/// Source: the f-arrays of Jayanti 2002.
class word_tree {
public:
    // 8: a node is one line. With 16 a change writes fewer words and reads more: the same time; finding is slower.
    static constexpr std::uint32_t fan = 8;
    /// A word of no place, and of eight that are nothing.
    static constexpr std::uint64_t nothing = ~std::uint64_t{0} << 40;
    // What trees of loads keep in a word: a load, 24 more bits of their own, and the version.
    //     63  40 39  16 15     0
    //     load | own  | version      `absent` and 0 in words that stand for nothing
    static constexpr std::uint32_t absent = (std::uint32_t{1} << 24) - 1;
    static constexpr std::uint32_t load_of(std::uint64_t word) noexcept {
        return static_cast<std::uint32_t>(word >> 40);
    }
    static constexpr std::uint32_t own_of(std::uint64_t word) noexcept {
        return static_cast<std::uint32_t>(word >> 16) & absent;
    }
    /// Nothing for a load that is absent.
    static constexpr std::uint64_t word_of(std::uint32_t load, std::uint32_t own) noexcept {
        return load >= absent ? nothing : (std::uint64_t{load} << 40) | (std::uint64_t{own} << 16);
    }
    /// Places fit into 24 bits of a word, as their number does.
    static constexpr std::uint32_t max_size = (std::uint32_t{1} << 24) - 1;

    word_tree() = default;
    /// `leaf(place)` gives the word of each of `size` places. Throws std::invalid_argument, in the name of `who`, for more
    /// than `max_size`.
    template <class Leaf, class Combine>
    word_tree(const char* who, std::size_t size, Leaf&& leaf, const Combine& combine) {
        if (size > max_size)
            detail::reject(std::string{who} + ": " + std::to_string(size) + " places are more than " +
                           std::to_string(max_size));
        if (size == 0) return;
        size_ = static_cast<std::uint32_t>(size);
        std::size_t nodes = 0, words = size;
        do {
            words = (words + fan - 1) / fan;
            first_[levels_++] = static_cast<std::uint32_t>(nodes);
            nodes += words;
        } while (words > 1);
        nodes_ = std::vector<node>(nodes);
        for (std::uint32_t i = 0; i < size_; ++i) word_at(0, i).store(leaf(i), std::memory_order_relaxed);
        for (std::uint32_t level = 1; level < levels_; ++level)
            for (std::uint32_t i = 0; i < first_[level] - first_[level - 1]; ++i)
                word_at(level, i).store(combine(node_at(level - 1, i)), std::memory_order_relaxed);
    }

    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    /// How many levels of words there are; level 0 has the places', the last one fits into a node.
    [[nodiscard]] std::uint32_t levels() const noexcept { return levels_; }

    /// Word `i` of a level: of place i, or of what stands below i * 8 to i * 8 + 7 on the level below.
    [[nodiscard]] std::uint64_t read(std::uint32_t level, std::uint32_t i) const noexcept {
        return nodes_[first_[level] + i / fan].words[i % fan].load(order);
    }
    /// The same as if some places were nothing, in no order and none of them named twice. O(places log n).
    template <class Combine>
    [[nodiscard]] std::uint64_t read_without(std::uint32_t level, std::uint32_t i,
                                             std::span<const std::uint32_t> without,
                                             const Combine& combine) const noexcept {
        const auto below = [&](std::uint32_t place) { return place >> (3 * level) == i; };
        if (std::none_of(without.begin(), without.end(), below)) return read(level, i);
        if (level == 0) return nothing;
        return combine([&](std::uint32_t child) { return read_without(level - 1, i * fan + child, without, combine); });
    }

    /// The sum of all, or of all but some.
    template <class Combine>
    [[nodiscard]] std::uint64_t top(const Combine& combine) const noexcept {
        return levels_ == 0 ? nothing : combine(node_at(levels_ - 1, 0));
    }
    template <class Combine>
    [[nodiscard]] std::uint64_t top_without(std::span<const std::uint32_t> without,
                                            const Combine& combine) const noexcept {
        if (levels_ == 0) return nothing;
        return combine([&](std::uint32_t child) { return read_without(levels_ - 1, child, without, combine); });
    }

    /// Brings one place up to date: `read()` gives its word as it is now, and is called again whenever somebody else has
    /// come in between.
    template <class Read, class Combine>
    void refresh(std::uint32_t place, Read&& read, const Combine& combine) noexcept {
        settle(word_at(0, place), read);
        for (std::uint32_t level = 1; level < levels_; ++level) {
            place /= fan;
            settle(word_at(level, place), [&] { return combine(node_at(level - 1, place)); });
        }
    }

private:
    static constexpr std::uint32_t most_levels = 8;  // 8^8 places
    // What was written before is seen by whoever writes next: the order of all exchanges decides which of two that
    // change the same node sees the other.
    static constexpr auto order = std::memory_order_seq_cst;
    static constexpr std::uint64_t version_mask = 0xffff;

    struct alignas(detail::cache_line) node {
        std::atomic<std::uint64_t> words[fan] = {nothing, nothing, nothing, nothing,
                                                 nothing, nothing, nothing, nothing};
        std::uint64_t operator()(std::uint32_t child) const noexcept { return words[child].load(order); }
    };

    template <class Compute>
    static void settle(std::atomic<std::uint64_t>& word, Compute&& compute) noexcept {
        for (int tries = 0; tries < 2; ++tries) {
            std::uint64_t before = word.load(order);
            if (word.compare_exchange_strong(before, compute() | ((before + 1) & version_mask), order)) return;
        }
    }

    [[nodiscard]] const node& node_at(std::uint32_t level, std::uint32_t i) const noexcept {
        return nodes_[first_[level] + i];
    }
    [[nodiscard]] std::atomic<std::uint64_t>& word_at(std::uint32_t level, std::uint32_t i) noexcept {
        return nodes_[first_[level] + i / fan].words[i % fan];
    }

    std::uint32_t size_ = 0;
    std::uint32_t levels_ = 0;
    std::uint32_t first_[most_levels] = {};  // node of each level, the leaves' first
    std::vector<node> nodes_;
};

}  // namespace weir::inline WEIR_ABI
