#pragma once

#include "../random.hpp"
#include "word_tree.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace weir::inline WEIR_ABI {

/// The least load / weight of many places whose loads change all the time and whose weights do not.
///
/// A `word_tree`, whose page tells thread safety and memory, with 4 bytes a place more: a word has the lightest place below it,
/// and its load. Compared exactly, in whole numbers.
/// Complexity: O(log n): at n = 10,000 a change writes five words and reads 40 weights; a draw among k that tie O(k log n).
class lightest_tree {
public:
    /// The load of a place that is not to be found, and of none at all. Greater than any other.
    static constexpr std::uint32_t absent = word_tree::absent;
    static constexpr std::uint32_t max_size = word_tree::max_size;

    struct lightest {
        std::uint32_t load = absent;
        std::uint32_t place = 0;  ///< of nobody if the load is absent
    };

    lightest_tree() = default;
    /// One place for each load and weight, of which there are as many; no weight is 0. Throws std::invalid_argument for more
    /// than `max_size`.
    lightest_tree(std::span<const std::uint32_t> loads, std::vector<std::uint32_t> weights)
        : weights_{std::move(weights)},
          words_{"lightest_tree", loads.size(), [&](std::uint32_t i) { return leaf(i, loads[i]); }, combine()} {}

    [[nodiscard]] std::uint32_t size() const noexcept { return words_.size(); }
    /// What is known of one place.
    [[nodiscard]] std::uint32_t load(std::uint32_t place) const noexcept { return load_of(words_.read(0, place)); }

    /// A lightest place of all, or of all but a few, in no order and none of them twice.
    [[nodiscard]] lightest top(std::span<const std::uint32_t> without = {}) const noexcept {
        const std::uint64_t word = without.empty() ? words_.top(combine()) : words_.top_without(without, combine());
        return entry_of(word);
    }

    /// One of those that tie with `least`, which is there, by weight; itself if loads have moved since it was read.
    [[nodiscard]] lightest draw(const lightest& least, std::uint64_t random,
                                std::span<const std::uint32_t> without = {}) const noexcept {
        tie all{least, without, generator{random}, least, 0};
        if (words_.levels() > 0) draw_below(words_.levels() - 1, 0, all);
        return all.drawn;
    }

    /// Brings one place up to date: `read()` gives its load as it is now, and is called again whenever somebody else has
    /// come in between.
    template <class Read>
    void refresh(std::uint32_t place, Read&& read) noexcept {
        words_.refresh(place, [&] { return leaf(place, read()); }, combine());
    }

private:
    // A word has the place of its load.
    static constexpr std::uint32_t load_of(std::uint64_t word) noexcept { return word_tree::load_of(word); }
    static constexpr std::uint32_t place_of(std::uint64_t word) noexcept { return word_tree::own_of(word); }
    static constexpr lightest entry_of(std::uint64_t word) noexcept { return {load_of(word), place_of(word)}; }
    static constexpr std::uint64_t leaf(std::uint32_t place, std::uint32_t load) noexcept {
        return word_tree::word_of(load, place);
    }

    struct tie {
        const lightest& least;
        std::span<const std::uint32_t> without;
        generator draws;
        lightest drawn;
        std::uint64_t weight;  // of those seen so far
    };
    /// Among the places below node `i` of a level.
    void draw_below(std::uint32_t level, std::uint32_t i, tie& all) const noexcept {
        for (std::uint32_t child = i * word_tree::fan; child < (i + 1) * word_tree::fan; ++child) {
            const lightest one = entry_of(all.without.empty()
                                              ? words_.read(level, child)
                                              : words_.read_without(level, child, all.without, combine()));
            if (one.load == absent || lighter(all.least, one) || lighter(one, all.least)) continue;
            if (level > 0) {
                draw_below(level - 1, child, all);
                continue;
            }
            // Each takes the place of those before it with the probability of its weight among theirs and its own.
            all.weight += weights_[one.place];
            if (all.draws.below(all.weight) < weights_[one.place]) all.drawn = one;
        }
    }

    [[nodiscard]] bool lighter(const lightest& a, const lightest& b) const noexcept {
        return std::uint64_t{a.load} * weights_[b.place] < std::uint64_t{b.load} * weights_[a.place];
    }
    struct lightest_of_eight {
        const lightest_tree& tree;

        template <class Word>
        std::uint64_t operator()(Word&& word) const noexcept {
            std::uint64_t best = word_tree::nothing;
            for (std::uint32_t child = 0; child < word_tree::fan; ++child)
                if (const std::uint64_t one = word(child); load_of(one) != absent)
                    if (load_of(best) == absent || tree.lighter(entry_of(one), entry_of(best))) best = one;
            return best & ~std::uint64_t{0xffff};
        }
    };
    [[nodiscard]] lightest_of_eight combine() const noexcept { return {*this}; }

    std::vector<std::uint32_t> weights_;  // by place
    word_tree words_;
};

}  // namespace weir::inline WEIR_ABI
