#pragma once

// A program started by this one: it ends with whoever started it, however that ends.

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace examples {

class child {
public:
    child() = default;
    child(child&& other) noexcept
        : pid_(std::exchange(other.pid_, -1)), out_(std::exchange(other.out_, -1)), said_(std::move(other.said_)) {}
    child& operator=(child&& other) noexcept {
        std::swap(pid_, other.pid_);
        std::swap(out_, other.out_);
        std::swap(said_, other.said_);
        return *this;
    }
    ~child() {
        end(SIGKILL);
        if (out_ >= 0) ::close(out_);
    }

    /// Starts the program of that path; throws std::runtime_error if it cannot.
    explicit child(std::vector<std::string> arguments) {
        std::vector<char*> argv;
        for (auto& one : arguments) argv.push_back(one.data());
        argv.push_back(nullptr);
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
        const auto parent = ::getpid();
        pid_ = ::fork();
        if (pid_ == 0) {  // another thread may have held a lock: only what a signal handler might do
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::dup2(ends[1], 1);
            ::dup2(ends[1], 2);
            ::close_range(3, ~0U, 0);  // a port that is held here must not stay taken there
            if (::getppid() == parent) ::execv(argv[0], argv.data());
            ::_exit(127);
        }
        out_ = ends[0];
        ::close(ends[1]);
        if (pid_ < 0) throw std::runtime_error("no process");
    }

    pid_t id() const { return pid_; }
    /// What was read of its output.
    const std::string& said() const { return said_; }

    /// The port in the line that has `text`, once the program said it. Throws std::runtime_error if it ends without, or
    /// says nothing for 20 s, which is far longer than any program here takes.
    std::uint16_t port_after(std::string_view text) {
        for (;;) {
            const auto at = said_.find(text), end = at == said_.npos ? at : said_.find('\n', at);
            if (end != said_.npos)
                return static_cast<std::uint16_t>(std::stoi(said_.substr(said_.rfind(':', end) + 1)));
            if (!hears()) throw std::runtime_error("a program did not start: " + said_);
        }
    }

    void signal(int number) const {
        if (pid_ > 0) ::kill(pid_, number);
    }

    /// Waits until it has ended by itself: its exit code, or 1000 and the signal that ended it. Throws std::runtime_error
    /// if it says nothing for 20 s, and goes on.
    int wait() {
        while (hears()) {
        }
        return ended();
    }

    /// Sends the signal and waits for the end.
    void end(int number) {
        signal(number);
        ended();
    }

private:
    /// Reads what it says next. False: its output has ended.
    bool hears() {
        char bytes[4096];
        pollfd waiting{out_, POLLIN, 0};
        if (::poll(&waiting, 1, 20'000) == 0) throw std::runtime_error("a program is silent, after: " + said_);
        const auto n = ::read(out_, bytes, sizeof bytes);
        if (n > 0) said_.append(bytes, static_cast<std::size_t>(n));
        return n > 0;
    }
    int ended() {
        int status = 0;
        if (pid_ > 0) ::waitpid(std::exchange(pid_, -1), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    }

    pid_t pid_ = -1;
    int out_ = -1;
    std::string said_;
};

}  // namespace examples
