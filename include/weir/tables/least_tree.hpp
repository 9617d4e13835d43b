#pragma once

#include "word_tree.hpp"

#include <algorithm>
#include <cstdint>
#include <span>

namespace weir::inline WEIR_ABI {

/// The least of many loads that change all the time, and how many places have it.
///
/// A `word_tree`, whose page tells thread safety and memory: a word has the least load below it and the number of places with
/// that load.
/// Complexity: O(log n) for everything: at n = 10,000 a change writes five words, finding a place reads five nodes.
class least_tree {
public:
    /// The load of a place that is not to be found, and of none at all. Greater than any other.
    static constexpr std::uint32_t absent = word_tree::absent;
    static constexpr std::uint32_t nobody = ~std::uint32_t{0};
    /// One more would not fit into a word's count.
    static constexpr std::uint32_t max_size = word_tree::max_size;

    struct least {
        std::uint32_t load = absent;
        std::uint32_t count = 0;  ///< how many places have that load; 0: all are absent
        friend constexpr bool operator==(const least&, const least&) noexcept = default;
    };

    least_tree() = default;
    /// One place for each load. Throws std::invalid_argument for more than `max_size`.
    explicit least_tree(std::span<const std::uint32_t> loads)
        : words_{"least_tree", loads.size(), [&](std::uint32_t i) { return leaf(loads[i]); }, combine{}} {}

    [[nodiscard]] std::uint32_t size() const noexcept { return words_.size(); }
    /// What is known of one place.
    [[nodiscard]] std::uint32_t load(std::uint32_t place) const noexcept { return load_of(words_.read(0, place)); }

    /// The least load of all, and how many have it.
    [[nodiscard]] least total() const noexcept { return least_in(words_.top(combine{})); }
    /// The same of all but a few places, in no order and none of them twice. O(places log n).
    [[nodiscard]] least total(std::span<const std::uint32_t> without) const noexcept {
        return least_in(words_.top_without(without, combine{}));
    }

    /// The one with number `k`, from 0 on, of the places with that least load; nobody if loads have moved since it was
    /// read, or `k` is too large.
    [[nodiscard]] std::uint32_t find(std::uint32_t least_load, std::uint64_t k,
                                     std::span<const std::uint32_t> without = {}) const noexcept {
        std::uint32_t at = 0;
        for (std::uint32_t level = words_.levels(); level-- > 0;) {
            const std::uint32_t first = at * word_tree::fan;
            std::uint32_t child = 0;
            for (; child < word_tree::fan; ++child) {
                const std::uint64_t word = without.empty()
                                               ? words_.read(level, first + child)
                                               : words_.read_without(level, first + child, without, combine{});
                if (load_of(word) != least_load) continue;
                if (k < count_of(word)) break;
                k -= count_of(word);
            }
            if (child == word_tree::fan) return nobody;
            at = first + child;
        }
        return words_.levels() == 0 ? nobody : at;
    }

    /// Brings one place up to date: `read()` gives its load as it is now, and is called again whenever somebody else has
    /// come in between.
    template <class Read>
    void refresh(std::uint32_t place, Read&& read) noexcept {
        words_.refresh(place, [&] { return leaf(read()); }, combine{});
    }

private:
    // A word has how many places have its load.
    static constexpr std::uint32_t load_of(std::uint64_t word) noexcept { return word_tree::load_of(word); }
    static constexpr std::uint32_t count_of(std::uint64_t word) noexcept { return word_tree::own_of(word); }
    static constexpr least least_in(std::uint64_t word) noexcept { return {load_of(word), count_of(word)}; }
    static constexpr std::uint64_t leaf(std::uint32_t load) noexcept { return word_tree::word_of(load, 1); }

    struct combine {
        template <class Word>
        std::uint64_t operator()(Word&& word) const noexcept {
            std::uint64_t best = absent, count = 0;
            for (std::uint32_t child = 0; child < word_tree::fan; ++child) {
                const std::uint64_t one = word(child);
                const std::uint64_t load = one >> 40, more = count_of(one);
                count = load < best ? more : load == best ? count + more : count;
                best = (std::min)(best, load);
            }
            return (best << 40) | (count << 16);
        }
    };

    word_tree words_;
};

}  // namespace weir::inline WEIR_ABI
