// The forward proxy: CONNECT opens a tunnel, an absolute-form request is sent where it names.
#ifndef REEVE_PROXY_FORWARD_PROXY_H_
#define REEVE_PROXY_FORWARD_PROXY_H_

#include "proxy/exchange.h"
#include "proxy/net/asio.h"

namespace reeve {

// Whether the request is one to a forward proxy.
bool asks_forward_proxy(const Exchange& exchange);

// Reads where it wants to go into exchange.destination. False: refused.
bool find_destination(Exchange& exchange);

// Fills exchange.call for `connect` rules.
void read_proxy_call(Exchange& exchange);

// Whether a destination that is given as an address may be dialled at all. False: refused.
bool may_dial(Exchange& exchange);

// Resolves the destination, checks every address, dials what was checked, and then passes bytes on
// both ways (CONNECT) or forwards the call. A destination that cannot be dialled is answered with
// 403, 502 or 504. The reservation is marked as sent once there is a connection.
net::Task<void> forward_to_destination(Exchange& exchange);

}  // namespace reeve

#endif  // REEVE_PROXY_FORWARD_PROXY_H_
