// The call goes out and its answer comes back, streamed both ways.
#ifndef REEVE_PROXY_FORWARD_H_
#define REEVE_PROXY_FORWARD_H_

#include "proxy/exchange.h"
#include "proxy/net/asio.h"

namespace reeve {

// Sends the call upstream and relays the answer to the agent; marks the reservation as sent just
// before the first byte leaves. An upstream that fails before its answer begins is answered 502 or
// 504; after that the agent's connection is cut, so that a broken answer never looks whole.
net::Task<void> forward(Exchange& exchange);

}  // namespace reeve

#endif  // REEVE_PROXY_FORWARD_H_
