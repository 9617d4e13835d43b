#include <weir/hashing/memento_buckets.hpp>

#include "catch.hpp"
#include "hashing/bucket_engines.hpp"

#include <weir/random.hpp>

using weir::memento_buckets;

TEST_CASE("memento: the known answers of the Java engine") {
    using namespace weir_test::java;
    // The file has a sample of the steps; these are the whole sequences, which its sizes and results leave no choice of
    // (an addition gives back what went last).
    const engine_story stories[] = {
        {"memento:n=10",
         {"init", "remove 9", "remove 3", "remove 5", "add 5", "add 3", "remove 0", "remove 8", "add 8", "remove 1",
          "add 1", "add 0", "add 9", "add 10"}},
        {"memento:n=10 only last removed", {"init", "remove 9", "remove 8", "remove 7", "add 7"}},
        {"memento:n=32",
         {"init",      "remove 5",  "remove 17", "remove 31", "remove 0",  "remove 30", "remove 16", "remove 1",
          "remove 2",  "remove 3",  "remove 4",  "remove 6",  "remove 7",  "remove 8",  "remove 9",  "remove 10",
          "remove 11", "remove 12", "remove 13", "remove 14", "remove 15", "add 15",    "add 14",    "add 13"}},
    };
    for (const auto& story : stories) {
        memento_buckets m{story.name.ends_with("32") ? 32u : 10u};
        CHECK(mistakes(story, m, [&](const std::string& key) {
                  return m.find_from(weir::jump_hash(hash(key, 0), m.size()), [&](std::uint32_t b, std::uint32_t n) {
                      // For bucket 0 the engine draws with the very hash that jumped there; weir never uses one twice.
                      return static_cast<std::uint32_t>(hash(key, b) % n);
                  });
              }) == 0);
    }
}

TEST_CASE("without removals it is jump_hash, also when the last bucket goes and comes") {
    memento_buckets m{10};
    m.remove(9);
    m.remove(8);
    CHECK(m.size() == 8);
    CHECK(m.removed().empty());
    CHECK(m.add() == 8);
    for (std::uint64_t key = 0; key < 500; ++key) CHECK(m.find(key) == weir::jump_hash(weir::mix(key), 9));
}

TEST_CASE(
    "memento: removing moves exactly the bucket's keys, adding brings them back, a copy of the state maps alike") {
    for (const std::uint32_t size : {1u, 2u, 16u, 100u, 1000u})
        weir_test::any_bucket_can_go_and_come_back(memento_buckets{size}, size);
}

TEST_CASE("memento: buckets are equally likely, whatever is out of use") {
    memento_buckets m{150};
    CHECK(weir_test::unfairness(m) == "");
    weir::generator random{1};
    for (int i = 0; i < 110; ++i) weir_test::remove_random(m, random);
    CHECK(weir_test::unfairness(m) == "");
}

TEST_CASE("what cannot be removed is refused") {
    memento_buckets m{3};
    CHECK_THROWS_WITH(m.remove(3), "weir: memento_buckets: the bucket 3 is not in use");
    m.remove(1);
    CHECK_THROWS_WITH(m.remove(1), "weir: memento_buckets: the bucket 1 is not in use");
    m.remove(2);
    CHECK_THROWS_WITH(m.remove(0), "weir: memento_buckets: the bucket 0 is the last one in use");
    CHECK(m.find(12345) == 0);
    const std::uint32_t twice[] = {1, 1}, beyond[] = {4}, all[] = {0, 1};
    CHECK_THROWS_WITH((memento_buckets{4, twice}),
                      "weir: memento_buckets: the bucket 1 of 4 cannot have been removed twice");
    CHECK_THROWS_WITH((memento_buckets{4, beyond}),
                      "weir: memento_buckets: the bucket 4 of 4 cannot have been removed");
    CHECK_THROWS_WITH((memento_buckets{2, all}), "weir: memento_buckets: of 2 buckets all are removed");
}
