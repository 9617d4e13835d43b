#include "../laws.hpp"

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

template <class Entry>
constexpr bool is_history_free() {
    if constexpr (Entry::is == kind::keyed)
        return Entry::history_free;
    else
        return false;
}

template <class Entry, class Backend>
any_selector<Backend> make(weir::registry_base<Backend>& r, std::uint64_t seed) {
    return any_selector<Backend>{Entry::make(r, seed)};
}

template <class... Entries>
std::vector<subject> list(const std::tuple<Entries...>*) {
    return {{name_of<Entries>(), Entries::is, is_history_free<Entries>(), &make<Entries, std::string>,
             &make<Entries, nameless>, &make<Entries, mortal>}...};
}

}  // namespace

const std::vector<subject>& subjects() {
    static const std::vector<subject> all = list(static_cast<const every_selector*>(nullptr));
    return all;
}

}  // namespace weir_test::law
