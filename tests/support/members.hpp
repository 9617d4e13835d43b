#pragma once

#include <weir/hashing/hash_member.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace weir_test {

/// Names and weights, as hash tables take them: member i has index i.
struct named {
    std::vector<std::string> names;
    std::vector<std::uint32_t> weights;

    explicit named(std::vector<std::uint32_t> w, const std::string& prefix = "10.0.0.") : weights{std::move(w)} {
        for (std::size_t i = 0; i < weights.size(); ++i) names.push_back(prefix + std::to_string(i) + ":80");
    }
    [[nodiscard]] std::vector<weir::hash_member> members() const {
        std::vector<weir::hash_member> all;
        for (std::uint32_t i = 0; i < names.size(); ++i) all.push_back({names[i], weights[i], i});
        return all;
    }
    template <class Table>
    [[nodiscard]] Table make(const typename Table::options& o = {}) const {
        return Table{members(), o};
    }
};

/// n members of weight 1.
inline named equal(std::size_t n, const std::string& prefix = "10.0.0.") {
    return named{std::vector<std::uint32_t>(n, 1), prefix};
}

}  // namespace weir_test
