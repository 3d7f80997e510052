// See connect.h. Tested end to end by tests/e2e/tls_upstream_test.mjs and unix_test.mjs.
#include "proxy/net/connect.h"

#include "proxy/tls/client.h"

namespace reeve::net {

Task<Result<Stream, ConnectFailure>> connect(Endpoint endpoint, Executor executor,
                                             tls::Client* client, Socket** pending,
                                             const bool& given_up) {
  ErrorCode ec;
  Socket socket(executor);
  *pending = &socket;
  co_await socket.async_connect(endpoint, asio::redirect_error(kAwait, ec));
  *pending = nullptr;
  if (given_up) co_return ConnectFailure{"given up"};
  if (ec) co_return ConnectFailure{ec.message()};
  Stream stream(std::move(socket));
  if (!client) co_return stream;
  *pending = &stream.socket();
  const auto shaken = co_await stream.handshake(client->start(), client->name());
  *pending = nullptr;
  if (given_up) co_return ConnectFailure{"given up"};
  if (!shaken) co_return ConnectFailure{shaken.error().message, true};
  co_return stream;
}

}  // namespace reeve::net
