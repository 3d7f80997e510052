// HTTP+SSE (2024-11-05) for agents that speak no Streamable HTTP: GET /UPSTREAM/sse, or /mcp/sse,
// opens a stream whose first event names where messages are posted, and on which answers come.
//
// Each message becomes a call of its own to /UPSTREAM, or /mcp, on a connection inside the process
// and with what proved the agent when it was posted; so it is judged, paid, recorded and guarded
// there, and nothing here decides about it. A session is its agent's, unguessable, and ends with
// its stream. Tested end to end by tests/e2e/sse_endpoint_test.mjs.
#ifndef REEVE_PROXY_STDIO_SSE_ENDPOINT_H_
#define REEVE_PROXY_STDIO_SSE_ENDPOINT_H_

#include <memory>
#include <string>

#include "proxy/exchange.h"
#include "proxy/net/asio.h"

namespace reeve::stdio {

// Whether the path is such an endpoint of an MCP upstream or of /mcp.
bool is_sse_endpoint(const Exchange& exchange);

struct SseSession;

// One request to it.
class SseCall {
 public:
  explicit SseCall(Exchange& exchange) : x_(exchange) {}

  // GET: whether the agent may use what is behind it. POST: takes the message into its session,
  // whose stream has the answer. False: exchange.refusal says why not.
  net::Task<bool> read();
  // It opens a stream, which has lines of its own in the record; a message has those of its call.
  bool stands_alone() const { return session_ == nullptr; }
  // Answers it: the stream until it ends, or 202.
  net::Task<void> run();

 private:
  bool may_open();
  net::Task<bool> take_message();
  net::Task<void> accept();
  net::Task<void> stream();

  Exchange& x_;
  std::string target_;                   // of the calls: /UPSTREAM or /mcp
  std::shared_ptr<SseSession> session_;  // of a message
};

}  // namespace reeve::stdio

#endif  // REEVE_PROXY_STDIO_SSE_ENDPOINT_H_
