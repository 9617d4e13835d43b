#pragma once

#include "../load/load_index.hpp"

#include <memory>
#include <vector>

// What the registry's writer and the selectors say to each other.
namespace weir::inline WEIR_ABI::detail {

/// What one selector's picks read: the view, and behind it the selector's own table. On lines of its own: where an allocator
/// left it half a line off, a draw was seen to take 0.2 ns more.
struct alignas(cache_line) published_base : retired {
    /// A registry that is gone: nobody.
    constexpr published_base() noexcept = default;
    /// `must_be_eligible`: the policy need not be asked where so many are, be it 0, all members, or all slots.
    published_base(std::size_t must_be_eligible, std::shared_ptr<const view> v, bool seeded)
        : records{v->roster()->records.data()}, words{v->roster()->words.data()}, row{v->roster()->row},
          generations{v->roster()->generations.data()}, slots{v->slots()},
          open{!v->eligible().empty() && v->eligible().size() >= must_be_eligible && !v->limited() && !v->in_panic()},
          plain{open && !seeded}, members{std::move(v)} {
        release = [](retired* self) noexcept { delete static_cast<published_base*>(self); };
    }
    published_base(const published_base&) = delete;
    published_base& operator=(const published_base&) = delete;
    virtual ~published_base() = default;

    record_base* const* const records = nullptr;
    lease_word* const* const words = nullptr;
    const lease_row row{};  // see roster
    const std::uint32_t* const generations = nullptr;
    const std::uint32_t slots = 0;
    const bool open = false;   // whatever the policy chooses by itself may be taken, unless it is excluded
    const bool plain = false;  // ... and random numbers are the thread's own
    const std::shared_ptr<const view> members;
    published_base* sibling = nullptr;  // in the same update's trash
};

/// What one update replaced: freed as one when no reader can see it.
struct trash : retired {
    trash() {
        release = [](retired* self) noexcept { delete static_cast<trash*>(self); };
    }
    trash(const trash&) = delete;
    trash& operator=(const trash&) = delete;
    virtual ~trash() {
        while (replaced != nullptr) {
            const std::unique_ptr<published_base> doomed{replaced};
            replaced = doomed->sibling;
        }
        members.reset();
        for (record_base* r : unpinned) let_go(r);
        if (last != nullptr)
            for (record_base* r : last->roster()->records)
                if (r != nullptr) let_go(r);
    }
    void add(published_base* p) noexcept {
        if (p == nullptr) return;
        p->sibling = replaced;
        replaced = p;
    }

    published_base* replaced = nullptr;
    std::shared_ptr<const view> members;
    std::shared_ptr<const load_index> index;
    std::vector<record_base*> unpinned;
    std::shared_ptr<const view> last;  // of a registry that goes: all its members are let go of

private:
    static void let_go(record_base* r) noexcept {
        if (r->leases().unpin()) r->dispose();
    }
};

/// A selector as the writer sees it. All members are called under the writer's lock.
class attachment {
public:
    attachment() = default;
    attachment(const attachment&) = delete;
    attachment& operator=(const attachment&) = delete;
    virtual ~attachment() = default;

    /// Builds what `commit` publishes. May throw: then the whole update is refused.
    virtual void prepare(const std::shared_ptr<const view>& next) = 0;
    virtual void discard() noexcept = 0;
    virtual void commit(trash& old) noexcept = 0;
    /// The registry is gone: publishes nothing, which reads as an empty pool.
    virtual void close(trash& old) noexcept = 0;
};

}  // namespace weir::inline WEIR_ABI::detail
