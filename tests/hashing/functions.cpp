#include <weir/hashing/functions.hpp>

#include "catch.hpp"
#include "statistics.hpp"
#include "support/member_list.hpp"
#include "support/vectors.hpp"

#include <weir/hashing/ring_table.hpp>
#include <weir/random.hpp>

#include <functional>
#include <iomanip>
#include <map>
#include <set>
#include <sstream>

namespace {

// As the header has it, word for word: tests/docs.cmake compares them.
// clang-format off
struct my_hash {
    using is_avalanching = void;  // only if each bit of the text reaches every bit of the result
    std::uint64_t seed = 0;
    std::uint64_t operator()(std::string_view text) const noexcept;
    bool operator==(const my_hash&) const = default;
};
// clang-format on
static_assert(weir::hash_function<my_hash> && weir::is_avalanching<my_hash>);

template <class Word>
std::string hex(Word value, int digits = 2 * static_cast<int>(sizeof(Word))) {
    std::ostringstream text;
    text << std::hex << std::setfill('0') << std::setw(digits) << value;
    return text.str();
}

template <class Hash>
std::string by(const std::string& seed, const std::string& text) {
    Hash h;
    if (!seed.empty()) h.seed = static_cast<decltype(h.seed)>(std::stoull(seed));
    return hex(h(text));
}

using answer = std::function<std::string(const std::string& seed, const std::string& text)>;

/// What the rows of each name are answered by; MD5's are answered by the test of its own header.
const std::map<std::string, answer>& answers() {
    static const std::map<std::string, answer> all{
        {"xxh64", by<weir::xxh64>},
        {"crc32_ieee", by<weir::crc32>},
        {"crc32c_castagnoli", by<weir::crc32c>},
        {"fnv1_32", by<weir::fnv1_32>},
        {"fnv1_64", by<weir::fnv1_64>},
        {"fnv1a_32", by<weir::fnv1a_32>},
        {"fnv1a_64", by<weir::fnv1a_64>},
        {"murmur3_x86_32", by<weir::murmur3_32>},
        {"murmur3_x64_128",
         [](const std::string& seed, const std::string& text) {
             const auto both = weir::murmur3_128{static_cast<std::uint32_t>(std::stoul(seed))}.both(text);
             return hex(both[0]) + hex(both[1]);
         }},
        {"siphash24",
         [](const std::string& seed, const std::string& text) {
             const auto halves = weir_test::split(seed, ':');
             return hex(weir::siphash_2_4{std::stoull(halves.at(0)), std::stoull(halves.at(1))}(text));
         }},
    };
    return all;
}

}  // namespace

TEST_CASE("every row of other implementations' answers, for every function, length and seed") {
    std::map<std::string, int> rows;
    for (const auto& row : weir_test::vector_rows("hash_functions.csv")) {
        if (row[0] == "md5") continue;
        INFO(row[0] << ", seed " << row[1] << ", input " << row[2]);
        REQUIRE(answers().contains(row[0]));
        CHECK(answers().at(row[0])(row[1], weir_test::bytes_of_hex(row[2])) == row[3]);
        ++rows[row[0]];
    }
    CHECK(rows == std::map<std::string, int>{{"xxh64", 164},
                                             {"crc32_ieee", 38},
                                             {"crc32c_castagnoli", 39},
                                             {"fnv1_32", 47},
                                             {"fnv1_64", 43},
                                             {"fnv1a_32", 43},
                                             {"fnv1a_64", 39},
                                             {"murmur3_x86_32", 131},
                                             {"murmur3_x64_128", 126},
                                             {"siphash24", 81}});
}

TEST_CASE("murmur2_64a, one_at_a_time, sdbm, djb2, wt6 and jenkins_mix answer as the dialects' servers do") {
    // Their known answers are rings and choices of Envoy, libmemcached and HAProxy: tests/hashing/dialects/. Here, a few
    // points of those, so that a fault is found where it is.
    CHECK(weir::murmur2_64a{0xc70f6907}("127.0.0.1:85_0") != weir::murmur2_64a{}("127.0.0.1:85_0"));
    std::set<std::uint64_t> points;
    for (int port = 80; port < 86; ++port)
        for (const char* const i : {"_0", "_1"})
            points.insert(weir::murmur2_64a{0xc70f6907}("127.0.0.1:" + std::to_string(port) + i));
    CHECK(*points.begin() == 1358027074129602068u);
    CHECK(*points.rbegin() == 17613279263364193813u);
    static_assert(weir::sdbm{}("") == 0 && weir::djb2{}("") == 5381 && weir::one_at_a_time{}("") == 0);
    static_assert(weir::sdbm{}("ab") == 97 * 65599 + 98 && weir::djb2{}("a") == 5381 * 33 + 97);
}

TEST_CASE(
    "a crc32 of two texts in a row is made of the two, by zlib's rule for its first argument and by polynomials") {
    for (const std::string a : {"", "a", "12", "a longer beginning"})
        for (const std::string b : {"", "z", "key17", "an ending of more than thirty-two bytes"}) {
            const auto whole = weir::crc32{}(a + b);
            CHECK(weir::crc32{weir::crc32{}(a)}(b) == whole);
            CHECK((weir::crc32::multiply(weir::crc32{}(a), weir::crc32::shift(b.size())) ^ weir::crc32{}(b)) == whole);
        }
}

TEMPLATE_TEST_CASE("a seed makes another function, and an equal one the same", "", weir::xxh64, weir::crc32,
                   weir::crc32c, weir::fnv1_32, weir::fnv1_64, weir::fnv1a_32, weir::fnv1a_64, weir::murmur2_64a,
                   weir::murmur3_32, weir::murmur3_128, weir::siphash_2_4, weir::one_at_a_time, weir::sdbm, weir::djb2,
                   weir::wt6) {
    CHECK(TestType{} == TestType{0});
    CHECK(TestType{} != TestType{7});
    int same = 0;
    for (int i = 0; i < 100; ++i) {
        const std::string text = "key" + std::to_string(i);
        CHECK(TestType{7}(text) == TestType{7}(text));
        same += TestType{7}(text) == TestType{}(text) ? 1 : 0;
    }
    CHECK(same == 0);
}

namespace {

/// How often, over texts of 12 random bytes, a flipped bit of the text flips a bit of the result: the worst pair's
/// distance from one half, in standard deviations.
template <class Hash>
double worst_bias(const Hash& h) {
    constexpr int texts = 1000;
    constexpr std::size_t size = 12;
    using word = decltype(h(std::string_view{}));
    constexpr int bits = 8 * static_cast<int>(sizeof(word));
    weir::generator random{5};
    std::vector<int> flips(size * 8 * bits);
    for (int t = 0; t < texts; ++t) {
        std::string text;
        for (std::size_t i = 0; i < size; ++i) text.push_back(static_cast<char>(random.below(256)));
        const word plain = h(text);
        for (std::size_t in = 0; in < size * 8; ++in) {
            auto changed = text;
            changed[in / 8] = static_cast<char>(changed[in / 8] ^ (1 << (in % 8)));
            const word difference = plain ^ h(changed);
            for (std::size_t out = 0; out < bits; ++out)
                flips[in * bits + out] += static_cast<int>((difference >> out) & 1);
        }
    }
    double worst = 0;
    for (const int count : flips) worst = std::max(worst, std::abs(count - texts / 2.0) / std::sqrt(texts / 4.0));
    return worst;
}

}  // namespace

TEMPLATE_TEST_CASE("a function says that it avalanches if, and only if, it does", "", weir::xxh64, weir::crc32,
                   weir::crc32c, weir::fnv1_32, weir::fnv1_64, weir::fnv1a_32, weir::fnv1a_64, weir::murmur2_64a,
                   weir::murmur3_32, weir::murmur3_128, weir::siphash_2_4, weir::one_at_a_time, weir::sdbm, weir::djb2,
                   weir::wt6) {
    // 96 x 64 pairs at most: 6.5 sigma happen with a chance below 1e-6.
    CHECK((worst_bias(TestType{}) < 6.5) == weir::is_avalanching<TestType>);
}

TEST_CASE("a hash by any function is a key of 64 bits that avalanches: weak functions are mixed") {
    const auto keyed = [](const auto& h) {
        return worst_bias([&](std::string_view text) { return weir::hash(text, h); });
    };
    CHECK(weir::hash("text", weir::xxh64{3}) == weir::hash("text", 3));
    CHECK(weir::hash("text", weir::murmur3_128{}) == weir::murmur3_128{}("text"));
    CHECK(weir::hash("text", weir::fnv1a_64{}) == weir::mix(weir::fnv1a_64{}("text")));
    CHECK(weir::hash("text", weir::murmur3_32{}) == weir::mix(weir::murmur3_32{}("text")));  // fills 64 bits
    CHECK(keyed(weir::fnv1a_64{}) < 6.5);
    CHECK(keyed(weir::murmur3_32{}) < 6.5);
    CHECK(keyed(weir::sdbm{}) < 6.5);
}

TEST_CASE("jenkins_mix is a bijection in which each input bit reaches every output bit") {
    std::set<std::uint32_t> seen;
    for (std::uint32_t i = 0; i < 10000; ++i) seen.insert(weir::jenkins_mix(i));
    CHECK(seen.size() == 10000);
    for (int bit = 0; bit < 32; ++bit) {
        std::uint32_t reached = 0;
        for (std::uint32_t i = 0; i < 200; ++i)
            reached |= weir::jenkins_mix(i * 77777) ^ weir::jenkins_mix((i * 77777) ^ (std::uint32_t{1} << bit));
        CHECK(reached == ~std::uint32_t{0});
    }
}

namespace {

/// Says of itself what is not so.
struct boastful : weir::fnv1a_64 {
    using is_avalanching = void;
};

/// How 100 members share 200,000 keys on a ring placed by a function: empty if as evenly as random points would.
template <class Hash>
std::string unfair_ring() {
    const weir_test::member_list members{"10.0.0.", 1, std::vector<std::uint32_t>(100, 1)};
    const weir::basic_ring_table<Hash> ring{members.in_order(), {}};
    std::vector<std::uint64_t> counts(100);
    for (std::uint64_t key = 0; key < 200'000; ++key) ++counts[ring.find(key)];
    return weir_test::unfair(counts, members.weights, weir_test::ring_overdispersion(2e5, 16'000));
}

}  // namespace

TEST_CASE("a ring may be placed by any function: weak ones are mixed, so that shares stay even") {
    static_assert(std::is_same_v<weir::ring_table, weir::basic_ring_table<weir::xxh64>>);
    CHECK(unfair_ring<weir::xxh64>() == "");
    CHECK(unfair_ring<weir::fnv1a_64>() == "");
    CHECK(unfair_ring<weir::sdbm>() == "");
    CHECK(unfair_ring<weir::crc32>() == "");
    CHECK(unfair_ring<weir::murmur3_32>() == "");
    CHECK(unfair_ring<boastful>() != "");  // what mixing is for
}

TEST_CASE("the seed of a ring is its function's") {
    const weir_test::member_list members{"m", 1, {1, 1, 1}};
    using ring = weir::basic_ring_table<weir::murmur3_32>;
    const ring plain{members.in_order(), {}}, seeded{members.in_order(), {.seed = 5}};
    const ring wide{members.in_order(), {.seed = (std::uint64_t{7} << 32) | 5}};  // takes the low 32 bits
    int different = 0, same = 0;
    for (std::uint64_t key = 0; key < 300; ++key) {
        different += plain.find(key) != seeded.find(key) ? 1 : 0;
        same += wide.find(key) == seeded.find(key) ? 1 : 0;
    }
    // Two of three keys, where the rings have nothing to do with each other.
    CHECK(std::abs(different - 200) <= weir_test::five_sigma(300, 2.0 / 3, weir_test::ring_overdispersion(300, 480)));
    CHECK(same == 300);
}

static_assert(!weir::hash_function<int> && !weir::hash_function<std::hash<std::string>>);
static_assert(noexcept(weir::hash(std::string_view{}, weir::fnv1a_64{})));
