// See connect.h. Tested end to end by tests/e2e/tls_upstream_test.mjs and unix_test.mjs.
#include "proxy/net/connect.h"

#include "proxy/tls/client.h"

namespace reeve::net {

void Pending::close() {
  ErrorCode ignored;
  if (connecting) connecting->close(ignored);
  if (shaking_hands) shaking_hands->close(true);
}

Task<Result<Stream, ConnectFailure>> connect(Endpoint endpoint, Executor executor,
                                             tls::Client* client, Pending& pending) {
  ErrorCode ec;
  Socket socket(executor);
  pending.connecting = &socket;
  co_await socket.async_connect(endpoint, asio::redirect_error(kAwait, ec));
  pending.connecting = nullptr;
  if (ec == asio::error::operation_aborted || (!ec && !socket.is_open())) {
    co_return ConnectFailure{"did not accept in time", false, true};
  }
  if (ec) co_return ConnectFailure{ec.message()};
  Stream stream(std::move(socket));
  if (!client) co_return stream;
  pending.shaking_hands = &stream;
  const auto shaken = co_await stream.handshake(client->start(), client->name());
  pending.shaking_hands = nullptr;
  if (!stream.is_open()) {
    co_return ConnectFailure{"did not shake hands in time", false, true};
  }
  if (!shaken) co_return ConnectFailure{shaken.error().message, true};
  co_return stream;
}

}  // namespace reeve::net
