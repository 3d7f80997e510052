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
};

// Connects and, with a `client`, shakes hands as it says. No deadline of its own: connect and
// handshake are ended from outside by closing `*pending`, which is null before and after;
// `given_up` is looked at between them. `client` must outlive the stream, `pending` and `given_up`
// this call.
Task<Result<Stream, ConnectFailure>> connect(Endpoint endpoint, Executor executor,
                                             tls::Client* client, Socket** pending,
                                             const bool& given_up);

}  // namespace reeve::net

#endif  // REEVE_PROXY_NET_CONNECT_H_
