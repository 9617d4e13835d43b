#pragma once

// One client's connection: read a request, let weir pick, relay, and tell weir how it ended.
// One co_await a statement, on its own: g++ 12 destroys temporaries of operands that it did not evaluate.

#include "proxy.hpp"
#include "rewrite.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace tiny_proxy {

class session {
public:
    static task<> serve(worker& w, socket s, bool admin) {
        error_code ec;
        s.set_option(tcp::no_delay(true), ec);
        session self(w, std::move(s));
        for (bool open = true; open;) {
            open = co_await self.next_request();
            if (open && admin) open = co_await self.administer();
            if (open && !admin) open = co_await self.answer();
        }
        // To close with bytes unread resets the connection, and may take the reply along: read on for a moment.
        self.client_.sock.shutdown(socket::shutdown_send, ec);
        self.client_.rx.grant(1000);
        for (const auto end = clock::now() + 1s; !ec && clock::now() < end; self.client_.in.clear())
            ec = co_await self.client_.read();
    }

private:
    session(worker& w, socket s) : w_(w), limits_(w.shared.limits), client_(w.streams, std::move(s)) {
        error_code ec;
        ip_ = client_.sock.remote_endpoint(ec).address().to_string();
    }

    task<bool> next_request() {
        client_.tx.grant(limits_.request);
        client_.rx.grant(client_.received == 0 ? limits_.request : limits_.idle);
        client_.idle = client_.in.size() == 0;
        error_code ec = client_.idle && w_.shared.stopping ? asio::error::shut_down : error_code();
        if (client_.idle && !ec) ec = co_await client_.read();
        if (ec) co_return false;
        client_.idle = false;
        client_.rx.grant(limits_.request);
        fault_ = {};
        request_ = {};
        replied_ = false;
        co_await get_head(client_, request_bytes_);
        const bool bare = request_.body == framing::chunked && !request_.expects_continue && client_.in.size() == 0;
        if (!fault_ && bare) ec = co_await client_.read();
        if (ec) blame(client_);
        body_reader trial(request_,
                          limits_.max_body);  // what has come of the body is judged before a backend hears of it
        std::string payload;
        trial.feed(client_.bytes(), payload);
        if (trial.fault()) blame(client_, trial.fault());
        if (!fault_) co_return true;
        co_await respond(fault_.status, std::string(fault_.reason));
        co_return false;  // with whoever sent this we do not agree on where the next request begins
    }

    /// Answers in a backend's place. True if the connection may go on.
    task<bool> respond(int status, std::string text, std::string_view type = "text/plain") {
        if (status == 499) co_return false;  // nobody to tell
        if (status >= 400) ++(status < 500 ? w_.shared.refused : w_.shared.failed);
        if (status >= 400) text = std::to_string(status) + ' ' + text + '\n';
        const bool keep = (status < 400 || status > 500) && request_.keep_alive && request_.body == framing::none;
        head reply;
        reply.status = status;
        reply.fields = {{"Content-Type", type}};
        reply.length = text.size();
        reply.has_length = true;
        const auto bytes = to_client(request_, reply, keep) + (request_.method == "HEAD" ? "" : text);
        const auto ec = co_await client_.write(bytes);
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
            again = co_await respond(fault_.status, std::string(fault_.reason));
            co_return again;
        }
    }

    /// One attempt: a lease is used, and completed with what became of it. True if another attempt would be safe.
    task<bool> try_on(weir::lease<backend>& lease) {
        stream upstream(w_.streams, lease->take(w_.index, w_.context));
        client_.works_for_us = &upstream;
        fault_ = {};
        replying_ = replied_ = false;
        uploaded_ = request_.body == framing::none;
        reused_ = upstream.sock.is_open();
        error_code ec;
        if (!reused_) ec = co_await upstream.connect(lease->endpoints, limits_.connect);
        const bool connected = !ec, uploads = !uploaded_;
        upstream.tx.grant(limits_.response);
        upstream.rx.grant(limits_.response);
        started_ = clock::now();
        const auto head_bytes = to_backend(request_, ip_, lease->address);
        if (connected) ec = co_await upstream.write(head_bytes);
        using namespace asio::experimental::awaitable_operators;
        if (ec) blame(upstream);
        if (!ec && uploads) co_await (upload(upstream) && reply(upstream));
        if (!ec && !uploads) co_await reply(upstream);
        client_.works_for_us = nullptr;
        client_.aborted = client_.left;

        auto outcome = weir::outcome::failure;
        if (!fault_ && response_.status < 500) outcome = weir::outcome::success;
        if (!fault_ && response_.keep_alive && uploaded_ && upstream.in.size() == 0)
            lease->idle[w_.index].push_back({std::move(upstream.sock), clock::now()});
        if (fault_ && fault_.status < 500) outcome = weir::outcome::cancelled;
        if (fault_.status == 504) outcome = weir::outcome::timeout;
        if (fault_.status > 500 && !connected) outcome = weir::outcome::connect_failure;
        if (outcome == weir::outcome::connect_failure && ec != asio::error::no_descriptors)
            w_.shared.backends.set(lease.id(), weir::condition::unreachable);
        lease.complete(outcome, fault_ ? clock::now() - started_ : latency_);
        if (fault_ &&
            replying_) {  // too late for a status: only a reset says, in any framing, that the rest is missing
            client_.sock.set_option(asio::socket_base::linger(true, 0), ec);
            client_.sock.close(ec);
            fault_.status = 499;
        }
        const bool twice = listed(request_.method, {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}) && (!uploads || ec);
        co_return !connected || (fault_.status == 502 && upstream.received == 0 && (twice || upstream.sent == 0));
    }

    /// Remembers who broke the exchange: the first cause, for what follows from it is no news.
    void blame(const stream& s, refusal why = {}) {
        if (fault_ || replied_) return;
        if (why)
            fault_ = {&s == &client_ ? why.status : 502, why.reason};
        else if (&s == &client_ || client_.left)
            fault_ = {client_.rx.expired ? 408 : 499, "client too slow"};
        else if (s.expired())
            fault_ = {504, "backend too slow"};
        else
            fault_ = {502, s.received == 0 ? "no reply from the backend" : "backend broke off"};
    }

    task<> upload(stream& upstream) {
        upstream.rx.grant(forever);  // nobody owes an answer to what is still being asked
        client_.rx.grant(limits_.request);
        error_code ec;
        if (request_.expects_continue && client_.in.size() == 0)
            ec = co_await client_.write("HTTP/1.1 100 Continue\r\n\r\n");
        if (ec)
            blame(client_);
        else
            uploaded_ = co_await relay(client_, body_reader(request_, limits_.max_body), upstream, request_.body, {});
        upstream.rx.grant(limits_.response);
        if (fault_) upstream.abort();
    }

    task<> reply(stream& upstream) {
        do {
            co_await get_head(upstream, response_bytes_);
            error_code ec;
            if (!fault_ && response_.status > 100 && response_.status < 200 && request_.minor == 1)
                ec = co_await client_.write(to_client(request_, response_, true));
            if (ec) blame(client_);
        } while (!fault_ && response_.status < 200);
        if (!fault_) {
            latency_ = clock::now() - started_;
            const auto style = framing_for(request_, response_);
            keep_ = request_.keep_alive && uploaded_ && !w_.shared.stopping && style != framing::until_close;
            auto out = to_client(request_, response_, keep_);
            replying_ = true;
            replied_ = co_await relay(upstream, body_reader(response_), client_, style, std::move(out));
        }
        if (uploaded_) co_return;
        upstream.abort();  // answered or not, nobody wants the rest of the request
        client_.abort();
    }

    /// Takes a whole head out of `s` and has it judged.
    task<> get_head(stream& s, std::string& bytes) {
        refusal fault;
        error_code ec;
        std::size_t seen = 0, end = 0;
        for (; !ec && !(fault = find_head(s.bytes(), seen, end)) && end == 0;) ec = co_await s.read();
        bytes.assign(s.bytes().substr(0, end));
        s.in.consume(end);
        if (end != 0 && &s == &client_) fault = check_request(bytes, request_);
        if (end != 0 && &s != &client_) fault = check_response(bytes, request_.method, response_);
        if (ec || fault) blame(s, fault);
    }

    /// Moves one body in constant memory; `out` goes ahead of it.
    task<bool> relay(stream& from, body_reader body, stream& to, framing style, std::string out) {
        std::string payload;
        for (bool last = false;; out.clear(), payload.clear()) {
            from.in.consume(body.feed(from.bytes(), payload));
            last = last || body.done();
            if (body.fault()) blame(from, body.fault());
            if (body.fault()) co_return false;
            const bool chunk = style == framing::chunked && !payload.empty();
            char size[16];
            if (chunk) out.append(size, std::to_chars(size, size + 16, payload.size(), 16).ptr).append("\r\n");
            out.append(payload)
                .append(chunk ? "\r\n" : "")
                .append(style == framing::chunked && last ? "0\r\n\r\n" : "");
            auto ec = co_await to.write(out);
            if (ec && &to == &client_) blame(to);  // a backend that stops listening may yet say why
            if (ec || last) co_return !ec;
            ec = co_await from.read();
            last = ec == asio::error::eof && body.ends_with_connection();
            if (ec && !last) blame(from);
            if (ec && !last) co_return false;
        }
    }

    /// What the admin address answers. A page that a browser was lured to would name its Origin.
    task<bool> administer() {
        auto& backends = w_.shared.backends;
        const auto verb = request_.target.substr(0, request_.target.find('?'));
        const auto id = backends.find(request_.target.substr(request_.target.find('=') + 1));
        bool post = request_.method == "POST";
        for (const auto& f : request_.fields) post = post && !iequals(f.name, "origin");
        std::pair<int, std::string> answer{200, w_.shared.stats()};
        if (verb != "/stats" && verb != "/drain" && verb != "/undrain")
            answer = {404, "try /stats, /drain or /undrain"};
        else if (verb != "/stats" && !post)
            answer = {405, "changes need POST"};
        else if (verb != "/stats" && !id)
            answer = {404, "unknown backend; expected ?backend=HOST:PORT"};
        else if (verb == "/drain")
            backends.set(*id, weir::condition::draining);
        else if (verb == "/undrain")
            backends.clear(*id, weir::condition::draining);
        const bool open = co_await respond(answer.first, answer.second, "application/json");
        co_return open;
    }

    worker& w_;
    const limits& limits_;
    stream client_;
    std::string ip_, request_bytes_, response_bytes_;
    head request_, response_;
    refusal fault_;
    clock::time_point started_;
    clock::duration latency_{};
    bool keep_ = false, reused_ = false, uploaded_ = false, replying_ = false, replied_ = false;
};

}  // namespace tiny_proxy
