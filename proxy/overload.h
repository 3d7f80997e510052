// What happens to connections for which there is no room: each is told 503 and when to come back,
// and closed. A few are held for a moment so that the answer is read before the close; nothing of
// it waits, so that a storm of connections costs calls in progress next to nothing.
//
// Of one worker; on its thread only.
#ifndef REEVE_PROXY_OVERLOAD_H_
#define REEVE_PROXY_OVERLOAD_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <string_view>
#include <utility>

#include "proxy/clock.h"
#include "proxy/net/stream.h"

namespace reeve {

class Overload {
 public:
  // Holds at most `most_held` connections; keeps one descriptor aside.
  explicit Overload(size_t most_held);
  ~Overload();
  Overload(const Overload&) = delete;
  Overload& operator=(const Overload&) = delete;

  // Says 503 and closes, at once or when the peer has read it. `answer` is false where the peer
  // expects no plain HTTP.
  void turn_away(net::Socket socket, bool answer, Steady now);
  // When accept() fails for want of descriptors, the one kept aside is given up for a moment, so
  // that a connection can be told so, too. False when there was none to accept.
  bool turn_away_next(int listener, bool answer);
  // To be called often: closes those that have read their answer, or had a second for it.
  void sweep(Steady now);
  void close_all() { held_.clear(); }
  // How many were turned away since the last call.
  uint64_t take_count();

 private:
  struct Held {
    Held(net::Socket socket, Steady end) : stream(std::move(socket)), until(end) {}
    net::Stream stream;
    Steady until;
  };
  const size_t most_held_;
  std::list<Held> held_;
  int spare_;  // -1: none
  uint64_t count_ = 0;
};

}  // namespace reeve

#endif  // REEVE_PROXY_OVERLOAD_H_
