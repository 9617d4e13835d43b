#pragma once

// One client's connection: read a request, let weir pick, relay, and tell weir how it ended.

#include "proxy.hpp"
#include "rewrite.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace tiny_proxy {

class session {
public:
    session(worker& w, socket s, std::string ip, bool admin)
        : w_(w), limits_(w.shared.set), client_(w.streams, std::move(s)), ip_(std::move(ip)), admin_(admin) {}

    task<> run() {
        while (open_) {
            // One co_await a statement: g++ 12 destroys temporaries of unevaluated operands.
            open_ = co_await next_request();
            if (open_ && admin_) open_ = co_await administer();
            else if (open_) open_ = co_await answer();
        }
        // To close with bytes unread resets the connection, and may take the reply along: read on for a moment.
        error_code ec;
        client_.sock.shutdown(socket::shutdown_send, ec);
        client_.rx.grant(1);
        for (auto end = clock::now() + std::chrono::seconds(1); !ec && clock::now() < end; client_.in.clear())
            ec = co_await client_.read();
    }

private:
    enum class verdict { keep, close, retry };
    enum class side { none, from, to };

    task<bool> next_request() {
        client_.tx.grant(limits_.request);
        client_.rx.grant(first_ ? limits_.request : limits_.idle);
        client_.idle = client_.in.size() == 0;
        if (client_.idle && w_.shared.stopping) co_return false;
        error_code ec;
        if (client_.idle) ec = co_await client_.read();
        if (ec) co_return false;
        first_ = client_.idle = false;
        client_.rx.grant(limits_.request);
        request_ = {};
        auto fault = co_await read_head(client_, request_bytes_);
        if (!fault) fault = check_request(request_bytes_, request_);
        if (!fault && request_.body == framing::chunked && !request_.expects_continue && client_.in.size() == 0)
            ec = co_await client_.read();
        if (ec) fault = lost_client();
        if (!fault) {  // what has come of the body is judged before a backend hears of the request
            std::string payload;
            body_reader trial(request_, limits_.max_body);
            trial.feed(client_.bytes(), payload);
            fault = trial.fault();
        }
        if (!fault) co_return true;
        ++w_.shared.refused;
        co_return co_await refuse(fault);
    }

    refusal lost_client() const { return client_.rx.expired ? refusal{408, "too slow"} : refusal{499, "gone"}; }

    task<bool> respond(int status, std::string_view type, std::string_view text, bool keep) {
        keep = keep && request_.keep_alive && request_.body == framing::none;
        const auto bytes = own_response(request_, status, type, text, keep);
        const auto ec = co_await client_.write(bytes);
        co_return !ec && keep;
    }

    /// Answers in a backend's place. True if the connection may go on.
    task<bool> refuse(refusal why) {
        if (why.status == 499) co_return false;
        const auto text = std::to_string(why.status) + ' ' + std::string(why.reason) + '\n';
        co_return co_await respond(why.status, "text/plain", text, why.status >= 502);
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
        reused_ = false;
        std::vector<weir::backend_id> tried;
        for (const auto wanted = key();; ++w_.shared.retried) {
            auto lease = w_.shared.pick({.key = wanted, .exclude = tried});
            if (!lease && reused_) lease = w_.shared.pick({.key = wanted});  // its idle connection died, perhaps not it
            auto then = verdict::close;
            const auto id = lease.id();
            if (lease) then = co_await try_on(lease);
            else fault_ = {lease.error() == weir::pick_error::all_excluded ? 502 : 503, to_string(lease.error())};
            if (then == verdict::retry && tried.size() < 2) {
                tried.push_back(id);
                continue;
            }
            if (!fault_) co_return then == verdict::keep;
            ++(fault_.status < 500 ? w_.shared.refused : w_.shared.failed);
            co_return co_await refuse(fault_);
        }
    }

    /// One attempt: a lease is used, and completed with what became of it.
    task<verdict> try_on(weir::lease<backend>& lease) {
        stream upstream(w_.streams, lease->take(w_.index, w_.context));
        client_.works_for_us = &upstream;
        fault_ = reply_fault_ = upload_fault_ = {};
        replying_ = replied_ = client_failed_ = false;
        reused_ = upstream.sock.is_open();
        error_code ec;
        if (!reused_) ec = co_await upstream.connect(lease->endpoints, limits_.connect);
        if (ec && !client_.left) {
            client_.works_for_us = nullptr;
            mark_unreachable(w_, lease.id(), *lease);
            lease.complete(weir::outcome::connect_failure);
            fault_ = {upstream.expired() ? 504 : 502, "connect failed"};
            co_return verdict::retry;
        }
        started_ = clock::now();
        upstream.tx.grant(limits_.response);
        upstream.rx.grant(limits_.response);
        uploading_ = request_.body != framing::none;
        const bool uploads = uploading_;
        const auto head_bytes = to_backend(request_, ip_, lease->address);
        if (!ec) ec = co_await upstream.write(head_bytes);
        const bool written = !ec;
        using namespace asio::experimental::awaitable_operators;
        if (written && uploads) co_await (upload(upstream) && reply(upstream));
        if (written && !uploads) co_await reply(upstream);
        client_.works_for_us = nullptr;
        client_.aborted = client_.left;

        if (replied_) {
            if (response_.keep_alive && !uploading_ && upstream.in.size() == 0)
                lease->idle[w_.index].push_back({std::move(upstream.sock), clock::now()});
            lease.complete(response_.status < 500 ? weir::outcome::success : weir::outcome::failure, latency_);
            co_return keep_ ? verdict::keep : verdict::close;
        }
        const bool clients_fault = client_.left || client_failed_ || upload_fault_;
        if (clients_fault) lease.complete(weir::outcome::cancelled);
        else lease.complete(upstream.expired() ? weir::outcome::timeout : weir::outcome::failure);
        if (replying_) {  // too late for a status: only a reset says, in any framing, that the rest is missing
            client_.sock.set_option(asio::socket_base::linger(true, 0), ec);
            client_.sock.close(ec);
            co_return verdict::close;
        }
        if (upload_fault_) fault_ = upload_fault_;
        else if (clients_fault) fault_ = {499, "gone"};
        else if (upstream.expired()) fault_ = {504, "no reply in time"};
        else if (upstream.received != 0) fault_ = {502, reply_fault_.reason};
        else fault_ = {502, "connection died before a reply"};
        const bool idempotent = listed(request_.method, std::array<std::string_view, 5>{"GET", "HEAD", "OPTIONS", "PUT", "DELETE"});
        const bool safe = upstream.sent == 0 || (idempotent && !(written && uploads));
        const bool died = !clients_fault && !upstream.expired() && upstream.received == 0;
        co_return safe && died ? verdict::retry : verdict::close;
    }

    task<> upload(stream& upstream) {
        upstream.rx.grant(forever);  // nobody owes an answer to what is still being asked
        client_.rx.grant(limits_.request);
        body_reader body(request_, limits_.max_body);
        auto broken = side::from;
        error_code ec;
        if (request_.expects_continue && client_.in.size() == 0)
            ec = co_await client_.write("HTTP/1.1 100 Continue\r\n\r\n");
        if (!ec) broken = co_await relay(client_, body, upstream, request_.body, {});
        uploading_ = broken != side::none;
        upstream.rx.grant(limits_.response);
        if (broken != side::from || client_.aborted) co_return;  // a backend that stopped listening may yet say why
        upload_fault_ = body.fault() ? body.fault() : lost_client();
        upstream.abort();
    }

    task<> reply(stream& upstream) {
        do {
            reply_fault_ = co_await read_head(upstream, response_bytes_);
            if (!reply_fault_) reply_fault_ = check_response(response_bytes_, request_.method, response_);
            if (!reply_fault_ && response_.status > 100 && response_.status < 200 && request_.minor == 1)
                client_failed_ = (co_await client_.write(to_client(request_, response_, true))).failed();
        } while (!reply_fault_ && !client_failed_ && response_.status < 200);
        if (!reply_fault_ && !client_failed_) {
            latency_ = clock::now() - started_;
            const auto style = framing_for(request_, response_);
            keep_ = request_.keep_alive && !uploading_ && !w_.shared.stopping && style != framing::until_close;
            replying_ = true;
            body_reader body(response_);
            const auto broken = co_await relay(upstream, body, client_, style, to_client(request_, response_, keep_));
            client_failed_ = broken == side::to;
            replied_ = broken == side::none;
        }
        if (!uploading_) co_return;
        upstream.abort();
        client_.abort();
    }

    /// Moves one body in constant memory; `out` goes ahead of it. Says which side broke.
    static task<side> relay(stream& from, body_reader& body, stream& to, framing style, std::string out) {
        for (std::string payload;; payload.clear(), out.clear()) {
            from.in.consume(body.feed(from.bytes(), payload));
            if (body.fault()) co_return side::from;
            if (style == framing::chunked && !payload.empty()) {
                char size[16];
                out.append(size, std::to_chars(size, size + 16, payload.size(), 16).ptr).append("\r\n");
                out.append(payload).append("\r\n");
            } else {
                out.append(payload);
            }
            if (style == framing::chunked && body.done()) out.append("0\r\n\r\n");
            if (co_await to.write(out)) co_return side::to;
            if (body.done()) co_return side::none;
            const auto ec = co_await from.read();
            if (ec && !(ec == asio::error::eof && body.end_of_connection())) co_return side::from;
        }
    }

    /// What the admin address answers instead. A page that a browser was lured to names its Origin.
    task<bool> administer() {
        const auto verb = request_.target.substr(0, request_.target.find('?'));
        const auto id = w_.shared.backends.find(request_.target.substr(request_.target.find('=') + 1));
        const bool foreign = std::ranges::any_of(request_.fields, [](auto& f) { return iequals(f.name, "origin"); });
        if (verb == "/stats") co_return co_await respond(200, "application/json", w_.shared.stats(), true);
        if (verb != "/drain" && verb != "/undrain") co_return co_await refuse({404, "try /stats, /drain, /undrain"});
        if (request_.method != "POST" || foreign) co_return co_await refuse({405, "changes need POST"});
        if (!id) co_return co_await refuse({404, "unknown backend: expected ?backend=HOST:PORT"});
        if (verb == "/drain") w_.shared.backends.set(*id, weir::condition::draining);
        else w_.shared.backends.clear(*id, weir::condition::draining);
        co_return co_await respond(200, "text/plain", "done\n", true);
    }

    worker& w_;
    const settings& limits_;
    stream client_;
    const std::string ip_;
    std::string request_bytes_, response_bytes_;
    head request_, response_;
    refusal fault_, reply_fault_, upload_fault_;
    clock::time_point started_;
    clock::duration latency_{};
    const bool admin_;
    bool open_ = true, first_ = true, keep_ = false, reused_ = false, uploading_ = false, replying_ = false, replied_ = false;
    bool client_failed_ = false;
};

}  // namespace tiny_proxy
