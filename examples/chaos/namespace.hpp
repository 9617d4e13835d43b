#pragma once

// A network of one's own, where an address can be made to swallow everything.

#include <arpa/inet.h>
#include <net/if.h>
#include <net/route.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace chaos {

/// A network namespace, for this process and those that it starts: loopback, and an address that can vanish.
class own_network {
public:
    static constexpr const char* address = "192.0.2.1";  // RFC 5737: nobody's

    /// Throws std::system_error where the machine does not allow it.
    own_network() {
        if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) check(::unshare(CLONE_NEWNET), "unshare");
        check(socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
        set_up("lo", true);
        ifreq ours = named(alias);
        write(ours.ifr_addr, address);
        check(::ioctl(socket_, SIOCSIFADDR, &ours), "an address");
    }
    ~own_network() { ::close(socket_); }

    /// From now on, what is sent to the address is dropped without a word: it is routed to loopback, where nobody has it.
    void swallow() {
        char lo[] = "lo";
        rtentry route{};
        write(route.rt_dst, address);
        write(route.rt_genmask, "255.255.255.255");
        route.rt_flags = RTF_UP | RTF_HOST;
        route.rt_dev = lo;
        set_up(alias, false);
        check(::ioctl(socket_, SIOCADDRT, &route), "a route");
    }

private:
    static constexpr const char* alias = "lo:1";

    static void check(int result, const char* what) {
        if (result < 0) throw std::system_error(errno, std::generic_category(), what);
    }
    static ifreq named(const char* name) {
        ifreq one{};
        std::strcpy(one.ifr_name, name);
        return one;
    }
    static void write(sockaddr& to, const char* text) {
        sockaddr_in a{};
        a.sin_family = AF_INET;
        ::inet_pton(AF_INET, text, &a.sin_addr);
        std::memcpy(&to, &a, sizeof a);
    }
    void set_up(const char* name, bool up) const {
        ifreq one = named(name);
        check(::ioctl(socket_, SIOCGIFFLAGS, &one), "flags");
        one.ifr_flags = static_cast<short>(up ? one.ifr_flags | IFF_UP : one.ifr_flags & ~IFF_UP);
        check(::ioctl(socket_, SIOCSIFFLAGS, &one), "flags");
    }

    int socket_ = -1;
};

/// Calls `f` in a process of its own, since a namespace is for life; gives what it returns. Call it while there is but
/// one thread.
template <class F>
bool in_own_process(F f) {
    std::fflush(stdout);
    const auto parent = ::getpid(), pid = ::fork();
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        bool fine = false;
        try {
            fine = ::getppid() == parent && f();
        } catch (const std::exception& wrong) {
            std::printf("%s\n", wrong.what());
        }
        std::fflush(stdout);
        ::_exit(fine ? 0 : 1);
    }
    int status = 1;
    if (pid < 0 || ::waitpid(pid, &status, 0) != pid) throw std::runtime_error("no process");
    return status == 0;
}

}  // namespace chaos
