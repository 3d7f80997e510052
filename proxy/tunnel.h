// The bytes of a tunnel, both ways.
#ifndef REEVE_PROXY_TUNNEL_H_
#define REEVE_PROXY_TUNNEL_H_

#include "proxy/exchange.h"
#include "proxy/net/asio.h"

namespace reeve {

// Passes bytes on between the agent, who has been told that the tunnel is open, and `to`, until
// both have ended, one has broken, or a limit has (limits.tunnel_*). Nothing of the agent's is
// passed on before its first flight was looked at: to port 443 it must be TLS for the host that was
// asked for, to other ports TLS must not name another. Counts bytes and says in exchange.error how
// it ended, if not well.
net::Task<void> relay_tunnel(Exchange& exchange, net::Stream& to);

}  // namespace reeve

#endif  // REEVE_PROXY_TUNNEL_H_
