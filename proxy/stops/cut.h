// The stop as calls meet it: new ones are refused, those under way are cut.
//
// Each worker has a set of stops of its own, replaced on its thread, where it then looks at all of
// its connections: a call that has begun to go out is cut, both sides reset; one that waits (for
// people, a place, a name) is refused. Once a worker has done so, no byte of what is stopped passes
// it. Without any stop a call pays for one look at a null pointer.
#ifndef REEVE_PROXY_STOPS_CUT_H_
#define REEVE_PROXY_STOPS_CUT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/stops.h"

namespace reeve {

struct Exchange;

// What was under way.
struct CutCounts {
  uint64_t calls = 0;    // whose answer had not begun
  uint64_t streams = 0;  // whose answer had
  uint64_t tunnels = 0;
  uint64_t held = 0;  // waited for people

  CutCounts& operator+=(const CutCounts& other) {
    calls += other.calls;
    streams += other.streams;
    tunnels += other.tunnels;
    held += other.held;
    return *this;
  }
};

// One of them.
struct CutCall {
  std::string_view kind;  // call, stream, tunnel, held
  std::string id, agent, upstream, action, target;
};
struct Cut {
  static constexpr size_t kMostNamed = 1000;
  CutCounts counts;
  std::vector<CutCall> calls;  // at most kMostNamed
};
using CutDone = std::function<void(Cut)>;

// Why, as the record names it.
inline constexpr std::string_view kStopped = "stopped";
inline constexpr const char* kStoppedDetail = "Denied: stopped by a person while it was under way";

// The stop that refuses this call of a proven agent, or null.
const policy::Stop* covering(const policy::Stops& stops, const Exchange& exchange);
// Whether the agent has been retired on this sidecar, so that its credentials prove nobody.
bool is_revoked(const Exchange& exchange, uint32_t agent);
// Whether a call may be decided at all: nothing that it is about is stopped. False: refused.
bool not_stopped(Exchange& exchange);
// The same, of a call that has waited since. False: refused.
bool goes_on(Exchange& exchange);

}  // namespace reeve

#endif  // REEVE_PROXY_STOPS_CUT_H_
