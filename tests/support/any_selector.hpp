#pragma once

#include <weir/selector.hpp>

#include <functional>
#include <memory>
#include <utility>

namespace weir_test {

/// Any selector over one type of backend, so that a law is compiled for each of them without their picks being inlined
/// wherever it picks. Copies copy the selector.
template <class Backend>
class any_selector {
public:
    template <class Selector>
    explicit any_selector(Selector s) : impl_{std::make_unique<holder<Selector>>(std::move(s))} {}
    any_selector(const any_selector& other) : impl_{other.impl_->clone()} {}
    any_selector(any_selector&&) noexcept = default;
    any_selector& operator=(const any_selector&) = delete;
    any_selector& operator=(any_selector&&) noexcept = default;
    ~any_selector() = default;

    [[nodiscard]] weir::lease<Backend> pick(const weir::pick_options& options = {}) const noexcept {
        return impl_->pick(options);
    }
    weir::pick_error choose(const weir::pick_options& options, const std::function<void(Backend&)>& f) const {
        return impl_->choose(options, f);
    }
    weir::pick_error choose(const std::function<void(Backend&)>& f) const { return choose({}, f); }
    [[nodiscard]] weir::selector_counts counts() const noexcept { return impl_->counts(); }

private:
    struct base {
        virtual ~base() = default;
        [[nodiscard]] virtual std::unique_ptr<base> clone() const = 0;
        [[nodiscard]] virtual weir::lease<Backend> pick(const weir::pick_options&) const noexcept = 0;
        virtual weir::pick_error choose(const weir::pick_options&, const std::function<void(Backend&)>&) const = 0;
        [[nodiscard]] virtual weir::selector_counts counts() const noexcept = 0;
    };
    template <class Selector>
    struct holder final : base {
        explicit holder(Selector s) : selector{std::move(s)} {}
        [[nodiscard]] std::unique_ptr<base> clone() const override { return std::make_unique<holder>(selector); }
        [[nodiscard]] weir::lease<Backend> pick(const weir::pick_options& options) const noexcept override {
            return selector.pick(options);
        }
        weir::pick_error choose(const weir::pick_options& options,
                                const std::function<void(Backend&)>& f) const override {
            return selector.choose(options, f);
        }
        [[nodiscard]] weir::selector_counts counts() const noexcept override { return selector.counts(); }
        Selector selector;
    };
    std::unique_ptr<base> impl_;
};

}  // namespace weir_test
