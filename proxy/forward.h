// The call goes out and its answer comes back, streamed both ways.
#ifndef REEVE_PROXY_FORWARD_H_
#define REEVE_PROXY_FORWARD_H_

#include "proxy/exchange.h"
#include "proxy/net/asio.h"

namespace reeve {

struct UpstreamFailure {
  std::string_view error;  // as the record names it; empty: the answer's head is here
  int status = 502;
  const char* detail = "";
  bool silent = false;  // not one byte of an answer came
  bool unsent = false;  // nor did one of the call leave
};

// Sends the call upstream and relays the answer to the agent; marks the reservation as sent when
// the first byte leaves. Waits for a place among the upstream's connections, and tries again where
// that does no harm (upstream/README.md), all within the upstream's `timeout`. An upstream that
// fails before its answer begins is answered 502, 503 or 504; after that the agent's connection is
// cut, so that a broken answer never looks whole.
net::Task<void> forward(Exchange& exchange);

// The end of a call that failed so: answered, or cut where its answer has begun.
net::Task<void> answer_failure(Exchange& exchange, UpstreamFailure failure);

}  // namespace reeve

#endif  // REEVE_PROXY_FORWARD_H_
