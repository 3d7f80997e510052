// One table from refusals to answers: problem+json (RFC 9457) for HTTP, JSON-RPC for MCP.
#ifndef REEVE_PROXY_REPLY_H_
#define REEVE_PROXY_REPLY_H_

#include <string>

#include "proxy/exchange.h"

namespace reeve {

// Appends the whole answer to the refused call in `exchange` and sets its status.
void append_refusal(std::string& out, Exchange& exchange);

// The JSON-RPC message that the refused request of an MCP client gets. Requires exchange.message.
std::string refusal_message(const Exchange& exchange);

// Appends an answer to bytes that never became a request: `fault` has the status.
void append_fault(std::string& out, const http::Fault& fault, const CallId& id);

}  // namespace reeve

#endif  // REEVE_PROXY_REPLY_H_
