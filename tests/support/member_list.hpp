#pragma once

#include <weir/hashing/hash_member.hpp>
#include <weir/random.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace weir_test {

/// What tables are made of: names and weights, and the index that goes with each, which is its position.
struct member_list {
    std::vector<std::string> names;
    std::vector<std::uint32_t> weights;

    member_list(std::vector<std::string> n, std::vector<std::uint32_t> w)
        : names{std::move(n)}, weights{std::move(w)} {}
    /// Names that end in numbers from `first` on, and in `end`.
    member_list(const std::string& stem, int first, std::vector<std::uint32_t> w, const std::string& end = {})
        : weights{std::move(w)} {
        for (std::size_t i = 0; i < weights.size(); ++i)
            names.push_back(stem + std::to_string(first + static_cast<int>(i)) + end);
    }

    [[nodiscard]] std::vector<weir::hash_member> in_order() const {
        std::vector<weir::hash_member> all;
        for (std::uint32_t i = 0; i < names.size(); ++i) all.push_back({names[i], weights[i], i});
        return all;
    }
    [[nodiscard]] std::vector<weir::hash_member> shuffled(std::uint64_t seed) const {
        auto all = in_order();
        weir::generator random{seed};
        std::shuffle(all.begin(), all.end(), random);
        return all;
    }
    /// Without one of them; the others keep their indices.
    [[nodiscard]] member_list without(std::size_t index) const {
        member_list less = *this;
        less.weights[index] = 0;
        return less;
    }
};

/// Where a walk over all but one ends: `find` in a pool in which that one is down.
template <class Table>
std::uint32_t find_without(const Table& table, std::uint64_t key, std::uint32_t down, std::uint32_t steps) {
    std::uint32_t found = ~std::uint32_t{0};
    table.walk(key, steps, [&](std::uint32_t i) {
        if (i == down) return false;
        found = i;
        return true;
    });
    return found;
}

}  // namespace weir_test
