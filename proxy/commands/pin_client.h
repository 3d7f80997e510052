// Asks an MCP server over Streamable HTTP for its tools, in either era: what `reeve pin` needs of a
// client, and no more. Runs an event loop of its own until it has the answer. A server that is
// started by a command is started for it, and ended.
#ifndef REEVE_PROXY_COMMANDS_PIN_CLIENT_H_
#define REEVE_PROXY_COMMANDS_PIN_CLIENT_H_

#include <chrono>
#include <string>
#include <vector>

#include "policy/result.h"
#include "proxy/config.h"
#include "proxy/mcp/pin.h"

namespace reeve::commands {

struct ServerTools {
  mcp::PinLock lock;
  std::vector<mcp::PinReader::Hidden> hidden;
  std::string protocol;  // the revision that was spoken
};

// First as 2026-07-28 (server/discover); a server that does not know it is spoken to as 2025-11-25
// (initialize, a session). Pages are followed to the end, of at most `limits.body_bytes` each. The
// error is a sentence for a person. `timeout` is for all of it.
Result<ServerTools> ask_for_tools(const Config& config, const UpstreamConfig& upstream,
                                  std::chrono::milliseconds timeout);

}  // namespace reeve::commands

#endif  // REEVE_PROXY_COMMANDS_PIN_CLIENT_H_
