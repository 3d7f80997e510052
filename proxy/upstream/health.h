// What calls have found out about one address of an upstream, and whether the next should go there.
//
// Passive: nothing is sent to find out. An address that fails is left out for a while, which
// doubles with each failure that follows; then one call tries it again while others still avoid it.
// Pure: time and randomness come in as arguments. Not thread-safe: each worker finds out for
// itself.
#ifndef REEVE_PROXY_UPSTREAM_HEALTH_H_
#define REEVE_PROXY_UPSTREAM_HEALTH_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/clock.h"

namespace reeve {

enum class Trouble : uint8_t {
  kConnect,   // refused, not reachable, or did not accept in time
  kTimeout,   // did not answer in time
  kProtocol,  // its answer cannot be read
  kClosed,    // closed a new connection without an answer
  kGateway,   // answered 502, 503 or 504
};
std::string_view to_string(Trouble trouble);

class Health {
 public:
  enum class State : uint8_t {
    kUp,       // what was seen last was good, or nothing was seen yet
    kFailing,  // it failed, less often than would eject it
    kDown,     // it would be ejected, were there another to go to
    kEjected,  // left out until ejected_until()
    kProbing,  // a call is trying it again
  };
  // So many failures on end eject. One is enough where there is no connection: that is certain.
  static constexpr unsigned kTolerated = 3;
  static constexpr std::chrono::milliseconds kFirstEjection{1'000}, kLongestEjection{30'000};

  State state() const;
  // Whether a call should go here: not while it is ejected, nor while another call probes it.
  bool wanted(Steady now) const { return ejected_until_ == Steady{} || may_probe(now); }
  // A call goes here. True when it is the probe; then one of the three below must follow.
  bool begin(Steady now);

  void succeeded(Steady now);
  // `detail` is a sentence for operators. `eject`: whether there is another address to go to;
  // `random` spreads the ends of ejections. Returns whether the address has just been ejected.
  bool failed(Trouble trouble, std::string_view detail, Steady now, bool eject, uint32_t random);
  // The probe ended without telling anything: its agent hung up.
  void forgone() { probing_ = false; }

  unsigned failures() const { return failures_; }    // on end
  uint64_t ejections() const { return ejections_; }  // ever
  Steady ejected_until() const { return ejected_until_; }
  Steady seen_at() const { return seen_at_; }  // the last call that told anything; {} for none
  const std::string& last_error() const { return last_error_; }  // empty for none
  Steady last_error_at() const { return last_error_at_; }

 private:
  bool may_probe(Steady now) const { return now >= ejected_until_ && !probing_; }

  unsigned failures_ = 0;
  bool down_ = false;    // the failures are enough to eject
  unsigned streak_ = 0;  // ejections on end
  uint64_t ejections_ = 0;
  bool probing_ = false;
  Steady ejected_until_{};  // {}: it is not
  Steady seen_at_{}, last_error_at_{};
  std::string last_error_;
};

}  // namespace reeve

#endif  // REEVE_PROXY_UPSTREAM_HEALTH_H_
