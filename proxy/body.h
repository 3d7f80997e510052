// A request's body: read whole where a rule or MCP needs it, else left to be streamed.
#ifndef REEVE_PROXY_BODY_H_
#define REEVE_PROXY_BODY_H_

#include "proxy/exchange.h"
#include "proxy/net/asio.h"

namespace reeve {

// Prepares the decoder from the head's framing.
void start_body(Exchange& exchange);

// Reads the body whole into connection.work->body, within limits.body_bytes and the time limit.
// False: refused (413, 408, 400), and the connection cannot be used again.
net::Task<bool> read_body(Exchange& exchange);

// Parses the buffered body as JSON where its content type says so, for rules to read.
bool read_json_body(Exchange& exchange);

// Reads and drops up to `most` bytes of what is left of the body. False when more is left.
net::Task<bool> drain_body(Exchange& exchange, size_t most);

// The next bytes of the body, from the buffer or the connection; empty at its end (body_complete)
// or on a fault (`fault` set; status 0 with the connection lost).
struct BodyPiece {
  std::string_view data;
  http::Fault fault;
  bool lost = false;
};
net::Step<BodyPiece> next_piece(Exchange& exchange);
// The same without waiting: nothing when bytes have to be read first.
std::optional<BodyPiece> piece_at_hand(Exchange& exchange);

}  // namespace reeve

#endif  // REEVE_PROXY_BODY_H_
