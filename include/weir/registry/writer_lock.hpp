#pragma once

#include "../detail/error.hpp"

#include <atomic>
#include <mutex>
#include <thread>

namespace weir::inline WEIR_ABI::detail {

/// What serialises the writers of one registry, and knows whether the calling thread is the one that writes.
class writer_mutex {
public:
    [[nodiscard]] bool is_mine() const noexcept {
        // Relaxed: a thread sees what it wrote itself, and whatever else it sees is not its own id.
        return writer_.load(std::memory_order_relaxed) == std::this_thread::get_id();
    }

private:
    friend class writer_lock;
    std::mutex mutex_;
    std::atomic<std::thread::id> writer_{};
};

/// Holds it. A thread that holds it already is told so, by std::logic_error, instead of waiting for itself.
class writer_lock {
public:
    writer_lock(writer_mutex& m, const char* what) : held_{m} {
        if (m.is_mine())
            misuse(what, " inside a registry's update waits for itself; use the verbs of the change that it is given");
        m.mutex_.lock();
        m.writer_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    }
    ~writer_lock() {
        held_.writer_.store(std::thread::id{}, std::memory_order_relaxed);
        held_.mutex_.unlock();
    }
    writer_lock(const writer_lock&) = delete;
    writer_lock& operator=(const writer_lock&) = delete;

private:
    writer_mutex& held_;
};

}  // namespace weir::inline WEIR_ABI::detail
