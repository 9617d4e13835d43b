#include <weir/tables/smooth_sequence.hpp>

#include "catch.hpp"
#include "support/vectors.hpp"

#include <weir/random.hpp>

#include <limits>

using weir::smooth_sequence;

namespace {

std::vector<std::uint32_t> entries(const smooth_sequence& s) { return {s.entries().begin(), s.entries().end()}; }

/// nginx's rule, literally.
std::vector<std::uint32_t> literally(const std::vector<std::uint32_t>& weights, std::size_t picks) {
    std::vector<std::int64_t> current(weights.size());
    std::int64_t total = 0;
    for (const auto w : weights) total += w;
    std::vector<std::uint32_t> sequence;
    while (sequence.size() < picks) {
        std::size_t best = weights.size();
        for (std::size_t i = 0; i < weights.size(); ++i) {
            current[i] += weights[i];
            if (weights[i] > 0 && (best == weights.size() || current[i] > current[best])) best = i;
        }
        current[best] -= total;
        sequence.push_back(static_cast<std::uint32_t>(best));
    }
    return sequence;
}

std::vector<std::uint32_t> random_weights(weir::generator& random, std::size_t n, std::uint64_t most) {
    std::vector<std::uint32_t> weights;
    for (std::size_t i = 0; i < n; ++i) weights.push_back(static_cast<std::uint32_t>(random.below(most + 1)));
    weights[random.below(n)] += 1;
    return weights;
}

}  // namespace

TEST_CASE("the sequences are those of a running nginx") {
    int cases = 0;
    for (const std::string& line : weir_test::vector_cases("nginx_smooth_wrr.json", "case")) {
        const auto expected = weir_test::json_numbers(line, "sequence");
        if (expected.empty()) continue;  // with refused connections nginx lowers weights of its own accord
        INFO(line);
        std::vector<std::uint32_t> weights;
        for (const std::string& peer : weir_test::split(weir_test::json_list(line, "servers"), ',')) {
            const bool down = peer.find(" down") != std::string::npos;
            weights.push_back(down ? 0 : static_cast<std::uint32_t>(std::stoul(peer.substr(peer.find("weight=") + 7))));
        }
        const smooth_sequence sequence{weights};
        CHECK(sequence.lead_in() == 0);
        std::vector<double> ours;
        for (std::size_t i = 0; i < expected.size(); ++i) ours.push_back(sequence.entries()[i % sequence.cycle()]);
        CHECK(ours == expected);
        ++cases;
    }
    CHECK(cases == 15);
}

TEST_CASE("the table is nginx's rule written out, for random weights") {
    weir::generator random{1};
    for (int round = 0; round < 200; ++round) {
        const auto weights = random_weights(random, 1 + random.below(12), 1 + random.below(40));
        const smooth_sequence sequence{weights};
        REQUIRE(sequence.cycle() == smooth_sequence::length(weights));
        CHECK(entries(sequence) == literally(weights, sequence.cycle()));
    }
}

TEST_CASE("in a cycle each index comes weight / gcd times, with credits as without") {
    weir::generator random{2};
    for (int round = 0; round < 1500; ++round) {
        const auto weights = random_weights(random, 1 + random.below(8), 1 + random.below(30));
        std::vector<double> owed;
        if (round % 3 != 0) {
            for (std::size_t i = 0; i < weights.size(); ++i)
                owed.push_back(static_cast<double>(random.below(8001)) / 1000 - 4);
            // One that is far ahead of many that are a little behind; and what nobody can be.
            if (round % 5 == 1) owed[0] = -4.0 * static_cast<double>(weights.size());
            if (round % 7 == 1) owed.back() = round % 2 == 0 ? 1e300 : -std::numeric_limits<double>::infinity();
            if (round % 11 == 1) owed[owed.size() / 2] = std::numeric_limits<double>::quiet_NaN();
        }
        const smooth_sequence sequence{weights, owed};
        std::uint32_t divisor = 0;
        for (const auto w : weights) divisor = std::gcd(divisor, w);
        std::vector<std::uint32_t> taken(weights.size());
        for (std::size_t i = sequence.lead_in(); i < sequence.entries().size(); ++i)
            taken[sequence.entries()[i]] += divisor;
        CHECK(taken == weights);
        // The cycle may be repeated: what each is owed is the same before and after.
        const auto before = sequence.owed_after(sequence.lead_in()),
                   after = sequence.owed_after(sequence.entries().size());
        for (std::size_t i = 0; i < weights.size(); ++i) CHECK(before[i] == Approx(after[i]).margin(1e-9));
    }
}

TEST_CASE("nobody is ever two picks off its share") {
    weir::generator random{3};
    double worst = 0;
    for (int round = 0; round < 100; ++round) {
        const auto weights = random_weights(random, 1 + random.below(10), 1 + random.below(50));
        const smooth_sequence sequence{weights};
        for (std::size_t k = 0; k <= sequence.entries().size(); k += 1 + sequence.entries().size() / 50)
            for (const double owed : sequence.owed_after(k)) worst = std::max(worst, std::abs(owed));
    }
    CHECK(worst < 2);
}

TEST_CASE("who is owed most comes first, and credits add up to nothing") {
    const std::vector<std::uint32_t> weights{1, 1, 1};
    CHECK(smooth_sequence{weights, std::vector<double>{-0.5, 0, 0.5}}.entries()[0] == 2);
    CHECK(smooth_sequence{weights, std::vector<double>{0.5, 0, -0.5}}.entries()[0] == 0);
    // All are owed alike: as if nobody were.
    const smooth_sequence alike{weights, std::vector<double>{0.7, 0.7, 0.7}};
    CHECK(entries(alike) == entries(smooth_sequence{weights}));
    double sum = 0;
    const smooth_sequence uneven{weights, std::vector<double>{1.5, 0, 0}};
    for (const double owed : uneven.owed_after(0)) sum += owed;
    CHECK(std::abs(sum) <= 1e-4);  // each is rounded
}

TEST_CASE("handing credits on and on loses nothing, however often and between whatever weights") {
    weir::generator random{4};
    std::vector<double> owed{0.25, -0.5, 0.25};
    for (int update = 0; update < 2000; ++update) {
        const smooth_sequence sequence{random_weights(random, 3, 20), owed};
        auto next = sequence.owed_after(0);
        for (std::size_t i = 0; i < 3; ++i) REQUIRE(std::abs(next[i] - owed[i]) < 1e-4);
        owed = next;
    }
    CHECK(std::abs(owed[1] + 0.5) < 1e-2);
}

TEST_CASE("hardening 5: a cycle's length never wraps; one that is too long is refused with the bound") {
    constexpr auto most = ~std::uint32_t{0};
    CHECK(smooth_sequence::length(std::vector<std::uint32_t>{most, most, most}) == 3);
    CHECK(smooth_sequence::length(std::vector<std::uint32_t>{most, most - 1}) == 2 * std::uint64_t{most} - 1);
    CHECK(smooth_sequence::length(std::vector<std::uint32_t>(5, 0)) == 0);
    CHECK(entries(smooth_sequence{std::vector<std::uint32_t>{most, most}}) == std::vector<std::uint32_t>{0, 1});
    CHECK(smooth_sequence{std::vector<std::uint32_t>{65535, 1}}.cycle() == smooth_sequence::max_length);
    CHECK_THROWS_WITH((smooth_sequence{std::vector<std::uint32_t>{65536, 1}}),
                      "weir: smooth_sequence: a cycle of 65537 picks is longer than 65536");
    CHECK(smooth_sequence{std::vector<std::uint32_t>{0, 0}}.entries().empty());
    CHECK(smooth_sequence{std::span<const std::uint32_t>{}}.entries().empty());
}
