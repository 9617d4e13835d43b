#pragma once

#include "vectors.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace weir_test {

/// A case of alias_tables.json: weights, and the probabilities that two other implementations' tables imply.
struct alias_case {
    std::string line;
    std::vector<std::uint32_t> weights;
    std::vector<double> gsl, finagle;
};

/// All but the one whose weights (1e-6 beside 1e6) are no ratio of numbers below 2^32.
inline std::vector<alias_case> alias_cases() {
    std::vector<alias_case> all;
    for (const std::string& line : vector_cases("alias_tables.json", "weights")) {
        const auto weights = json_numbers(line, "weights"), keep = json_numbers(line, "finagle_prob"),
                   alias = json_numbers(line, "finagle_alias");
        double least = 1;  // ours are whole numbers: fractions are scaled up
        for (const double w : weights)
            if (w > 0) least = std::min(least, w);
        alias_case one{line, {}, json_numbers(line, "gsl_pdf"), std::vector<double>(weights.size())};
        bool fits = true;
        for (const double w : weights) {
            fits = fits && w / least < 4294967296.0;
            one.weights.push_back(fits ? static_cast<std::uint32_t>(std::lround(w / least)) : 0);
        }
        for (std::size_t i = 0; i < keep.size(); ++i) {
            one.finagle[i] += keep[i] / static_cast<double>(keep.size());
            one.finagle[static_cast<std::size_t>(alias[i])] += (1 - keep[i]) / static_cast<double>(keep.size());
        }
        if (fits) all.push_back(std::move(one));
    }
    return all;
}

}  // namespace weir_test
