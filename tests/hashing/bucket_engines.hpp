#pragma once

#include "catch.hpp"
#include "statistics.hpp"
#include "support/vectors.hpp"

#include <weir/hash.hpp>
#include <weir/random.hpp>

#include <cstdint>
#include <string>
#include <vector>

// What numbered buckets have to keep, and how the Java engines of the vectors hash.
namespace weir_test {

template <class Buckets>
std::vector<std::uint32_t> homes(const Buckets& b) {
    std::vector<std::uint32_t> all;
    for (std::uint64_t key = 0; key < 2000; ++key) all.push_back(b.find(key));
    return all;
}

/// Removes a random bucket that is in use, and returns it.
template <class Buckets>
std::uint32_t remove_random(Buckets& b, weir::generator& random) {
    return b.remove(b.find(random()));
}

template <class Buckets>
void any_bucket_can_go_and_come_back(Buckets b, std::uint64_t seed) {
    weir::generator random{seed};
    std::vector<std::pair<std::uint32_t, std::vector<std::uint32_t>>> past;  // what went, and what was before
    while (b.in_use() > 1 && past.size() < 30) {
        auto before = homes(b);
        const std::uint32_t gone = remove_random(b, random);
        const auto after = homes(b);
        int strays = 0;
        for (std::size_t key = 0; key < after.size(); ++key)
            strays += (after[key] != before[key]) != (before[key] == gone) || after[key] == gone ? 1 : 0;
        CHECK(strays == 0);
        past.emplace_back(gone, std::move(before));
        CHECK(homes(Buckets{b.size(), b.removed()}) == after);
    }
    while (!past.empty()) {
        CHECK(b.add() == past.back().first);
        CHECK(homes(b) == past.back().second);
        past.pop_back();
    }
}

/// Why the buckets in use cannot be equally likely; empty if they can.
template <class Buckets>
std::string unfairness(const Buckets& b) {
    std::vector<std::uint64_t> counts(b.size());
    std::vector<std::uint32_t> weights(b.size(), 1);
    for (const std::uint32_t gone : b.removed()) weights[gone] = 0;
    for (std::uint64_t key = 0; key < 1000 * std::uint64_t{b.in_use()}; ++key) ++counts[b.find(key)];
    return unfair(counts, weights);
}

namespace java {

/// XXH64 without its sign, over texts and big-endian numbers. A seed of 0 adds nothing.
inline std::uint64_t positive(const std::string& bytes) { return weir::hash(bytes) & 0x7fffffffffffffff; }
template <class Number>
std::string big_endian(Number n) {
    std::string bytes;
    for (int shift = 8 * static_cast<int>(sizeof n) - 8; shift >= 0; shift -= 8)
        bytes.push_back(static_cast<char>((n >> shift) & 255));
    return bytes;
}
inline std::uint64_t hash(const std::string& key, std::uint32_t seed) {
    return positive(seed == 0 ? key : key + big_endian(seed));
}
inline std::uint64_t hash(std::uint64_t key, std::uint32_t bucket, std::uint32_t seed) {
    return positive(big_endian(key) + big_endian(bucket) + big_endian(seed));
}

/// A case of the file, and all its steps, of which the file has some.
struct engine_story {
    std::string name;
    std::vector<std::string> steps;
};

/// How many of the answers in the file are not those of `find(key)`, or not after the step that the file names.
template <class Buckets, class Find>
int mistakes(const engine_story& story, Buckets& b, Find find) {
    const auto rows = vector_rows("consistent_engines_java.csv");
    int wrong = 0, rows_seen = 0, rows_there = 0;
    for (const auto& row : rows) rows_there += row[0] == story.name ? 1 : 0;
    for (std::size_t step = 0; step < story.steps.size(); ++step) {
        const auto& what = story.steps[step];
        if (what.starts_with("remove")) b.remove(static_cast<std::uint32_t>(std::stoul(what.substr(7))));
        if (what.starts_with("add")) wrong += b.add() != std::stoul(what.substr(4)) ? 1 : 0;
        for (const auto& row : rows) {
            if (row[0] != story.name || std::stoul(row[1]) != step) continue;
            ++rows_seen;
            wrong += row[2] != what || std::stoul(row[3]) != b.in_use() ? 1 : 0;
            const auto answers = split(row[4], ' ');
            for (std::size_t key = 0; key < answers.size(); ++key)
                wrong += find("key" + std::to_string(key)) != std::stoul(answers[key]) ? 1 : 0;
            wrong += answers.size() != 60 ? 1 : 0;
        }
    }
    return wrong + rows_there - rows_seen;
}

}  // namespace java
}  // namespace weir_test
