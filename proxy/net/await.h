// Asio's operations in our coroutines: `co_await timer.async_wait(kAwait)`, or
// `redirect_error(kAwait, ec)` to get an error as a value; without that an error is thrown.
//
// For what is rare: timers, accept, connect, names. Bytes go through Stream (stream.h).
#ifndef REEVE_PROXY_NET_AWAIT_H_
#define REEVE_PROXY_NET_AWAIT_H_

#include <boost/asio/async_result.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/system/system_error.hpp>
#include <tuple>

#include "proxy/net/task.h"

namespace reeve::net {

struct Await {};
inline constexpr Await kAwait{};

namespace detail {

// What the handler of an operation fills in and resumes; in the frame that awaits it.
template <class... Args>
struct Pending {
  void abandoned() {
    // An initiation that throws lets go of its handler, too, and goes on by the exception.
    if (!starting) root->destroy();
  }

  std::coroutine_handle<> frame;
  Root* root = nullptr;
  bool starting = false;
  boost::system::error_code* error = nullptr;
  std::optional<std::tuple<Args...>> result;
};

// The completion handler. One that is destroyed without having been called, as when its context
// ends, destroys the coroutine that waits for it.
template <class... Args>
class Completion {
 public:
  using executor_type = boost::asio::io_context::executor_type;

  explicit Completion(Pending<Args...>& pending) : pending_(&pending) {}
  Completion(Completion&& other) noexcept : pending_(std::exchange(other.pending_, nullptr)) {}
  Completion& operator=(Completion&& other) noexcept {
    std::swap(pending_, other.pending_);
    return *this;
  }
  ~Completion() {
    if (pending_) std::exchange(pending_, nullptr)->abandoned();
  }

  executor_type get_executor() const noexcept { return pending_->root->context->get_executor(); }

  template <class... Given>
  void operator()(Given&&... given) {
    Pending<Args...>& pending = *std::exchange(pending_, nullptr);
    pending.result.emplace(std::forward<Given>(given)...);
    pending.frame.resume();
  }

 private:
  Pending<Args...>* pending_;
};

template <class Initiation, class InitArgs, class... Args>
class Operation {
 public:
  Operation(Initiation initiation, InitArgs args, boost::system::error_code* error)
      : initiation_(std::move(initiation)), args_(std::move(args)) {
    pending_.error = error;
  }

  bool await_ready() noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> frame) {
    pending_.frame = frame;
    pending_.root = frame.promise().root;
    pending_.starting = true;
    std::apply(
        [this](auto&&... args) {
          std::move(initiation_)(Completion<Args...>(pending_), std::move(args)...);
        },
        std::move(args_));
    // It completes on this thread, from the loop: not before this has returned.
    pending_.starting = false;
  }

  auto await_resume() {
    return std::apply([this](auto&&... args) { return this->give(std::move(args)...); },
                      std::move(*pending_.result));
  }

 private:
  void give() {}
  template <class T>
  T give(T value) {
    return value;
  }
  void give(boost::system::error_code ec) { report(ec); }
  template <class T>
  T give(boost::system::error_code ec, T value) {
    report(ec);
    return value;
  }
  void report(boost::system::error_code ec) {
    if (pending_.error) {
      *pending_.error = ec;
    } else if (ec) {
      throw boost::system::system_error(ec);
    }
  }

  Initiation initiation_;
  InitArgs args_;
  Pending<Args...> pending_;
};

}  // namespace detail
}  // namespace reeve::net

template <class... Args>
class boost::asio::async_result<reeve::net::Await, void(Args...)> {
 public:
  template <class Initiation, class... InitArgs>
  static auto initiate(Initiation initiation, reeve::net::Await, InitArgs... args) {
    using All = std::tuple<InitArgs...>;
    return reeve::net::detail::Operation<Initiation, All, std::decay_t<Args>...>(
        std::move(initiation), All(std::move(args)...), nullptr);
  }
};

template <class... Args>
class boost::asio::async_result<boost::asio::redirect_error_t<reeve::net::Await>, void(Args...)> {
 public:
  template <class Initiation, class... InitArgs>
  static auto initiate(Initiation initiation, redirect_error_t<reeve::net::Await> token,
                       InitArgs... args) {
    using All = std::tuple<InitArgs...>;
    return reeve::net::detail::Operation<Initiation, All, std::decay_t<Args>...>(
        std::move(initiation), All(std::move(args)...), &token.ec_);
  }
};

#endif  // REEVE_PROXY_NET_AWAIT_H_
