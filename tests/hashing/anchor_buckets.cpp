#include <weir/hashing/anchor_buckets.hpp>

#include "catch.hpp"
#include "hashing/bucket_engines.hpp"
#include "support/vectors.hpp"

#include <weir/random.hpp>

#include <map>

using weir::anchor_buckets;

namespace {

/// CRC-32C over the eight bytes of a number, little-endian, without inversions: the instruction crc32q.
std::uint64_t crc32q(std::uint64_t value, std::uint64_t start) {
    auto crc = static_cast<std::uint32_t>(start);
    for (int byte = 0; byte < 8; ++byte) {
        crc ^= static_cast<std::uint32_t>((value >> (8 * byte)) & 255);
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
    }
    return crc;
}

/// The buckets of a new anchor of which the first `working` are in use.
anchor_buckets anchor(std::uint32_t size, std::uint32_t working) {
    std::vector<std::uint32_t> unused;
    for (std::uint32_t b = size; b-- > working;) unused.push_back(b);
    return anchor_buckets{size, unused};
}

}  // namespace

// The implementations below agree on what removing and adding do, and disagree on what a key draws when its bucket is
// gone: the authors' draws follow from each other, the Java engines' from key and bucket. weir's follow from each other.

TEST_CASE("the known answers of the authors' two implementations") {
    std::map<std::string, anchor_buckets> anchors;
    std::map<std::string, std::string> steps;
    const auto rows = weir_test::vector_rows("anchorhash_cpp.csv");
    REQUIRE(rows.size() == 977);
    int different = 0;
    for (const auto& row : rows) {
        const auto number = [&](std::size_t at) { return static_cast<std::uint32_t>(std::stoul(row[at])); };
        anchor_buckets& a = anchors[row[0]];
        if (std::exchange(steps[row[0]], row[3]) != row[3]) {
            if (row[4] == "init")
                a = anchor(number(1), number(2));
            else if (row[4] == "remove")
                a.remove(number(5));
            else
                CHECK(a.add() == number(5));
        }
        const std::uint64_t i = std::stoull(row[6]);
        const std::uint64_t key_1 = i * 0x9e3779b97f4a7c15 + 1, key_2 = i * 0xc2b2ae3d27d4eb4f + 7;
        std::uint64_t state = crc32q(key_1, key_2);
        const std::uint32_t found = a.find_from(static_cast<std::uint32_t>(state % a.size()),
                                                [&](std::uint32_t, std::uint32_t n) {
                                                    state = crc32q(key_1 - state, key_2 + state);
                                                    return static_cast<std::uint32_t>(state % n);
                                                });
        different += found != number(7) || found != number(8) ? 1 : 0;
    }
    CHECK(different == 0);
}

TEST_CASE("anchor: the known answers of the Java engine") {
    using namespace weir_test::java;
    constexpr std::uint32_t seed = 0xdeadbeef;
    // The file has a sample of the steps; this is the whole sequence, whose steps between only add what went last.
    const engine_story stories[] = {
        {"anchor:size=8 capacity=16",
         {"init", "remove 3", "remove 5", "remove 0", "remove 7", "add 7", "add 0", "add 5", "add 3", "add 8",
          "remove 2"}},
        {"anchor:size=10 capacity=100", {"init"}},
    };
    for (const auto& story : stories) {
        auto a = story.name.ends_with("16") ? anchor(16, 8) : anchor(100, 10);
        CHECK(mistakes(story, a, [&](const std::string& key) {
                  std::uint64_t k = hash(key, seed);
                  return a.find_from(static_cast<std::uint32_t>(k % a.size()), [&](std::uint32_t b, std::uint32_t n) {
                      k = hash(k, b, seed);
                      return static_cast<std::uint32_t>(k % n);
                  });
              }) == 0);
    }
}

TEST_CASE("anchor: removing moves exactly the bucket's keys, adding brings them back, a copy of the state maps alike") {
    for (const std::uint32_t size : {1u, 2u, 16u, 100u, 1000u}) {
        weir_test::any_bucket_can_go_and_come_back(anchor(size, size), size);
        weir_test::any_bucket_can_go_and_come_back(anchor(size, size / 2 + 1), size + 1);
    }
}

TEST_CASE("anchor: buckets are equally likely, whatever is out of use") {
    auto a = anchor(150, 100);
    CHECK(weir_test::unfairness(a) == "");
    weir::generator random{1};
    for (int i = 0; i < 60; ++i) weir_test::remove_random(a, random);
    CHECK(weir_test::unfairness(a) == "");
}

TEST_CASE("half of the keys stay where they are when the size doubles") {
    const auto small = anchor(110, 100), large = anchor(220, 100);
    constexpr int keys = 20'000;
    int moved = 0;
    for (std::uint64_t key = 0; key < keys; ++key) moved += small.find(key) != large.find(key) ? 1 : 0;
    // Who starts at an old bucket stays. Of the others one in 100 finds its bucket again.
    CHECK(std::abs(moved - keys * 0.5 * 0.99) <= weir_test::five_sigma(keys, 0.495));
}

TEST_CASE("what cannot be removed or added is refused") {
    anchor_buckets none;
    CHECK_THROWS_WITH(none.add(), "weir: anchor_buckets: all 0 buckets are in use");
    auto a = anchor(3, 2);
    CHECK_THROWS_WITH(a.remove(2), "weir: anchor_buckets: the bucket 2 is not in use");
    CHECK_THROWS_WITH(a.remove(3), "weir: anchor_buckets: the bucket 3 is not in use");
    a.remove(0);
    CHECK_THROWS_WITH(a.remove(1), "weir: anchor_buckets: the bucket 1 is the last one in use");
    CHECK_THROWS_WITH((anchor_buckets{(1u << 24) + 1}),
                      "weir: anchor_buckets: a capacity of 16777217 is more than 16777216");
    const std::uint32_t twice[] = {1, 1}, beyond[] = {4};
    CHECK_THROWS_WITH((anchor_buckets{4, twice}),
                      "weir: anchor_buckets: the bucket 1 of 4 cannot have been removed twice");
    CHECK_THROWS_WITH((anchor_buckets{4, beyond}), "weir: anchor_buckets: the bucket 4 of 4 cannot have been removed");
}
