// The way of one call: identify, parse, decide, reserve, record, forward, settle, record.
#ifndef REEVE_PROXY_ENFORCER_H_
#define REEVE_PROXY_ENFORCER_H_

#include "proxy/exchange.h"
#include "proxy/net/asio.h"

namespace reeve {

// Handles the call whose head stands in `exchange`, until its last byte is answered. Afterwards
// exchange.keep_alive says whether the connection can carry another. Never throws for bad input.
net::Task<void> handle(Exchange& exchange);

// Both lines for bytes that never became a request; bounded per listener and second.
void record_malformed(Worker& worker, Connection& connection, const CallId& id, policy::Time now,
                      const http::Fault& fault);

}  // namespace reeve

#endif  // REEVE_PROXY_ENFORCER_H_
