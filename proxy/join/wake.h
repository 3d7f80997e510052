// One coroutine waits, others tell it that there is something to see.
#ifndef REEVE_PROXY_JOIN_WAKE_H_
#define REEVE_PROXY_JOIN_WAKE_H_

#include <boost/asio/post.hpp>
#include <memory>

#include "proxy/clock.h"
#include "proxy/connection.h"
#include "proxy/net/asio.h"

namespace reeve::join {

class Wake : public std::enable_shared_from_this<Wake> {
 public:
  explicit Wake(net::asio::io_context& context) : context_(context), timer_(context) {}

  // On the context's thread.
  void set() {
    set_ = true;
    timer_.cancel();
  }
  // From any thread.
  void post() {
    net::asio::post(context_, [self = shared_from_this()] { self->set(); });
  }
  // Until set() or `until`; whether it was set, which this forgets. With `waits`, also until that
  // connection is cut.
  net::Task<bool> wait(Steady until, Connection* waits = nullptr) {
    if (!set_ && (waits == nullptr || !waits->agent_gone)) {
      net::ErrorCode ignored;
      timer_.expires_at(until);
      if (waits != nullptr) waits->waiting = &timer_;
      co_await timer_.async_wait(net::asio::redirect_error(net::kAwait, ignored));
      if (waits != nullptr) waits->waiting = nullptr;
    }
    co_return std::exchange(set_, false);
  }

 private:
  net::asio::io_context& context_;
  net::Timer timer_;
  bool set_ = false;
};

}  // namespace reeve::join

#endif  // REEVE_PROXY_JOIN_WAKE_H_
