// Tested by tests/proxy/upstream_gate_test.cc.
#include "proxy/upstream/gate.h"

namespace reeve {

Gate::Place Gate::try_enter() {
  if (inside_ >= most_) return {};  // while calls wait, it is full
  ++inside_;
  return Place(*this);
}

net::Task<Gate::Place> Gate::enter(Connection& caller) {
  if (Place place = try_enter()) co_return place;
  if (waiting_.size() >= most_ || caller.given_up) co_return Place();
  Waiting self(context_);
  const auto at = waiting_.insert(waiting_.end(), &self);
  caller.waiting = &self.timer;
  net::ErrorCode ignored;
  self.timer.expires_at(Steady::max());
  co_await self.timer.async_wait(net::asio::redirect_error(net::kAwait, ignored));
  caller.waiting = nullptr;
  if (self.admitted) co_return Place(*this);
  waiting_.erase(at);
  co_return Place();
}

void Gate::leave() {
  if (waiting_.empty()) {
    --inside_;
    return;
  }
  Waiting* next = waiting_.front();
  waiting_.pop_front();
  next->admitted = true;
  next->timer.cancel();
}

}  // namespace reeve
