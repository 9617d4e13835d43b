#pragma once

// One client's connection: read a request, let weir pick, relay, and tell weir how it ended.
// A co_await is never conditional within its statement: g++ 12 destroys temporaries of operands it did not evaluate.

#include "proxy.hpp"
#include "rewrite.hpp"

namespace tiny_proxy {

class session {
public:
    template <auto Answer>  // `proxied` or `administered`
    static task<> serve(worker& w, tcp_socket s) {
        session self(w, std::move(s));
        while (co_await self.next_request())
            if (!co_await (self.*Answer)()) break;
        // To close with bytes unread resets the connection, and may take the reply along: read on for a moment.
        error_code ec;
        self.client_.sock.shutdown(tcp_socket::shutdown_send, ec);
        for (const auto end = after(1000); !ec; self.client_.in.clear()) ec = co_await self.client_.read(end);
    }

    /// Sends a request to a backend, and to another if that is safe.
    task<bool> proxied() {
        ++shared_.requests;
        reused_ = false;
        refusal fault;
        unsigned moved = 0;  // to another backend: at most as often as asked, or twice where a connect was refused
        for (weir::retry attempts(shared_.retries);; ++moved) {
            weir::pick_options how{.key_text = key(), .exclude = attempts.tried(), .session = token()};
            auto lease = shared_.pick(how);
            if (!lease && reused_) how.exclude = {}, lease = shared_.pick(how);  // perhaps only an idle connection died
            if (!lease) co_return co_await respond({fault ? fault.status : 503, to_string(lease.error())});
            if (moved > 0) ++shared_.retried;
            const bool known = shared_.set.sticky.empty() || lease.reason() == weir::pick_reason::sticky;
            cookie_ = known ? "" : shared_.set.sticky + '=' + shared_.sessions.token(lease.identity());
            fault = co_await try_on(lease);
            if (!fault) co_return keep_;
            if (refused_ && !shared_.backends.in_panic() && moved < (std::max)(2u, shared_.set.retries))
                continue;  // it got nothing: the next is no retry
            const bool more = again_ && moved < shared_.set.retries;
            const auto time = more ? attempts.again(lease.id(), clock::now().time_since_epoch()) : std::nullopt;
            if (!time) co_return co_await respond(fault);
            co_await pause(*time);
        }
    }

    /// What the admin address answers. A page that a browser was lured to would name its Origin.
    task<bool> administered() {
        auto& backends = shared_.backends;
        const auto verb = request_.target.substr(0, request_.target.find('?'));
        const auto id = backends.find(request_.target.substr(request_.target.find('=') + 1));
        const bool post = request_.method == "POST" && request_.values("origin").empty();
        bool done = verb == "/stats";
        if (post && id && verb == "/drain") done = backends.set(*id, weir::condition::draining);
        if (post && id && verb == "/undrain") done = backends.clear(*id, weir::condition::draining);
        if (post && id && verb == "/remove") done = backends.remove(*id);
        const auto text = done ? shared_.stats() : "expected GET /stats, POST /drain?backend=ONE, /undrain, /remove";
        co_return co_await respond({done ? 200 : post ? 404 : 405, text});
    }

private:
    session(worker& w, tcp_socket s)
        : w_(w), shared_(w.shared), client_(w.streams, std::move(s), shared_.set.request_ms, 408, 499) {
        error_code ec;
        client_.sock.set_option(tcp::no_delay(true), ec);
        ip_ = client_.sock.remote_endpoint(ec).address().to_string();
    }

    task<bool> next_request() {
        error_code ec;
        refusal fault;
        client_.pointless = [this] { return shared_.stopping.load(); };
        const auto idle = after(client_.received == 0 ? shared_.set.request_ms : shared_.set.idle_ms);
        if (client_.in.size() == 0) ec = co_await client_.read(idle);
        if (ec) co_return false;
        client_.pointless = nullptr;
        try {
            request_ = {};
            const auto limit = after(shared_.set.request_ms);
            co_await client_.read_head(request_bytes_, limit);
            check_request(request_bytes_, request_);
            // What has come of the body is judged before a backend hears of it.
            const bool bare = request_.body == framing::chunked && !request_.expects_continue && client_.in.size() == 0;
            if (bare) ec = co_await client_.read(limit);
            if (ec) client_.fail();
            std::string payload;
            body_reader(request_, shared_.set.max_body).feed(client_.bytes(), payload);
            co_return true;
        } catch (const refusal& why) {
            fault = why;
        }
        request_.keep_alive = false;  // with whoever sent this we do not agree on where the next request begins
        co_return co_await respond(fault);
    }

    /// Answers in a backend's place. True if the connection may go on.
    task<bool> respond(refusal what) {
        error_code ec;
        if (replying_) client_.sock.set_option(asio::socket_base::linger(true, 0), ec);
        if (replying_) client_.sock.close(ec);  // too late: only a reset says, in any framing, that the rest is missing
        if (replying_ || what.status == 499) co_return false;
        const bool keep = request_.keep_alive && request_.body == framing::none;
        const auto body = (what.status < 400 ? "" : std::to_string(what.status) + ' ').append(what.reason).append("\n");
        head h{.status = what.status, .length = body.size()};
        h.fields = {{"Content-Type", what.status < 400 ? "application/json" : "text/plain"}};
        const auto bytes = to_client(request_, h, keep).append(request_.method == "HEAD" ? "" : body);
        co_await client_.write(bytes);
        co_return keep;
    }

    std::string_view key() const {  // the text that selectors hash; empty: none
        if (shared_.set.key == "ip") return ip_;
        if (shared_.set.key == "path") return std::string_view(request_.target).substr(0, request_.target.find('?'));
        const auto values = request_.values(std::string_view(shared_.set.key).substr(7));  // header:NAME
        return values.empty() ? std::string_view() : values[0];
    }

    std::string_view token() const {  // of a backend, as our cookie has it; empty: none
        for (auto one : elements(request_.values("cookie"), ';'))
            if (one.substr(0, one.find('=')) == shared_.set.sticky) return one.substr(one.find('=') + 1);
        return {};
    }

    /// One attempt: a lease is used, and completed with what became of it. Says afterwards if another would be safe.
    task<refusal> try_on(weir::lease<backend>& lease) {
        stream upstream(w_.streams, lease->take(w_.index, w_.context), shared_.set.response_ms, 504, 502);
        upstream.pointless = [this] { return peek(client_.sock) == 0; };
        reused_ = upstream.sock.is_open();
        uploaded_ = request_.body == framing::none;
        bool connected = reused_;
        const auto started = clock::now();
        refusal fault;
        try {
            if (!connected) co_await upstream.connect(lease->endpoints, shared_.set.health.connect_ms);
            connected = true;
            const auto bytes = to_backend(request_, ip_, lease->address);
            co_await upstream.write(bytes);
            if (!uploaded_) co_await upload(upstream);
            co_await reply(upstream, lease.id());
        } catch (const refusal& why) {
            fault = why;
        }
        const bool clients = fault.status == 408 || fault.status == 499;
        if (fault && upstream.received != 0 && !clients && fault.status != 504)
            fault.status = 502;  // what the gate refuses of a reply is its backend's fault
        if (fault && peek(client_.sock) == 0) fault.status = 499;
        auto how = response_.status < 500 ? weir::outcome::success : weir::outcome::failure;
        if (response_.status >= 502 && response_.status <= 504) how = weir::outcome::gateway_failure;
        if (fault) how = fault.status > 500 ? weir::outcome::failure : weir::outcome::cancelled;
        if (fault.status == 504) how = weir::outcome::timeout;
        if (fault.status > 500 && !connected) how = weir::outcome::connect_failure;
        if (how == weir::outcome::connect_failure) shared_.backends.set(lease.id(), weir::condition::unreachable);
        if (!fault && response_.keep_alive && uploaded_ && upstream.in.size() == 0)
            lease->idle[w_.index].emplace_back(std::move(upstream.sock), clock::now());
        lease.complete(how, (fault ? clock::now() : replied_at_) - started);
        const bool died = fault.status == 502 && upstream.received == 0, whole = request_.body == framing::none;
        const bool repeatable = whole && listed(request_.method, {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"});
        refused_ = fault.status == 502 && !connected;
        again_ = fault.status > 500 && (!connected || (died && (repeatable || upstream.sent == 0)));
        co_return fault;
    }

    task<> upload(stream& upstream) {
        refusal fault;
        if (request_.expects_continue) co_await client_.write("HTTP/1.1 100 Continue\r\n\r\n");
        client_.pointless = [&] { return peek(upstream.sock) >= 0; };  // answered already: nobody needs the rest
        try {
            co_await relay(client_, body_reader(request_, shared_.set.max_body), upstream, request_.body, {});
        } catch (const refusal& why) {
            fault = why;
        }
        client_.pointless = nullptr;
        uploaded_ = !fault;
        if (fault && peek(upstream.sock) < 0) throw fault;  // else the backend will say why
    }

    task<> reply(stream& upstream, weir::backend_id from) {
        const auto limit = after(shared_.set.response_ms);
        for (response_ = {}; response_.status < 200;) {
            co_await upstream.read_head(response_bytes_, limit);
            check_response(response_bytes_, request_.method, response_);
            const bool interim = response_.status > 100 && response_.status < 200 && request_.minor == 1;
            if (interim) co_await client_.write(to_client(request_, response_, true));
        }
        replied_at_ = clock::now();
        shared_.reports.take(from, response_.values(load_report_field));
        if (!cookie_.empty())
            response_.fields.emplace_back("Set-Cookie", cookie_.append("; HttpOnly; Path=/; SameSite=Lax"));
        const auto style = framing_for(request_, response_);
        keep_ = request_.keep_alive && uploaded_ && !shared_.stopping && style != framing::until_close;
        co_await relay(upstream, body_reader(response_), client_, style, to_client(request_, response_, keep_));
        replying_ = false;
    }

    /// Moves one body in constant memory; `out` goes ahead of it.
    task<> relay(stream& from, body_reader body, stream& to, framing style, std::string out) {
        // A request that trickles is as late as one that is silent; a response may, for that is what events do.
        const std::size_t progress = &from == &client_ ? 4096 : 1;
        auto limit = after(from.patience);
        std::size_t moved = 0;
        std::string payload;
        for (bool last = false;; out.clear(), payload.clear()) {
            from.in.consume(body.feed(from.bytes(), payload));
            last = last || body.done();
            add_piece(out, payload, style, last);
            replying_ = replying_ || &to == &client_;
            co_await to.write(out);
            if (last) co_return;
            if ((moved += payload.size()) >= progress) limit = after(from.patience);
            moved %= progress;
            const auto ec = co_await from.read(limit);
            last = ec == asio::error::eof && body.ends_with_connection();
            if (ec && !last) from.fail();
        }
    }

    worker& w_;
    proxy& shared_;
    stream client_;
    std::string ip_, request_bytes_, response_bytes_, cookie_;
    head request_, response_;
    when replied_at_;
    bool reused_ = false, uploaded_ = false, replying_ = false, keep_ = false, again_ = false, refused_ = false;
};

}  // namespace tiny_proxy
