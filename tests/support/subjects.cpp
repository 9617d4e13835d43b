#include "../laws/every_selector.hpp"

namespace weir_test::law {

namespace {

/// The entry as it stands in the list.
template <class Entry>
std::string name_of() {
    const std::string_view text = __PRETTY_FUNCTION__;  // [with Entry = ...; ...] or [Entry = ...]
    const std::size_t begin = text.find("Entry = ") + 8;
    std::string name{text.substr(begin, (std::min)(text.find(';', begin), text.rfind(']')) - begin)};
    for (std::size_t end = name.find("::"); end != std::string::npos; end = name.find("::")) {
        const std::size_t start = name.find_last_of("<, ", end) + 1;  // of the scope; 0 for none
        name.erase(start, end + 2 - start);
    }
    return name;
}

template <class Entry, class Backend>
any_selector<Backend> make(weir::registry_base<Backend>& r, std::optional<std::uint64_t> seed) {
    return any_selector<Backend>{Entry::make(r, seed)};
}

template <class Entry>
subject describe() {
    subject s{.is = Entry::is, .exact = Entry::is != kind::dialect};
    if constexpr (Entry::is == kind::keyed || Entry::is == kind::dialect) {
        s.history_free = Entry::history_free;
        s.any_weight = Entry::any_weight;
        s.overdispersion = &Entry::overdispersion;
    }
    if constexpr (Entry::is == kind::keyed) s.exact = Entry::exact;
    if constexpr (Entry::is == kind::dialect) {
        s.ends_unsaid = Entry::ends_unsaid;
        s.most = Entry::most;
    }
    if constexpr (requires { Entry::heeds_degraded; }) s.heeds_degraded = Entry::heeds_degraded;
    if constexpr (requires { Entry::takes_turns; }) s.takes_turns = Entry::takes_turns;
    if constexpr (requires { Entry::fill; }) s.fill = Entry::fill;
    s.name = name_of<Entry>();
    s.make_string = &make<Entry, std::string>;
    s.make_mortal = &make<Entry, mortal>;
    return s;
}

template <class... Entries>
std::vector<subject> list(const std::tuple<Entries...>*) {
    return {describe<Entries>()...};
}

}  // namespace

const std::vector<subject>& subjects() {
    static const std::vector<subject> all = list(static_cast<const every_selector*>(nullptr));
    return all;
}

}  // namespace weir_test::law
