#pragma once

#include <cctype>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir_test {

/// A JSON value of a vector file, whole: enough of JSON for those. Numbers stay text, so that 64 bits survive.
class json {
public:
    explicit json(std::string_view text) {
        const char* at = text.data();
        *this = read(at, text.data() + text.size());
    }

    [[nodiscard]] const json& operator[](const std::string& name) const { return members_.at(name); }
    [[nodiscard]] const json& operator[](std::size_t i) const { return items_.at(i); }
    [[nodiscard]] bool has(const std::string& name) const { return members_.contains(name); }
    [[nodiscard]] std::size_t size() const { return items_.size(); }
    [[nodiscard]] auto begin() const { return items_.begin(); }
    [[nodiscard]] auto end() const { return items_.end(); }
    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] std::uint64_t number() const { return std::stoull(text_); }
    [[nodiscard]] double real() const { return std::stod(text_); }
    [[nodiscard]] std::uint32_t small() const { return static_cast<std::uint32_t>(number()); }

    template <class T, class F>
    [[nodiscard]] std::vector<T> list(F&& f) const {
        std::vector<T> all;
        for (const json& item : items_) all.push_back(f(item));
        return all;
    }
    [[nodiscard]] std::vector<std::uint32_t> numbers() const {
        return list<std::uint32_t>([](const json& j) { return j.small(); });
    }
    [[nodiscard]] std::vector<std::string> texts() const {
        return list<std::string>([](const json& j) { return j.text(); });
    }

private:
    json() = default;

    static char next(const char*& at, const char* end) {
        while (at != end && std::isspace(static_cast<unsigned char>(*at)) != 0) ++at;
        if (at == end) throw std::runtime_error{"the JSON ends too early"};
        return *at;
    }
    static std::string quoted(const char*& at, const char* end) {
        std::string text;
        for (++at; at != end && *at != '"'; ++at) text += *at == '\\' ? *++at : *at;
        ++at;
        return text;
    }
    static json read(const char*& at, const char* end) {
        json value;
        const char first = next(at, end);
        if (first == '{' || first == '[') {
            ++at;
            while (next(at, end) != '}' && *at != ']') {
                if (*at == ',') ++at, (void)next(at, end);
                if (first == '[') {
                    value.items_.push_back(read(at, end));
                    continue;
                }
                const std::string name = quoted(at, end);
                if (next(at, end) != ':') throw std::runtime_error{"no colon behind \"" + name + '"'};
                ++at;
                value.members_.emplace(name, read(at, end));
            }
            ++at;
        } else if (first == '"') {
            value.text_ = quoted(at, end);
        } else {
            while (at != end && std::string_view{",]} \n\r\t"}.find(*at) == std::string_view::npos)
                value.text_ += *at++;
        }
        return value;
    }

    std::string text_;
    std::vector<json> items_;
    std::map<std::string, json> members_;
};

}  // namespace weir_test
