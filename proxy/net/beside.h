// Threads beside the event loops, for what may block: name servers, files.
//
// A coroutine on a loop awaits run() and goes on, on its loop, with what the job gave; meanwhile
// the loop is kept running. The threads are started by the first job. Thread-safe.
#ifndef REEVE_PROXY_NET_BESIDE_H_
#define REEVE_PROXY_NET_BESIDE_H_

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "proxy/net/asio.h"

namespace reeve::net {

class Beside {
 public:
  explicit Beside(size_t threads) : count_(threads) {}
  // Waits for the jobs under way; those that wait are dropped, with the coroutines behind them.
  ~Beside() = default;
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;

  template <class Made>
  Task<Made> run(std::function<Made()> job) {
    std::call_once(started_, [this] { threads_.emplace(count_); });
    co_return co_await asio::async_initiate<decltype(kAwait), void(Made)>(
        [this](auto handler, std::function<Made()> what) {
          auto loop = asio::make_work_guard(asio::get_associated_executor(handler));
          asio::post(*threads_, [handler = std::move(handler), loop = std::move(loop),
                                 what = std::move(what)]() mutable {
            asio::post(loop.get_executor(),
                       [handler = std::move(handler), made = what()]() mutable {
                         std::move(handler)(std::move(made));
                       });
          });
        },
        kAwait, std::move(job));
  }

 private:
  const size_t count_;
  std::once_flag started_;
  std::optional<asio::thread_pool> threads_;
};

}  // namespace reeve::net

#endif  // REEVE_PROXY_NET_BESIDE_H_
