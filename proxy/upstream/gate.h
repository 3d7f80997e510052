// How many calls may have a connection to an upstream at once, and who is next.
//
// First come, first served: a place that becomes free goes to the call that waits longest, and none
// that comes meanwhile can take it. As many calls may wait as may be inside. Of one worker.
#ifndef REEVE_PROXY_UPSTREAM_GATE_H_
#define REEVE_PROXY_UPSTREAM_GATE_H_

#include <list>
#include <utility>

#include "proxy/connection.h"
#include "proxy/net/asio.h"

namespace reeve {

class Gate {
 public:
  // A place inside; leaves when it is destroyed. The gate must outlive it.
  class Place {
   public:
    Place() = default;
    explicit Place(Gate& gate) : gate_(&gate) {}
    Place(Place&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(gate_, other.gate_);
      return *this;
    }
    ~Place() {
      if (gate_ != nullptr) gate_->leave();
    }
    explicit operator bool() const { return gate_ != nullptr; }

   private:
    Gate* gate_ = nullptr;
  };

  Gate(net::asio::io_context& context, size_t most) : context_(context), most_(most) {}

  // Empty when there is no place at once.
  Place try_enter();
  // Waits for a place. Empty when as many wait already as may, or the caller was given up or its
  // time was over meanwhile (caller.waiting is cancelled from outside).
  net::Task<Place> enter(Connection& caller);

  size_t inside() const { return inside_; }
  size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    explicit Waiting(net::asio::io_context& context) : timer(context) {}
    net::Timer timer;
    bool admitted = false;
  };

  void leave();

  net::asio::io_context& context_;
  const size_t most_;
  size_t inside_ = 0;
  std::list<Waiting*> waiting_;  // in the frames of those who wait, the longest first
};

}  // namespace reeve

#endif  // REEVE_PROXY_UPSTREAM_GATE_H_
