// A reverse proxy: gate.hpp and rewrite.hpp say what may pass, stream.hpp waits, proxy.hpp is what weir balances,
// session.hpp serves one connection; here is the command line, and how it all starts and ends.

#include "session.hpp"

#include <CLI/CLI.hpp>

#include <iostream>
#include <thread>

namespace tiny_proxy {

using acceptor = asio::basic_socket_acceptor<tcp, executor>;
using workers = std::vector<std::unique_ptr<worker>>;

std::vector<tcp::endpoint> resolve(const std::string& text, asio::io_context& context) {
    auto host = text.substr(0, text.rfind(':'));
    const auto port = text.substr((std::min)(host.size() + 1, text.size()));
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    error_code ec;
    std::vector<tcp::endpoint> found;
    const bool number = !port.empty() && port.size() < 6 && std::ranges::all_of(port, is_digit);
    if (!host.empty() && number && std::stoi(port) < 65536)
        for (const auto& one : tcp::resolver(context).resolve(host, port, ec)) found.push_back(one.endpoint());
    if (!found.empty()) return found;
    throw std::invalid_argument("'" + text + "': expected HOST:PORT, with a host that resolves and a port up to 65535");
}

backend make_backend(const std::string& text, std::size_t threads, asio::io_context& context, double& weight) {
    const auto where = text.substr(0, text.find(',')), option = text.substr(where.size());
    char* end = nullptr;
    if (option.starts_with(",weight=")) weight = std::strtod(option.c_str() + 8, &end);  // what it may be, weir says
    if (!option.empty() && (end == nullptr || *end != '\0' || option.size() == 8))
        throw std::invalid_argument("'" + text + "': expected HOST:PORT[,weight=N]");
    return {where, resolve(where, context), std::vector<std::vector<backend::idle_connection>>(threads)};
}

acceptor listen(const std::string& text, asio::io_context& context) {
    const auto at = resolve(text, context).front();
    acceptor a(context, at.protocol());
    error_code ec;
    a.set_option(asio::socket_base::reuse_address(true), ec);
    a.bind(at, ec);
    if (!ec) a.listen(asio::socket_base::max_listen_connections, ec);
    if (!ec) return a;
    throw std::invalid_argument("'" + text + "': " + ec.message() + "; expected a free address of this machine");
}

task<> accept(acceptor& a, const workers& all, bool admin) {
    timer pause(all[0]->context);
    for (std::size_t next = 0; a.is_open(); ++next) {
        worker& w = *all[next % all.size()];
        auto [ec, s] = co_await a.async_accept(w.context, as_result);
        if (!ec) co_spawn(w.context, session::serve(w, std::move(s), admin), asio::detached);
        if (!ec) continue;
        pause.expires_after(50ms);  // out of file descriptors, most likely: let some requests end
        co_await pause.async_wait(as_result);
    }
}

void run(int argc, char** argv) {
    workers all;  // first: the backends' idle connections live in the workers' contexts
    proxy p;
    limits& l = p.limits;
    std::string listen_on = "127.0.0.1:8080", admin_on, balance = "round_robin";
    std::vector<std::string> backends;
    std::size_t threads = 1;
    CLI::App app{"A small HTTP/1.1 reverse proxy that balances with weir"};
    app.option_defaults()->always_capture_default();
    app.set_help_flag();
    app.add_flag_callback("--help,-h", [&] { std::exit((std::cout << app.help(), 0)); }, "this text");
    app.add_option("--listen", listen_on, "HOST:PORT to serve; port 0 takes a free one");
    app.add_option("--backend", backends, "HOST:PORT[,weight=N], once for each backend")->required();
    app.add_option("--balance", balance, "the selector, by its name");
    app.add_option("--key", l.key, "what hashing selectors hash: header:NAME, ip or path");
    app.add_option("--threads", threads, "how many threads serve")->check(CLI::Range(1, 1024));
    app.add_option("--max-body", l.max_body, "largest request body, in bytes");
    app.add_option("--admin", admin_on,
                   "loopback HOST:PORT for GET /stats, POST /drain?backend=HOST:PORT, and /undrain");
    const CLI::Range range(1, 86'400'000);
    app.add_option("--connect-timeout", l.connect, "ms until a connect has failed")->check(range);
    app.add_option("--request-timeout", l.request, "ms for a request's head, and for 4 KiB of its body")->check(range);
    app.add_option("--response-timeout", l.response, "ms that a backend may be silent")->check(range);
    app.add_option("--idle-timeout", l.idle, "ms between two requests of a connection")->check(range);
    app.add_option("--grace", l.grace, "ms that running requests get after SIGTERM")->check(range);
    app.parse(argc, argv);
    if (l.key != "ip" && l.key != "path" && (!l.key.starts_with("header:") || l.key.size() == 7))
        throw std::invalid_argument("--key '" + l.key + "': expected header:NAME, ip or path");
    std::string known;
    for (const auto& [name, bind_to] : selectors) {
        if (name == balance) p.pick = bind_to(p.backends);
        known.append(known.empty() ? "" : ", ").append(name);
    }
    if (!p.pick) throw std::invalid_argument("--balance '" + balance + "': expected one of " + known);

    for (std::size_t i = 0; i < threads; ++i) all.push_back(std::make_unique<worker>(p, i));
    auto& first = all[0]->context;
    for (const auto& text : backends) {
        double weight = 1;
        auto b = make_backend(text, threads, first, weight);
        p.backends.add(std::move(b), {.weight = weight});
    }
    auto door = listen(listen_on, first), admin = acceptor(first);
    if (!admin_on.empty()) admin = listen(admin_on, first);
    if (!admin_on.empty() && !admin.local_endpoint().address().is_loopback())
        throw std::invalid_argument("--admin '" + admin_on + "': expected a loopback address, such as 127.0.0.1:PORT");
    if (!admin_on.empty()) std::cout << "admin on http://" << admin.local_endpoint() << '\n';
    std::cout << "listening on http://" << door.local_endpoint() << std::endl;

    // The first signal lets running requests finish, the second does not wait for them.
    asio::basic_signal_set<executor> signals(first, SIGTERM, SIGINT);
    std::function<void(error_code, int)> stop = [&](error_code ec, int) {
        if (ec) return;
        p.cut_off = clock::now() + ms(p.stopping ? 0 : l.grace);
        p.stopping = true;
        door.close(ec);
        admin.close(ec);
        signals.async_wait(stop);
    };
    signals.async_wait(stop);
    co_spawn(first, accept(door, all, false), asio::detached);
    if (admin.is_open()) co_spawn(first, accept(admin, all, true), asio::detached);
    for (auto& w : all)
        co_spawn(w->context, tick(*w), [&](auto&&...) {
            if (w == all[0]) signals.cancel();
        });
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < threads; ++i) others.emplace_back([&w = *all[i]] { w.context.run(); });
    first.run();
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
