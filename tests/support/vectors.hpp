#pragma once

#include <charconv>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Reads tests/vectors/: known answers that other programs gave. Each file says which.
namespace weir_test {

/// The folder tests/vectors, with a slash at the end.
std::string vectors_folder();

inline std::vector<std::string> vector_lines(const std::string& file) {
    std::ifstream in{vectors_folder() + file};
    if (!in) throw std::runtime_error{"cannot read " + file};
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

inline std::string vector_text(const std::string& file) {
    std::string text;
    for (const std::string& line : vector_lines(file)) text += line + '\n';
    return text;
}

inline std::vector<std::string> split(const std::string& line, char separator) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    for (std::size_t end = 0; end != std::string::npos; begin = end + 1) {
        end = line.find(separator, begin);
        parts.push_back(line.substr(begin, end - begin));
    }
    return parts;
}

/// "6162" is "ab".
inline std::string bytes_of_hex(const std::string& hex) {
    std::string result;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        result.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    return result;
}

/// The rows of a CSV file, without its comments and its line of column names.
inline std::vector<std::vector<std::string>> vector_rows(const std::string& file) {
    std::vector<std::vector<std::string>> rows;
    bool named = false;
    for (const std::string& line : vector_lines(file)) {
        if (line.empty() || line[0] == '#') continue;
        if (std::exchange(named, true)) rows.push_back(split(line, ','));
    }
    return rows;
}

/// The cases of a JSON file, which have a line each.
inline std::vector<std::string> vector_cases(const std::string& file, std::string_view first_member) {
    std::vector<std::string> cases;
    for (const std::string& line : vector_lines(file))
        if (line.starts_with("{\"" + std::string{first_member} + "\"")) cases.push_back(line);
    if (cases.empty()) throw std::runtime_error{"no cases in " + file};
    return cases;
}

/// What is between the brackets of `"member": [...]`, without nested brackets.
inline std::string json_list(const std::string& line, const std::string& member) {
    const std::size_t at = line.find('"' + member + "\": [");
    if (at == std::string::npos) return {};
    const std::size_t begin = line.find('[', at) + 1;
    return line.substr(begin, line.find(']', begin) - begin);
}

inline std::vector<double> json_numbers(const std::string& line, const std::string& member) {
    std::vector<double> numbers;
    std::istringstream in{json_list(line, member)};
    for (std::string text; std::getline(in, text, ',');) numbers.push_back(std::stod(text));
    return numbers;
}

}  // namespace weir_test
