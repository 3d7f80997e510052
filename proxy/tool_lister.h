// Asks an upstream for its tools on behalf of a call, as its agent would: in the agent's session,
// or by itself in the modern era. What the server says there is for nobody but the lock.
#ifndef REEVE_PROXY_TOOL_LISTER_H_
#define REEVE_PROXY_TOOL_LISTER_H_

#include "policy/result.h"
#include "proxy/exchange.h"
#include "proxy/mcp/pin_sighting.h"
#include "proxy/net/asio.h"

namespace reeve {

// Every page is a call of its own in the record (`reason` is pin, `for` the call that it is for).
// All pages within the upstream's `timeout`, of at most limits.body_bytes together. The error is a
// sentence for the operator, and `sighting` then worth nothing.
net::Task<Result<bool>> list_tools(Exchange& exchange, mcp::Sighting& sighting);

}  // namespace reeve

#endif  // REEVE_PROXY_TOOL_LISTER_H_
