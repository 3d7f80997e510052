// One endpoint becomes a stream, plain or in TLS.
#ifndef REEVE_PROXY_NET_CONNECT_H_
#define REEVE_PROXY_NET_CONNECT_H_

#include <string>

#include "policy/result.h"
#include "proxy/net/stream.h"

namespace reeve::tls {
class Client;
}

namespace reeve::net {

struct ConnectFailure {
  std::string
      message;       // for the log of the operator: what failed, and the remedy where there is one
  bool tls = false;  // the endpoint was reached, and its TLS was not good enough
  bool ended = false;  // from outside
};

// What a connect waits for, to be closed by whoever ends it from outside: one of them, or neither.
struct Pending {
  Socket* connecting = nullptr;
  Stream* shaking_hands = nullptr;

  void close();
};

// Connects and, with a `client`, shakes hands as it says. No deadline of its own: it is ended from
// outside by closing `pending`. `client` must outlive the stream, `pending` this call.
Task<Result<Stream, ConnectFailure>> connect(Endpoint endpoint, Executor executor,
                                             tls::Client* client, Pending& pending);

}  // namespace reeve::net

#endif  // REEVE_PROXY_NET_CONNECT_H_
