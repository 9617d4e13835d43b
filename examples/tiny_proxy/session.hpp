#pragma once

// One client's connection: read a request, let weir pick, relay, and tell weir how it ended.
//
// One co_await a statement, on its own: g++ 12 destroys temporaries of operands that it did not evaluate.

#include "proxy.hpp"
#include "rewrite.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace tiny_proxy {

class session {
public:
    session(worker& w, socket s, std::string ip, bool admin)
        : w_(w), limits_(w.shared.limits), client_(w.streams, std::move(s)), ip_(std::move(ip)), admin_(admin) {}

    task<> run() {
        for (bool open = true; open;) {
            open = co_await next_request();
            if (open && admin_)
                open = co_await administer();
            else if (open)
                open = co_await answer();
        }
        // To close with bytes unread resets the connection, and may take the reply along: read on for a moment.
        error_code ec;
        client_.sock.shutdown(socket::shutdown_send, ec);
        client_.rx.grant(1);
        for (auto end = clock::now() + std::chrono::seconds(1); !ec && clock::now() < end; client_.in.clear())
            ec = co_await client_.read();
    }

private:
    task<bool> next_request() {
        client_.tx.grant(limits_.request);
        client_.rx.grant(first_ ? limits_.request : limits_.idle);
        error_code ec;
        client_.idle = client_.in.size() == 0;
        if (client_.idle && w_.shared.stopping) co_return false;
        if (client_.idle) ec = co_await client_.read();
        if (ec) co_return false;
        first_ = client_.idle = false;
        client_.rx.grant(limits_.request);
        request_ = {};
        fault_ = {};
        co_await get_head(client_, request_bytes_);
        const bool early = request_.body == framing::chunked && !request_.expects_continue && client_.in.size() == 0;
        if (!fault_ && early) ec = co_await client_.read();
        if (ec) note(client_);
        if (!fault_) {  // what has come of the body is judged before a backend hears of the request
            std::string payload;
            body_reader trial(request_, limits_.max_body);
            trial.feed(client_.bytes(), payload);
            fault_ = trial.fault();
        }
        if (!fault_) co_return true;
        co_await respond(fault_.status, fault_.reason);
        co_return false;  // whoever sent this and we do not agree on where the next request begins
    }

    /// Answers in a backend's place. True if the connection may go on.
    task<bool> respond(int status, std::string_view text, std::string_view type = "text/plain") {
        if (status == 499) co_return false;  // nobody to tell
        if (status >= 400) ++(status < 500 ? w_.shared.refused : w_.shared.failed);
        const auto body = status < 400 ? std::string(text) : std::to_string(status) + ' ' + std::string(text) + '\n';
        const bool keep = (status < 400 || (status >= 502 && status <= 504)) && request_.keep_alive &&
                          request_.body == framing::none;
        head reply;
        reply.status = status;
        reply.fields = {{"Content-Type", type}};
        reply.body = framing::length;
        reply.length = body.size();
        reply.has_length = true;
        const auto bytes = to_client(request_, reply, keep) + (request_.method == "HEAD" ? "" : body);
        const auto ec = co_await client_.write(bytes);
        co_return !ec && keep;
    }

    std::optional<std::uint64_t> key() const {
        if (limits_.key == "ip") return weir::hash(ip_);
        if (limits_.key == "path") return weir::hash(request_.target.substr(0, request_.target.find('?')));
        for (auto& [name, value] : request_.fields)
            if (iequals(name, std::string_view(limits_.key).substr(7))) return weir::hash(value);
        return {};
    }

    task<bool> answer() {
        ++w_.shared.requests;
        std::vector<weir::backend_id> tried;
        for (const auto wanted = key();;) {
            auto lease = w_.shared.pick({.key = wanted, .exclude = tried});
            if (!lease && reused_)
                lease = w_.shared.pick({.key = wanted});  // an idle connection died, perhaps not more
            if (!lease)
                co_return co_await respond(lease.error() == weir::pick_error::all_excluded ? 502 : 503,
                                           to_string(lease.error()));
            tried.push_back(lease.id());
            const bool again = co_await try_on(lease);
            if (!fault_) co_return keep_;
            if (!again || tried.size() == 3) co_return co_await respond(fault_.status, fault_.reason);
            ++w_.shared.retried;
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
        if (ec)
            note(upstream);
        else if (uploads)
            co_await (upload(upstream) && reply(upstream));
        else
            co_await reply(upstream);
        client_.works_for_us = nullptr;
        client_.aborted = client_.left;

        if (!fault_) {
            if (response_.keep_alive && uploaded_ && upstream.in.size() == 0)
                lease->idle[w_.index].push_back({std::move(upstream.sock), clock::now()});
            lease.complete(response_.status < 500 ? weir::outcome::success : weir::outcome::failure, latency_);
            co_return false;
        }
        if (replying_) {  // too late for a status: only a reset says, in any framing, that the rest is missing
            client_.sock.set_option(asio::socket_base::linger(true, 0), ec);
            client_.sock.close(ec);
        }
        if (!connected && fault_.status >= 502) {
            if (ec != asio::error::no_descriptors) mark_unreachable(w_, lease.id(), *lease);
            lease.complete(weir::outcome::connect_failure);
            co_return true;
        }
        if (fault_.status < 500)
            lease.complete(weir::outcome::cancelled);
        else
            lease.complete(fault_.status == 504 ? weir::outcome::timeout : weir::outcome::failure);
        const bool twice = listed(request_.method, {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}) && (!uploads || ec);
        co_return fault_.status == 502 && upstream.received == 0 && (twice || upstream.sent == 0);
    }

    /// Remembers who broke the exchange: the first cause, for what follows from it is no news.
    void note(const stream& s) {
        if (fault_ || replied_) return;
        if (&s == &client_ || client_.left)
            fault_ = {client_.rx.expired ? 408 : 499, "too slow"};
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
            note(client_);
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
            if (ec) note(client_);
        } while (!fault_ && response_.status < 200);
        if (!fault_) {
            latency_ = clock::now() - started_;
            const auto style = framing_for(request_, response_);
            keep_ = request_.keep_alive && uploaded_ && !w_.shared.stopping && style != framing::until_close;
            replying_ = true;
            replied_ = co_await relay(upstream, body_reader(response_), client_, style,
                                      to_client(request_, response_, keep_));
        }
        if (uploaded_) co_return;
        upstream.abort();  // answered or not, nobody wants the rest of the request
        client_.abort();
    }

    /// Takes a whole head out of `s` and has it judged.
    task<> get_head(stream& s, std::string& bytes) {
        refusal fault;
        error_code ec;
        for (std::size_t seen = 0, end = 0; !ec && !fault && end == 0;) {
            fault = find_head(s.bytes(), seen, end);
            if (!fault && end == 0) ec = co_await s.read();
            if (end == 0) continue;
            bytes.assign(s.bytes().substr(0, end));
            s.in.consume(end);
            if (&s == &client_)
                fault = check_request(bytes, request_);
            else
                fault = check_response(bytes, request_.method, response_);
        }
        if (ec)
            note(s);
        else if (!fault_ && fault)
            fault_ = {&s == &client_ ? fault.status : 502, fault.reason};
    }

    /// Moves one body in constant memory; `out` goes ahead of it.
    task<bool> relay(stream& from, body_reader body, stream& to, framing style, std::string out) {
        std::string payload;
        for (bool last = false;; payload.clear(), out.clear()) {
            from.in.consume(body.feed(from.bytes(), payload));
            last = last || body.done();
            if (body.fault()) {
                if (!fault_) fault_ = {&from == &client_ ? body.fault().status : 502, body.fault().reason};
                co_return false;
            }
            if (style == framing::chunked && !payload.empty()) {
                char size[16];
                out.append(size, std::to_chars(size, size + 16, payload.size(), 16).ptr).append("\r\n");
                payload.append("\r\n");
            }
            out.append(payload);
            if (style == framing::chunked && last) out.append("0\r\n\r\n");
            auto ec = co_await to.write(out);
            if (ec && &to == &client_) note(to);  // a backend that stops listening may yet say why
            if (ec || last) co_return !ec;
            ec = co_await from.read();
            last = ec == asio::error::eof && body.ends_with_connection();
            if (ec && !last) note(from);
            if (ec && !last) co_return false;
        }
    }

    /// What the admin address answers. A page that a browser was lured to would name its Origin.
    task<bool> administer() {
        auto& backends = w_.shared.backends;
        const auto verb = request_.target.substr(0, request_.target.find('?'));
        const auto id = backends.find(request_.target.substr(request_.target.find('=') + 1));
        const bool foreign = std::ranges::any_of(request_.fields, [](auto& f) { return iequals(f.name, "origin"); });
        refusal no;
        if (verb != "/stats" && verb != "/drain" && verb != "/undrain")
            no = {404, "try /stats, /drain or /undrain"};
        else if (verb != "/stats" && (request_.method != "POST" || foreign))
            no = {405, "changes need POST"};
        else if (verb != "/stats" && !id)
            no = {404, "unknown backend; expected ?backend=HOST:PORT"};
        else if (verb == "/drain")
            backends.set(*id, weir::condition::draining);
        else if (verb == "/undrain")
            backends.clear(*id, weir::condition::draining);
        co_return co_await respond(no ? no.status : 200, no ? no.reason : w_.shared.stats(), "application/json");
    }

    worker& w_;
    const limits& limits_;
    stream client_;
    const std::string ip_;
    const bool admin_;
    std::string request_bytes_, response_bytes_;
    head request_, response_;
    refusal fault_;
    clock::time_point started_;
    clock::duration latency_{};
    bool first_ = true, keep_ = false, reused_ = false, uploaded_ = false, replying_ = false, replied_ = false;
};

}  // namespace tiny_proxy
