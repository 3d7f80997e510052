// An MCP request over Streamable HTTP as a call that the policy can judge.
#ifndef REEVE_PROXY_MCP_CALL_H_
#define REEVE_PROXY_MCP_CALL_H_

#include "proxy/exchange.h"
#include "proxy/net/asio.h"

namespace reeve {

// Reads POST (one JSON-RPC message), GET (the server's stream) or DELETE (the end of a session) on
// an MCP upstream's endpoint into exchange.call and exchange.message. False: refused.
net::Task<bool> read_mcp_call(Exchange& exchange);

// Reads connection.work->body into exchange.call and exchange.message; again after guards have
// edited it. False: refused.
bool read_message(Exchange& exchange);

// Decides it: what names a tool, resource or prompt by the rules for it, the protocol's
// housekeeping by whether the agent may use the upstream at all.
void decide_mcp(Exchange& exchange);

}  // namespace reeve

#endif  // REEVE_PROXY_MCP_CALL_H_
