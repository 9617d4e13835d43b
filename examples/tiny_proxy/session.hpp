#pragma once

// One client's connection: read a request, let weir pick, relay, and tell weir how it ended.
// One co_await a statement, without conditions in it: g++ 12 destroys temporaries of operands that it did not evaluate.

#include "proxy.hpp"
#include "rewrite.hpp"

namespace tiny_proxy {

class session {
public:
    static task<> serve(worker& w, socket s, bool admin) {
        session self(w, std::move(s));
        for (bool open = true; open;) {
            open = co_await self.next_request();
            if (open && admin) open = co_await self.administer();
            if (open && !admin) open = co_await self.answer();
        }
        // To close with bytes unread resets the connection, and may take the reply along: read on for a moment.
        error_code ec;
        self.client_.sock.shutdown(socket::shutdown_send, ec);
        for (const auto end = after(1000); !ec; self.client_.in.clear()) ec = co_await self.client_.read(end);
    }

private:
    session(worker& w, socket s) : w_(w), limits_(w.shared.limits), client_(w.streams, std::move(s)) {
        error_code ec;
        client_.sock.set_option(tcp::no_delay(true), ec);
        ip_ = client_.sock.remote_endpoint(ec).address().to_string();
    }

    task<bool> next_request() {
        fault_ = {};
        request_ = {};
        error_code ec;
        client_.idle = client_.in.size() == 0;
        if (client_.idle && w_.shared.stopping) co_return false;
        const auto patience = after(client_.received == 0 ? limits_.request : limits_.idle);
        if (client_.idle) ec = co_await client_.read(patience);
        if (ec) co_return false;
        client_.idle = false;
        const auto limit = after(limits_.request);
        co_await get_head(client_, request_bytes_, limit);
        const bool bare = request_.body == framing::chunked && !request_.expects_continue && client_.in.size() == 0;
        if (!fault_ && bare) ec = co_await client_.read(limit);
        if (ec) blame(client_);
        body_reader trial(request_,
                          limits_.max_body);  // what has come of the body is judged before a backend hears of it
        std::string payload;
        trial.feed(client_.bytes(), payload);
        if (trial.fault()) blame(client_, trial.fault());
        if (!fault_) co_return true;
        co_await respond(fault_.status, fault_.reason);
        co_return false;  // with whoever sent this we do not agree on where the next request begins
    }

    /// Answers in a backend's place. True if the connection may go on.
    task<bool> respond(int status, std::string_view text, std::string_view type = "text/plain") {
        if (status == 499) co_return false;  // nobody to tell
        if (status >= 400) ++(status < 500 ? w_.shared.refused : w_.shared.failed);
        auto body = std::string(text).append("\n");
        if (status >= 400) body.insert(0, std::to_string(status) + ' ');
        const bool keep = (status < 400 || status > 500) && request_.keep_alive && request_.body == framing::none;
        const auto bytes = own_response(request_, status, type, body, keep);
        const auto ec = co_await client_.write(bytes, after(limits_.request));
        co_return keep && !ec;
    }

    std::optional<std::uint64_t> key() const {
        if (limits_.key == "ip") return weir::hash(ip_);
        if (limits_.key == "path") return weir::hash(request_.target.substr(0, request_.target.find('?')));
        for (const auto& [name, value] : request_.fields)
            if (iequals(name, std::string_view(limits_.key).substr(7))) return weir::hash(value);
        return {};
    }

    task<bool> answer() {
        ++w_.shared.requests;
        reused_ = false;
        std::vector<weir::backend_id> tried;
        for (const auto wanted = key();; ++w_.shared.retried) {
            auto lease = w_.shared.pick({.key = wanted, .exclude = tried});
            if (!lease && reused_) lease = w_.shared.pick({.key = wanted});  // an idle connection died, perhaps no more
            const auto none = lease.error();
            if (!lease) fault_ = {none == weir::pick_error::all_excluded ? 502 : 503, to_string(none)};
            tried.push_back(lease.id());
            bool again = false;
            if (lease) again = co_await try_on(lease);
            if (!fault_) co_return keep_;
            if (again && tried.size() < 3) continue;
            again = co_await respond(fault_.status, fault_.reason);
            co_return again;
        }
    }

    /// One attempt: a lease is used, and completed with what became of it. True if another attempt would be safe.
    task<bool> try_on(weir::lease<backend>& lease) {
        stream upstream(w_.streams, lease->take(w_.index, w_.context));
        client_.works_for_us = &upstream;
        fault_ = {};
        replying_ = false;
        uploaded_ = request_.body == framing::none;
        reused_ = upstream.sock.is_open();
        error_code ec;
        if (!reused_) ec = co_await upstream.connect(lease->endpoints, after(limits_.connect));
        const bool connected = !ec;
        const auto started = clock::now();
        const auto bytes = to_backend(request_, ip_, lease->address);
        if (connected) ec = co_await upstream.write(bytes, after(limits_.response));
        const bool uploads = !ec && !uploaded_;
        if (ec) blame(upstream);
        if (uploads) co_await upload(upstream);
        if (!fault_) co_await reply(upstream);
        client_.works_for_us = nullptr;

        auto outcome = weir::outcome::failure;
        if (!fault_ && response_.status < 500) outcome = weir::outcome::success;
        if (fault_ && fault_.status < 500) outcome = weir::outcome::cancelled;
        if (fault_.status == 504) outcome = weir::outcome::timeout;
        if (fault_.status > 500 && !connected) outcome = weir::outcome::connect_failure;
        if (outcome == weir::outcome::connect_failure && ec != asio::error::no_descriptors)
            w_.shared.backends.set(lease.id(), weir::condition::unreachable);
        if (!fault_ && response_.keep_alive && uploaded_ && upstream.in.size() == 0)
            lease->idle[w_.index].push_back({std::move(upstream.sock), clock::now()});
        lease.complete(outcome, (fault_ ? clock::now() : replied_at_) - started);
        const bool repeatable = listed(request_.method, {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}) && !uploads;
        const bool died = fault_.status == 502 && upstream.received == 0;
        if (!fault_ || !replying_)
            co_return fault_.status > 500 && (!connected || (died && (repeatable || upstream.sent == 0)));
        w_.shared.failed += fault_.status > 500;
        client_.sock.set_option(asio::socket_base::linger(true, 0), ec);
        client_.sock.close(ec);  // too late for a status: only a reset says, in any framing, that the rest is missing
        fault_.status = 499;
        co_return false;
    }

    void blame(const stream& s, refusal why = {}) {
        fault_ = s.expired ? refusal{504, "backend too slow"} : refusal{502, "backend broke off"};
        if (&s == &client_ || client_.left) fault_ = {client_.expired ? 408 : 499, "client too slow"};
        if (why) fault_ = {&s == &client_ ? why.status : 502, why.reason};
    }

    task<> upload(stream& upstream) {
        error_code ec;
        if (request_.expects_continue && client_.in.size() == 0)
            ec = co_await client_.write("HTTP/1.1 100 Continue\r\n\r\n", after(limits_.request));
        if (ec) co_return blame(client_);
        upstream.uploading = true;
        body_reader body(request_, limits_.max_body);
        const auto broken = co_await relay(client_, body, upstream, request_.body, {});
        upstream.uploading = false;
        uploaded_ = broken == nullptr;
        if (!uploaded_ && body.fault())
            blame(client_, body.fault());
        else if (!uploaded_ && stream::peek(upstream.sock) < 0)
            blame(*broken);  // else the backend will say why
    }

    task<> reply(stream& upstream) {
        for (const auto limit = after(limits_.response);;) {
            error_code ec;
            co_await get_head(upstream, response_bytes_, limit);
            if (fault_ || response_.status >= 200) break;
            const auto interim = to_client(request_, response_, true);
            if (response_.status > 100 && request_.minor == 1) ec = co_await client_.write(interim, limit);
            if (ec) co_return blame(client_);
        }
        if (fault_) co_return;
        replied_at_ = clock::now();
        const auto style = framing_for(request_, response_);
        keep_ = request_.keep_alive && uploaded_ && !w_.shared.stopping && style != framing::until_close;
        replying_ = true;
        body_reader body(response_);
        auto out = to_client(request_, response_, keep_);
        const auto broken = co_await relay(upstream, body, client_, style, std::move(out));
        if (broken != nullptr) blame(*broken, body.fault());
    }

    /// Takes a whole head out of `s` and has it judged.
    task<> get_head(stream& s, std::string& bytes, when limit) {
        refusal fault;
        error_code ec;
        std::size_t seen = 0, end = 0;
        while (!ec && !(fault = find_head(s.bytes(), seen, end)) && end == 0) ec = co_await s.read(limit);
        bytes.assign(s.bytes().substr(0, end));
        s.in.consume(end);
        if (end != 0 && &s == &client_) fault = check_request(bytes, request_);
        if (end != 0 && &s != &client_) fault = check_response(bytes, request_.method, response_);
        if (ec || fault) blame(s, fault);
    }

    /// Moves one body in constant memory; `out` goes ahead of it. Gives the side that broke, if one did.
    task<stream*> relay(stream& from, body_reader& body, stream& to, framing style, std::string out) {
        const auto full = ms(&from == &client_ ? limits_.request : limits_.response);
        const auto patience = &to == &client_ ? limits_.request : limits_.response;
        clock::duration left = full;
        std::size_t moved = 0;
        std::string payload;
        for (bool last = false;; out.clear(), payload.clear()) {
            from.in.consume(body.feed(from.bytes(), payload));
            last = last || body.done();
            if (body.fault()) co_return &from;
            const bool chunk = style == framing::chunked && !payload.empty();
            char size[16];
            if (chunk) out.append(size, std::to_chars(size, size + 16, payload.size(), 16).ptr).append("\r\n");
            out.append(payload)
                .append(chunk ? "\r\n" : "")
                .append(style == framing::chunked && last ? "0\r\n\r\n" : "");
            auto ec = co_await to.write(out, after(patience));
            if (ec) co_return &to;
            if (last) co_return nullptr;
            // Only real progress buys more time: who trickles is as late as who is silent.
            if ((moved += payload.size()) >= 4096) left = full;
            moved %= 4096;
            const auto start = clock::now();
            ec = co_await from.read(start + left);
            left -= clock::now() - start;
            last = ec == asio::error::eof && body.ends_with_connection();
            if (ec && !last) co_return &from;
        }
    }

    /// What the admin address answers. A page that a browser was lured to would name its Origin.
    task<bool> administer() {
        auto& backends = w_.shared.backends;
        const auto verb = request_.target.substr(0, request_.target.find('?'));
        const auto id = backends.find(request_.target.substr(request_.target.find('=') + 1));
        const bool foreign = std::ranges::any_of(request_.fields, [](auto& f) { return iequals(f.name, "origin"); });
        const bool post = request_.method == "POST" && !foreign;
        bool done = verb == "/stats";
        if (post && id && verb == "/drain") done = backends.set(*id, weir::condition::draining);
        if (post && id && verb == "/undrain") done = backends.clear(*id, weir::condition::draining);
        const auto text = done ? w_.shared.stats() : "expected GET /stats, POST /drain?backend=HOST:PORT, or /undrain";
        const int status = done ? 200 : post ? 404 : 405;
        done = co_await respond(status, text, "application/json");
        co_return done;
    }

    worker& w_;
    const limits& limits_;
    stream client_;
    std::string ip_, request_bytes_, response_bytes_;
    head request_, response_;
    refusal fault_;
    when replied_at_;
    bool keep_ = false, reused_ = false, uploaded_ = false, replying_ = false;
};

}  // namespace tiny_proxy
