// A bounded queue before a selector: requests wait for room where all backends are at their limit.

#include <weir/weir.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

// [room
template <class Selector>
class waiting_room {
public:
    using lease = weir::lease<typename Selector::backend_type>;
    using request = std::function<void(lease)>;

    template <class Registry>
    waiting_room(Registry& servers, Selector selector, std::size_t most)
        : queue_{std::make_shared<queue>(std::move(selector), most)},
          room_{servers.on_capacity([q = queue_] { q->serve(); })} {}

    /// Starts the request, now or when there is room; false where too many wait already.
    bool submit(request r) {
        {
            const std::lock_guard lock{queue_->mutex};
            if (queue_->waiting.size() >= queue_->most) return false;
            queue_->waiting.push_back(std::move(r));
        }
        queue_->serve();  // picks after having queued: room that is made from now on is told to `serve`
        return true;
    }

private:
    struct queue {
        queue(Selector s, std::size_t n) : selector{std::move(s)}, most{n} {}

        /// For as many as there is room for. Stops at the first that is refused: it will be called again.
        void serve() {
            for (;;) {
                lease place;
                request next;
                {
                    const std::lock_guard lock{mutex};
                    if (waiting.empty()) return;
                    place = selector.pick();
                    if (!place) return;
                    next = std::move(waiting.front());
                    waiting.pop_front();
                }
                next(std::move(place));  // without the lock: a lease that ends here calls `serve`
            }
        }

        Selector selector;
        const std::size_t most;
        std::mutex mutex;
        std::deque<request> waiting;
    };

    // The registry's function owns it, too: a call that another thread has begun may outlast this room.
    std::shared_ptr<queue> queue_;
    weir::subscription room_;
};
// room]

int main() {
    // [use
    weir::registry<std::string> servers;
    servers.add("a", {.max_in_flight = 1});
    servers.add("b", {.max_in_flight = 1});

    waiting_room room{servers, weir::least_connections{servers}, 3};
    std::vector<weir::lease<std::string>> running;
    for (int i = 1; i <= 6; ++i) {
        const bool accepted = room.submit([i, &running](weir::lease<std::string> server) {
            std::cout << "request " << i << " starts\n";
            running.push_back(std::move(server));
        });
        if (!accepted) std::cout << "request " << i << ": 503\n";
    }
    while (!running.empty()) {
        auto done = std::move(running.front());
        running.erase(running.begin());
        done.complete(weir::outcome::success);  // the next one that waits starts in here
    }
    // use]
    return servers.members().front().in_flight == 0 ? 0 : 1;
}
