// What an update would move, before it is published.

#include <weir/weir.hpp>

#include <cstdio>
#include <string>
#include <vector>

static void print(const char* what, const weir::churn_report& r) {
    std::printf("%-34s %5.1f %% of the keys move, %4.1f %% must; max/mean %.2f, then %.2f\n", what,
                100.0 * static_cast<double>(r.moved) / static_cast<double>(r.keys),
                100.0 * static_cast<double>(r.unavoidable) / static_cast<double>(r.keys), r.imbalance_before,
                r.imbalance_after);
}

int main() {
    weir::registry<std::string> caches;
    for (int i = 1; i <= 10; ++i) caches.add("10.0.0." + std::to_string(i) + ":80");
    std::vector<std::string> paths;  // better: from the access log
    paths.reserve(100'000);
    for (int i = 0; i < 100'000; ++i) paths.push_back("/picture/" + std::to_string(i));

    // [churn
    weir::ring_hash balancer{caches};
    const auto old = caches.find("10.0.0.3:80");
    const auto change = [&](auto& update) {
        update.remove(*old);
        update.add("10.0.0.11:80");
        update.add("10.0.0.12:80");
    };
    const weir::churn_report report = weir::churn(caches, balancer, change, paths);
    print("ring_hash, as proposed:", report);
    if (report.excess() < report.keys / 10) caches.update(change);
    // churn]

    // [lists
    const std::vector<weir::hash_member> now{{"a:80", 1, 0}, {"b:80", 1, 1}, {"c:80", 1, 2}};
    const std::vector<weir::hash_member> then{{"a:80", 1, 0}, {"b:80", 1, 1}, {"c:80", 1, 2}, {"d:80", 1, 3}};
    print("ring, a fourth of three:", weir::churn<weir::ring_table>(now, then, 1'000'000));
    print("nginx's hash consistent:", weir::churn<weir::nginx_consistent_hash_table>(now, then, paths));
    print("nginx's plain hash:", weir::churn<weir::nginx_hash_table>(now, then, paths));
    // lists]
    return caches.size() == 11 ? 0 : 1;
}
