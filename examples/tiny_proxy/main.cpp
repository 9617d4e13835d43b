// A reverse proxy in six files: gate.hpp and rewrite.hpp say what may pass, stream.hpp waits, proxy.hpp is what weir
// balances, session.hpp serves one connection; here is the command line, and how it all starts and ends.

#include "session.hpp"

#include <CLI/CLI.hpp>

#include <iostream>
#include <thread>

namespace tiny_proxy {

using acceptor = asio::basic_socket_acceptor<tcp, executor>;
using workers = std::vector<std::unique_ptr<worker>>;

/// HOST:PORT, with brackets around an IPv6 HOST.
inline std::vector<tcp::endpoint> resolve(const std::string& text, asio::io_context& context) {
    const auto colon = (std::min)(text.rfind(':'), text.size());
    auto host = text.substr(0, colon), port = text.substr((std::min)(colon + 1, text.size()));
    if (host.starts_with('[') && host.ends_with(']'))
        host = host.substr(1, host.size() - 2);
    else if (host.find(':') != host.npos)
        host.clear();
    if (host.empty() || port.empty() || port.size() > 5 || !std::ranges::all_of(port, is_digit) ||
        std::stoi(port) > 65535)
        throw std::invalid_argument("'" + text + "' is no address: expected HOST:PORT with a port up to 65535");
    error_code ec;
    std::vector<tcp::endpoint> found;
    for (const auto& entry : tcp::resolver(context).resolve(host, port, ec)) found.push_back(entry.endpoint());
    if (found.empty()) throw std::invalid_argument("'" + text + "' does not resolve: " + ec.message());
    return found;
}

/// HOST:PORT[,weight=N]; what a weight may be, weir says.
inline void add_backend(proxy& p, const std::string& text, std::size_t threads, asio::io_context& context) {
    const auto where = text.substr(0, text.find(','));
    const auto option = text.substr(where.size());
    double weight = 1;
    char* end = nullptr;
    if (option.starts_with(",weight=")) weight = std::strtod(option.c_str() + 8, &end);
    if (!option.empty() && (end == nullptr || *end != '\0' || option.size() == 8))
        throw std::invalid_argument("'" + text + "' is no backend: expected HOST:PORT[,weight=N]");
    backend b{where, resolve(where, context), {}};
    b.idle.resize(threads);
    p.backends.add(std::move(b), {.weight = weight});
}

inline acceptor listen(const std::string& text, worker& w) {
    const auto at = resolve(text, w.context).front();
    acceptor a(w.context);
    a.open(at.protocol());
    a.set_option(asio::socket_base::reuse_address(true));
    error_code ec;
    a.bind(at, ec);
    if (!ec) a.listen(asio::socket_base::max_listen_connections, ec);
    if (ec)
        throw std::invalid_argument("cannot listen on '" + text + "': " + ec.message() + ", expected a free address");
    return a;
}

inline task<> serve(worker& w, socket s, bool admin) {
    error_code ec;
    const auto peer = s.remote_endpoint(ec).address();
    s.set_option(tcp::no_delay(true), ec);
    co_await session(w, std::move(s), peer.to_string(), admin).run();
}

inline task<> accept(acceptor& a, const workers& all, bool admin) {
    timer pause(all[0]->context);
    for (std::size_t next = 0; a.is_open(); ++next) {
        worker& w = *all[next % all.size()];
        auto [ec, s] = co_await a.async_accept(w.context, as_result);
        if (!ec) {
            co_spawn(w.context, serve(w, std::move(s), admin), asio::detached);
        } else if (a.is_open()) {  // out of file descriptors, most likely: let some requests end
            pause.expires_after(std::chrono::milliseconds(50));
            co_await pause.async_wait(as_result);
        }
    }
}

void run(int argc, char** argv) {
    limits set;
    std::string listen_on = "127.0.0.1:8080", admin_on, balance = "round_robin";
    std::vector<std::string> backends;
    std::size_t threads = 1;
    CLI::App app{"A small HTTP/1.1 reverse proxy that balances with weir"};
    app.option_defaults()->always_capture_default();
    app.add_option("--listen", listen_on, "HOST:PORT to serve; port 0 takes a free one");
    app.add_option("--backend", backends, "HOST:PORT[,weight=N], once for each backend")->required();
    app.add_option("--balance", balance, "the selector, by its name");
    app.add_option("--key", set.key, "what hashing selectors hash: header:NAME, ip or path");
    app.add_option("--threads", threads, "how many threads serve")->check(CLI::Range(1, 1024));
    app.add_option("--max-body", set.max_body, "largest request body in bytes");
    app.add_option("--admin", admin_on,
                   "loopback HOST:PORT: GET /stats, POST /drain?backend=HOST:PORT, POST /undrain?...");
    const auto range = [](const std::string& text) {  // CLI::Range lets a NaN pass
        const auto value = std::strtod(text.c_str(), nullptr);
        return value >= 0.001 && value <= 86400 ? "" : "'" + text + "' is not a time from 0.001 to 86400 seconds";
    };
    app.add_option("--connect-timeout", set.connect, "seconds until a connect has failed")->check(range);
    app.add_option("--request-timeout", set.request, "seconds for a head, and for 4 KiB of a body")->check(range);
    app.add_option("--response-timeout", set.response, "seconds a backend may be silent")->check(range);
    app.add_option("--idle-timeout", set.idle, "seconds between two requests of a connection")->check(range);
    app.add_option("--grace", set.grace, "seconds that running requests get after SIGTERM")->check(range);
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        std::cout << app.help();
        return;
    }
    if (set.key != "ip" && set.key != "path" && (!set.key.starts_with("header:") || set.key.size() == 7))
        throw std::invalid_argument("--key '" + set.key + "' is unknown: expected header:NAME, ip or path");
    const auto chosen = std::ranges::find(selectors, balance, [](auto& s) { return s.first; });
    if (chosen == std::end(selectors)) {
        std::string known;
        for (auto& s : selectors) known.append(known.empty() ? "" : ", ").append(s.first);
        throw std::invalid_argument("--balance '" + balance + "' is unknown: expected one of " + known);
    }

    workers all;  // before the proxy: its backends' idle connections live in the workers' contexts
    proxy p;
    p.limits = set;
    for (std::size_t i = 0; i < threads; ++i) all.push_back(std::make_unique<worker>(p, i));
    auto& main_context = all[0]->context;
    for (const auto& text : backends) add_backend(p, text, threads, main_context);
    p.pick = chosen->second(p.backends);

    auto door = listen(listen_on, *all[0]), admin = acceptor(main_context);
    co_spawn(main_context, accept(door, all, false), asio::detached);
    if (!admin_on.empty()) {
        admin = listen(admin_on, *all[0]);
        if (!admin.local_endpoint().address().is_loopback())
            throw std::invalid_argument("--admin '" + admin_on +
                                        "' is not loopback: expected 127.0.0.1:PORT or [::1]:PORT");
        co_spawn(main_context, accept(admin, all, true), asio::detached);
        std::cout << "admin on http://" << admin.local_endpoint() << std::endl;
    }
    std::cout << "listening on http://" << door.local_endpoint() << std::endl;

    // The first signal lets running requests finish, the second does not wait for them.
    asio::basic_signal_set<executor> signals(main_context, SIGTERM, SIGINT);
    std::function<void(error_code, int)> stop = [&](error_code ec, int) {
        if (ec) return;
        p.cut_off = clock::now() + std::chrono::duration_cast<clock::duration>(seconds(p.stopping ? 0 : set.grace));
        p.stopping = true;
        door.close(ec);
        admin.close(ec);
        signals.async_wait(stop);
    };
    signals.async_wait(stop);
    co_spawn(main_context, tick(*all[0]), [&](const std::exception_ptr&) { signals.cancel(); });
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < threads; ++i) {
        co_spawn(all[i]->context, tick(*all[i]), asio::detached);
        others.emplace_back([&context = all[i]->context] { context.run(); });
    }
    main_context.run();
}

}  // namespace tiny_proxy

int main(int argc, char** argv) {
    try {
        tiny_proxy::run(argc, argv);
        return 0;
    } catch (const std::exception& wrong) {
        std::cerr << "tiny_proxy: " << wrong.what() << '\n';
        return 2;
    }
}
