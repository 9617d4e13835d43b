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

/// The least of many loads that change all the time, and how many places have it.
///
/// A tree with eight words to a node, one cache line; a word has the least load below it and the number of places with
/// that load. A change of one load computes the words above it anew, from the leaf to the top node.
///
/// Complexity: O(log n) for everything: at n = 10,000 a change writes five words, finding a place reads five nodes.
/// Memory: 9.2 bytes a place.
/// Thread safety: all members from any thread; lock-free, every loop is bounded, nothing allocates. Each word is computed
/// and exchanged at most twice: if both exchanges fail, somebody else has begun after this change and has seen it (a
/// version in the word tells exchanges apart). So once no change is going on, every word is what its node says; during
/// changes what is read was true a moment ago, or becomes true in a moment.
/// Source: the f-arrays of Jayanti 2002.
class least_tree {
public:
    /// The load of a place that is not to be found, and of none at all. Greater than any other.
    static constexpr std::uint32_t absent = (std::uint32_t{1} << 24) - 1;
    static constexpr std::uint32_t nobody = ~std::uint32_t{0};
    /// One more would not fit into a word's count.
    static constexpr std::uint32_t max_size = (std::uint32_t{1} << 24) - 1;

    struct least {
        std::uint32_t load = absent;
        std::uint32_t count = 0;  ///< how many places have that load; 0: all are absent
        friend constexpr bool operator==(const least&, const least&) noexcept = default;
    };

    least_tree() = default;
    /// One place for each load. Throws std::invalid_argument for more than `max_size`.
    explicit least_tree(std::span<const std::uint32_t> loads) : size_{static_cast<std::uint32_t>(loads.size())} {
        if (loads.size() > max_size)
            detail::reject("least_tree: " + std::to_string(loads.size()) + " places are more than " +
                           std::to_string(max_size));
        if (loads.empty()) return;
        std::size_t nodes = 0, words = loads.size();
        do {
            words = (words + fan - 1) / fan;
            first_[levels_++] = static_cast<std::uint32_t>(nodes);
            nodes += words;
        } while (words > 1);
        nodes_ = std::vector<node>(nodes);
        for (std::uint32_t i = 0; i < size_; ++i) word_at(0, i).store(leaf(loads[i]), std::memory_order_relaxed);
        for (std::uint32_t level = 1; level < levels_; ++level)
            for (std::uint32_t i = 0; i < first_[level] - first_[level - 1]; ++i)
                word_at(level, i).store(summary(node_at(level - 1, i)), std::memory_order_relaxed);
    }

    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    /// What is known of one place.
    [[nodiscard]] std::uint32_t load(std::uint32_t place) const noexcept { return load_of(read(0, place)); }

    /// The least load of all, and how many have it.
    [[nodiscard]] least total() const noexcept {
        if (levels_ == 0) return {};
        const std::uint64_t word = summary(node_at(levels_ - 1, 0));
        return {load_of(word), count_of(word)};
    }
    /// The same of all but a few places, in no order and none of them twice. O(places log n).
    [[nodiscard]] least total(std::span<const std::uint32_t> without) const noexcept {
        if (levels_ == 0) return {};
        const std::uint64_t word = summary_without(levels_, 0, without);
        return {load_of(word), count_of(word)};
    }

    /// The one with number `k`, from 0 on, of the places with that least load; nobody if loads have moved since it was
    /// read, or `k` is too large.
    [[nodiscard]] std::uint32_t find(std::uint32_t least_load, std::uint64_t k,
                                     std::span<const std::uint32_t> without = {}) const noexcept {
        if (levels_ == 0) return nobody;
        std::uint32_t at = 0;
        for (std::uint32_t level = levels_; level-- > 0;) {
            std::uint32_t child = 0;
            for (; child < fan; ++child) {
                const std::uint64_t word = without.empty() ? node_at(level, at).words[child].load(order)
                                                           : word_without(level, at * fan + child, without);
                if (load_of(word) != least_load) continue;
                if (k < count_of(word)) break;
                k -= count_of(word);
            }
            if (child == fan) return nobody;
            at = at * fan + child;
        }
        return at;
    }

    /// Brings one place up to date: `read()` gives its load as it is now, and is called again whenever somebody else has
    /// come in between.
    template <class Read>
    void refresh(std::uint32_t place, Read&& read) noexcept {
        settle(word_at(0, place), [&] { return leaf(read()); });
        for (std::uint32_t level = 1; level < levels_; ++level) {
            place /= fan;
            settle(word_at(level, place), [&] { return summary(node_at(level - 1, place)); });
        }
    }

private:
    // 8: a node is one line. With 16 a change writes fewer words and reads more: the same time; finding is slower.
    static constexpr std::uint32_t fan = 8;
    static constexpr std::uint32_t most_levels = 8;  // 8^8 places
    // What was written before is seen by whoever writes next: the order of all exchanges decides which of two that
    // change the same node sees the other.
    static constexpr auto order = std::memory_order_seq_cst;

    //     63     40 39       16 15     0
    //     least load | how many | version      absent and 0 in words that stand for nothing
    static constexpr std::uint64_t nothing = std::uint64_t{absent} << 40;
    static constexpr std::uint64_t version_mask = 0xffff;

    struct alignas(detail::cache_line) node {
        std::atomic<std::uint64_t> words[fan] = {nothing, nothing, nothing, nothing,
                                                 nothing, nothing, nothing, nothing};
    };

    static constexpr std::uint32_t load_of(std::uint64_t word) noexcept {
        return static_cast<std::uint32_t>(word >> 40);
    }
    static constexpr std::uint32_t count_of(std::uint64_t word) noexcept {
        return static_cast<std::uint32_t>(word >> 16) & max_size;
    }
    static constexpr std::uint64_t leaf(std::uint32_t load) noexcept {
        return load >= absent ? nothing : (std::uint64_t{load} << 40) | (std::uint64_t{1} << 16);
    }

    /// Of eight words, as `word(child)` gives them; without a version.
    template <class Word>
    static std::uint64_t least_of(Word&& word) noexcept {
        std::uint64_t best = absent, count = 0;
        for (std::uint32_t child = 0; child < fan; ++child) {
            const std::uint64_t one = word(child);
            const std::uint64_t load = one >> 40, more = count_of(one);
            count = load < best ? more : load == best ? count + more : count;
            best = (std::min)(best, load);
        }
        return (best << 40) | (count << 16);
    }
    static std::uint64_t summary(const node& n) noexcept {
        return least_of([&](std::uint32_t child) { return n.words[child].load(order); });
    }
    /// A word computed as if some places were absent: of the word number `i` of a level, or of the whole tree at the top.
    std::uint64_t word_without(std::uint32_t level, std::uint32_t i,
                               std::span<const std::uint32_t> without) const noexcept {
        const auto below = [&](std::uint32_t place) { return place >> (3 * level) == i; };
        if (std::none_of(without.begin(), without.end(), below)) return read(level, i);
        return level == 0 ? nothing : summary_without(level, i, without);
    }
    std::uint64_t summary_without(std::uint32_t level, std::uint32_t i,
                                  std::span<const std::uint32_t> without) const noexcept {
        return least_of([&](std::uint32_t child) { return word_without(level - 1, i * fan + child, without); });
    }

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
    [[nodiscard]] std::uint64_t read(std::uint32_t level, std::uint32_t i) const noexcept {
        return node_at(level, i / fan).words[i % fan].load(order);
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
