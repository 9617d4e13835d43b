#pragma once

// What programs with a command line have in common.

#include <CLI/CLI.hpp>

#include <exception>
#include <iostream>
#include <string>

namespace examples {

/// For `check` of an option: what does not fit is named, with what is expected instead.
template <class Fits>
auto accepts(Fits fits, const std::string& expected) {
    return
        [fits, expected](const std::string& text) { return fits(text) ? "" : "'" + text + "': expected " + expected; };
}

/// Options, with their defaults in the help, and an end: what is wrong is one line on stderr, and exit code 2.
struct program : CLI::App {
    program(const std::string& name, const std::string& description) : CLI::App(description, name) {
        option_defaults()->always_capture_default();
    }

    /// Reads the command line and calls `f()`; gives the exit code.
    template <class F>
    int run(int argc, char** argv, F&& f) {
        try {
            parse(argc, argv);
            f();
            return 0;
        } catch (const CLI::CallForHelp&) {
            std::cout << help();
            return 0;
        } catch (const CLI::ParseError& wrong) {
            std::cerr << get_name() << ": " << wrong.what() << "; --help says what is accepted\n";
        } catch (const std::exception& wrong) {
            std::cerr << get_name() << ": " << wrong.what() << '\n';
        }
        return 2;
    }
};

}  // namespace examples
