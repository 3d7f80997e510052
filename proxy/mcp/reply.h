// reeve's own JSON-RPC answers (../README.md has the table of refusals).
#ifndef REEVE_PROXY_MCP_REPLY_H_
#define REEVE_PROXY_MCP_REPLY_H_

#include <string>
#include <string_view>

#include "proxy/mcp/message.h"

namespace reeve::mcp {

// What a refused call says to its client: never a condition's inner values or another's data.
struct Denial {
  std::string_view text;     // "Denied by policy: finance is off limits (rule x). Do not retry."
  std::string_view effect;   // deny | budget | limit | …
  std::string_view rule;     // id, may be empty
  std::string_view guard;    // that refuses, or empty
  std::string_view call_id;  // UUIDv7, for finding the record
  std::string_view budget;   // with `limit`, `used`, `resets` when money ran out, else empty
  std::string_view limit;
  std::string_view used;
  std::string_view resets;  // RFC 3339
};

// {"jsonrpc":"2.0","id":ID,"error":{…}}; `data` is JSON text or empty.
std::string error_body(std::string_view id_json, int code, std::string_view message,
                       std::string_view data = {});

// A denied tools/call: a result with isError that the model can act on, `_meta` `reeve/decision`,
// and `resultType: complete` in the modern era. Another method's denial: error 403 with the same
// object as `data`. A hidden tool: error -32602 "Unknown tool: NAME", as a server answers; prompts
// likewise; resources: -32002 (legacy) or -32602 "Resource not found" with the URI.
std::string denial_body(const Message& message, const Denial& denial);
std::string hidden_body(const Message& message);

}  // namespace reeve::mcp

#endif  // REEVE_PROXY_MCP_REPLY_H_
