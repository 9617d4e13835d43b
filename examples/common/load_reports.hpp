#pragma once

// What backends say of their load, in a field of each reply: ORCA's, which Envoy reads, too.

#include "balancers.hpp"
#include "settings.hpp"

#include <nlohmann/json.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace examples {

inline constexpr std::string_view load_report_field = "endpoint-load-metrics";

/// Reads the field's value: `TEXT name=number, ...`, perhaps with colons, or `JSON {"name": number, ...}`, perhaps in camel
/// case. The utilization that an application measures itself goes before that of its processors. Nothing: it is neither
/// (`BIN`, a protocol buffer, is not read), is malformed, a text that names something twice, or says nothing that can be
/// used.
inline std::optional<weir::load_report> read_load_report(std::string_view value) {
    std::map<std::string, double, std::less<>> told;
    if (value.starts_with("TEXT ")) {
        for (auto rest = value.substr(5); !rest.empty();) {
            auto one = rest.substr(0, rest.find(','));
            rest.remove_prefix((std::min)(one.size() + 1, rest.size()));
            one.remove_prefix((std::min)(one.find_first_not_of(" \t"), one.size()));
            one = one.substr(0, one.find_last_not_of(" \t") + 1);
            const auto name = one.substr(0, one.find_first_of("=:"));
            const auto [it, is_new] = told.emplace(name, 0);
            if (name.size() == one.size() || !is_new || !number(it->second)(std::string(one.substr(name.size() + 1))))
                return {};
        }
    } else if (value.starts_with("JSON ")) {
        const auto json = nlohmann::json::parse(value.substr(5), nullptr, false);
        if (!json.is_object()) return {};
        for (const auto& [name, one] : json.items())
            if (one.is_number()) told[name] = one.get<double>();
    }
    const auto of = [&](const char* name, const char* in_camel_case) {
        const auto it = told.find(name);
        return it != told.end() ? it->second : told[in_camel_case];
    };
    const double own = of("application_utilization", "applicationUtilization");
    const weir::load_report report{.utilization = own > 0 ? own : of("cpu_utilization", "cpuUtilization"),
                                   .qps = of("rps_fractional", "rpsFractional"),
                                   .errors = of("eps", "eps")};
    return report.usable() ? std::optional(report) : std::nullopt;
}

/// Hands a registry's load reports to the balancer of that name, if it is one that follows them.
template <class Backend>
class load_reports {
public:
    load_reports(weir::registry_base<Backend>& backends, std::string_view balance) {
        if (follows_reports(balance))
            reports_.emplace(backends, weir::reported_utilization{}, weir::load_reports_options{.set_weights = false});
    }

    /// What a reply of a backend has in its fields of that name. From any thread.
    template <class Values>
    void take(weir::backend_id from, const Values& values) {
        if (!reports_) return;
        for (const std::string_view value : values)
            if (const auto report = read_load_report(value); report && reports_->report(from, *report)) ++taken_;
    }
    /// To be called now and then: each second they have an effect.
    void update() const {
        if (reports_) reports_->update();
    }
    /// How many could be used.
    [[nodiscard]] std::uint64_t taken() const { return taken_.load(); }

private:
    std::optional<weir::load_reports> reports_;
    std::atomic<std::uint64_t> taken_{0};
};

}  // namespace examples
