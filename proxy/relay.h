// An upstream's answer on its way to the agent: passed through, event by event, or filtered.
#ifndef REEVE_PROXY_RELAY_H_
#define REEVE_PROXY_RELAY_H_

#include "proxy/exchange.h"
#include "proxy/net/asio.h"
#include "proxy/server_watch.h"

namespace reeve {

enum class RelayEnd : uint8_t {
  kWhole,    // the answer is complete; the upstream's connection may be kept
  kRefused,  // nothing was sent to the agent: the answer cannot be passed on
  kBroken,   // cut short, by either side
  kGuarded,  // cut short by a guard
};

// Relays the answer whose head `from` has parsed. One buffer's worth is in memory at a time: the
// next bytes are read when the last have been taken, so a slow agent slows its upstream. `watch` is
// null but for MCP upstreams.
net::Task<RelayEnd> relay(Exchange& exchange, UpstreamConnection& from, ServerWatch* watch);

}  // namespace reeve

#endif  // REEVE_PROXY_RELAY_H_
