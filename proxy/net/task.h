// The coroutines of the proxy.
//
// A Task starts when it is awaited, and whoever awaits it goes on when it ends: by symmetric
// transfer, so chains of any depth need no stack, and without a turn through an executor.
// Exceptions come out of the co_await. A Task owns its frame: one that is destroyed while it is
// suspended destroys what it awaits, inside out.
//
// spawn() starts one that nobody awaits. All of a spawned task runs on the thread of its context.
#ifndef REEVE_PROXY_NET_TASK_H_
#define REEVE_PROXY_NET_TASK_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "proxy/net/frames.h"

namespace reeve::net {

// What was spawned: the outermost frame of a chain of tasks. Each frame of the chain knows it.
struct Root {
  boost::asio::io_context* context = nullptr;
  std::coroutine_handle<> frame;

  // Ends the whole chain where it is suspended. Its end is not reported.
  void destroy() { frame.destroy(); }
};

// A part of every promise.
struct Promise {
  static void* operator new(size_t size) { return Frames::take(size); }
  static void operator delete(void* frame, size_t size) noexcept { Frames::give(frame, size); }

  std::coroutine_handle<> awaiting;
  Root* root = nullptr;
};

template <class T>
class Task;

namespace detail {

struct Resume {
  bool await_ready() noexcept { return false; }
  template <class P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> ended) noexcept {
    return ended.promise().awaiting;
  }
  void await_resume() noexcept {}
};

template <class T>
struct TaskPromise : Promise {
  Task<T> get_return_object() noexcept;
  std::suspend_always initial_suspend() noexcept { return {}; }
  Resume final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { failure = std::current_exception(); }
  template <class U>
  void return_value(U&& value) {
    result.emplace(std::forward<U>(value));
  }
  T take() {
    if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
    return std::move(*result);
  }

  std::optional<T> result;
  std::exception_ptr failure;
};

template <>
struct TaskPromise<void> : Promise {
  Task<void> get_return_object() noexcept;
  std::suspend_always initial_suspend() noexcept { return {}; }
  Resume final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { failure = std::current_exception(); }
  void return_void() noexcept {}
  void take() {
    if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
  }

  std::exception_ptr failure;
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;

  Task() = default;
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~Task() {
    if (frame_) frame_.destroy();
  }

  class Awaiter;
  Awaiter operator co_await() && noexcept { return Awaiter(std::move(*this)); }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_;
};

// Owns what is awaited, whose frame is gone as soon as its result has been used.
template <class T>
class Task<T>::Awaiter {
 public:
  explicit Awaiter(Task&& task) noexcept : task_(std::move(task)) {}

  bool await_ready() noexcept { return false; }
  template <class P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> awaiting) noexcept {
    promise_type& promise = task_.frame_.promise();
    promise.awaiting = awaiting;
    promise.root = awaiting.promise().root;
    return task_.frame_;
  }
  T await_resume() { return task_.frame_.promise().take(); }

 private:
  Task task_;
};

// The result of a step that seldom waits: there already, or a task that brings it. A function that
// returns one needs no frame where it need not wait.
template <class T>
class [[nodiscard]] Step {
 public:
  Step(T value) : value_(std::move(value)) {}     // NOLINT(google-explicit-constructor)
  Step(Task<T> task) : task_(std::move(task)) {}  // NOLINT(google-explicit-constructor)

  bool await_ready() const noexcept { return value_.has_value(); }
  template <class P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> awaiting) noexcept {
    return task_.await_suspend(awaiting);
  }
  T await_resume() { return value_ ? std::move(*value_) : task_.await_resume(); }

 private:
  std::optional<T> value_;
  typename Task<T>::Awaiter task_{{}};
};

namespace detail {

template <class T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

// The outermost coroutine. Its frame ends with it; until it is started, the handle owns it.
struct Spawned {
  struct promise_type : Promise {
    promise_type() { root = &own; }
    Spawned get_return_object() noexcept {
      own.frame = std::coroutine_handle<promise_type>::from_promise(*this);
      return {&own};
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void unhandled_exception() noexcept { std::terminate(); }  // on_end has thrown
    void return_void() noexcept {}

    Root own;
  };
  Root* root;
};

template <class OnEnd>
Spawned run_to_end(Task<void> task, OnEnd on_end) {
  std::exception_ptr failure;
  try {
    co_await std::move(task);
  } catch (...) {
    failure = std::current_exception();
  }
  on_end(std::move(failure));
}

// Starts what was spawned, or destroys it when the context ends first.
class Start {
 public:
  Start(Root* root, boost::asio::io_context& context) : root_(root) { root->context = &context; }
  Start(Start&& other) noexcept : root_(std::exchange(other.root_, nullptr)) {}
  Start& operator=(Start&&) = delete;
  ~Start() {
    if (root_) root_->destroy();
  }
  void operator()() { std::exchange(root_, nullptr)->frame.resume(); }

 private:
  Root* root_;
};

}  // namespace detail

// Runs `task` on the context's thread, from its next turn on; then calls `on_end` with what it
// threw, or null. When the context is destroyed first, so is the task, and `on_end` is not called.
template <class OnEnd>
void spawn(boost::asio::io_context& context, Task<void> task, OnEnd on_end) {
  boost::asio::post(
      context, detail::Start(detail::run_to_end(std::move(task), std::move(on_end)).root, context));
}

inline void spawn(boost::asio::io_context& context, Task<void> task) {
  spawn(context, std::move(task), [](const std::exception_ptr&) {});
}

}  // namespace reeve::net

#endif  // REEVE_PROXY_NET_TASK_H_
