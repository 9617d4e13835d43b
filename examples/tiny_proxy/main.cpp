// A reverse proxy: gate.hpp and rewrite.hpp say what may pass, proxy.hpp has what connections share, session.hpp serves
// one of them; here is the command line, and how it all starts and ends.

#include "../common/program.hpp"
#include "session.hpp"

#include <thread>

namespace tiny_proxy {

void run(const options& set) {
    if (set.backends.empty()) throw std::invalid_argument("no --backend: expected HOST:PORT[,weight=N], once or more");
    std::vector<std::unique_ptr<worker>> all;  // first: the backends' idle connections live in the workers' contexts
    proxy p{set};
    for (std::size_t i = 0; i < set.threads; ++i) all.push_back(std::make_unique<worker>(p, i));
    for (const auto& text : set.backends) {
        double weight = 1;  // what it may be, weir says
        const auto where = read_settings(text, "HOST:PORT[,weight=N]", {{"weight", number(weight)}});
        p.backends.add({where, resolve(where), decltype(backend::idle)(set.threads)}, {.weight = weight});
    }
    auto& first = all[0]->context;
    p.health.emplace(first.get_executor(), p.backends, set.health, [](const backend& b) { return b.endpoints; });
    const auto next = [&all, turn = std::size_t{0}]() mutable -> worker& { return *all[turn++ % all.size()]; };
    auto door = listen(first, set.listen), admin = tcp_acceptor(first);
    if (!set.admin.empty()) {
        admin = listen(first, set.admin);
        if (!admin.local_endpoint().address().is_loopback())
            throw std::invalid_argument("'" + set.admin + "': expected a loopback address, such as 127.0.0.1:PORT");
        std::cout << "admin on http://" << admin.local_endpoint() << '\n';
        co_spawn(first, accept(admin, next, session::serve<&session::administered>), asio::detached);
    }
    std::cout << "listening on http://" << door.local_endpoint() << std::endl;
    const auto stop = [&p](std::exception_ptr) { p.stopping = true; };  // each thread ends with its last connection
    co_spawn(first, accept(door, next, session::serve<&session::proxied>), stop);
    signal_set signals(first, SIGTERM, SIGINT);
    signals.async_wait([&](error_code ec, int) {
        p.cut_off = after(set.grace_ms);
        door.close(ec);
        admin.close(ec);
        signals.clear(ec);  // a second signal waits for nobody
    });
    for (auto& w : all) co_spawn(w->context, tick(*w), asio::detached);
    std::vector<std::jthread> threads;
    try {
        for (auto& w : all) threads.emplace_back([&context = w->context] { context.run(); });
    } catch (const std::system_error&) {
        p.cut_off = clock::now(), p.stopping = true;
        throw std::invalid_argument(std::to_string(set.threads) + " threads: expected fewer; no more can be started");
    }
}

}  // namespace tiny_proxy

int main(int argc, char** argv) {
    tiny_proxy::options set;
    const auto about = "A small HTTP/1.1 reverse proxy that balances with weir. A client that half-closes has gone.";
    examples::program app{"tiny_proxy", about};
    const auto is_key = [](const std::string& text) {
        return text == "ip" || text == "path" || (text.starts_with("header:") && tiny_proxy::is_token(text.substr(7)));
    };
    const CLI::Range time(1, 86'400'000);
    app.add_option("--listen", set.listen, "HOST:PORT to serve; port 0 takes a free one");
    app.add_option("--backend", set.backends, "HOST:PORT[,weight=N], once for each backend");
    app.add_option("--balance", set.balance, "the selector: " + examples::all_balancer_names());
    app.add_option("--key", set.key, "what to hash: header:NAME, ip or path (the default, but for ip_hash)")
        ->check(examples::accepts(is_key, "header:NAME, ip or path"));
    set.health.add_to(app);
    app.add_option("--retries", set.retries, "on other backends, where safe; refused connects have 2 at least")
        ->check(CLI::Range(0, 7));
    app.add_option("--sticky", set.sticky, "the cookie that keeps sessions on their backends")
        ->check(examples::accepts(tiny_proxy::is_token, "a cookie's name, such as weir"));
    app.add_option("--threads", set.threads, "how many threads serve")->check(CLI::Range(1, 1024));
    app.add_option("--max-body", set.max_body, "largest request body, in bytes")->check(CLI::Range(INT64_MAX));
    app.add_option("--admin", set.admin, "loopback HOST:PORT: GET /stats, POST /drain?backend=ONE, /undrain, /remove");
    app.add_option("--connect-timeout", set.health.connect_ms, "ms until a connect has failed")->check(time);
    app.add_option("--request-timeout", set.request_ms, "ms for a request's head, or 4 KiB of its body")->check(time);
    app.add_option("--response-timeout", set.response_ms, "ms that a backend may be silent")->check(time);
    app.add_option("--idle-timeout", set.idle_ms, "ms between two requests of a connection")->check(time);
    app.add_option("--grace", set.grace_ms, "ms that running requests get after SIGTERM")->check(time);
    return app.run(argc, argv, [&] { set.key = examples::key_for(set.balance, set.key), run(set); });
}
