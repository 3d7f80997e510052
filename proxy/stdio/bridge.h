// `reeve stdio`: an MCP server on standard input and output whose calls go to a running sidecar.
#ifndef REEVE_PROXY_STDIO_BRIDGE_H_
#define REEVE_PROXY_STDIO_BRIDGE_H_

#include <optional>
#include <string>
#include <string_view>

#include "proxy/config.h"
#include "proxy/http/message.h"

namespace reeve::stdio {

struct BridgeConfig {
  Address sidecar;
  std::string upstream;
  std::string agent;  // who the caller says it is; the sidecar refuses another
  std::string token;  // proves it; empty: what else proves it must do
  size_t body_bytes = 8 * 1024 * 1024;
};

// The field by which a caller says whom it means to be: a credential that proves another agent is
// then refused, instead of acting in that one's name.
inline constexpr std::string_view kExpectedAgentField = "reeve-expect-agent";

// What of a client's line the bridge must know to send it. Nothing when it is no JSON-RPC message.
struct Outgoing {
  std::string method;   // empty: a response
  std::string id;       // JSON text; empty: a notification
  std::string id_key;   // see mcp::id_key
  std::string name;     // what Mcp-Name mirrors, in the modern era
  std::string version;  // of params._meta, in the modern era; else empty
  std::string cancels;  // id_key of the request that a notifications/cancelled is about
  bool modern() const { return !version.empty(); }
};
std::optional<Outgoing> read_outgoing(std::string_view line);

// A header value that mirrors `text`: itself where it can stand there, else in base64 (SEP-2243).
std::string mirror(std::string_view text);

// The protocol version that an answer to initialize agreed on; empty when it is none.
std::string agreed_version(std::string_view answer);

// Serves until standard input ends; returns the exit code. Blocks.
int run_bridge(const BridgeConfig& config);

}  // namespace reeve::stdio

#endif  // REEVE_PROXY_STDIO_BRIDGE_H_
