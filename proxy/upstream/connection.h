// One connection to an upstream, with the bytes received and not yet consumed.
#ifndef REEVE_PROXY_UPSTREAM_CONNECTION_H_
#define REEVE_PROXY_UPSTREAM_CONNECTION_H_

#include <chrono>
#include <memory>
#include <string_view>
#include <vector>

#include "proxy/buffers.h"
#include "proxy/clock.h"
#include "proxy/http/parser.h"
#include "proxy/net/stream.h"
#include "proxy/upstream/health.h"

namespace reeve {

struct UpstreamConnection;

// One address of an upstream, and the connections to it. Lives as long as the longest of them.
struct UpstreamAddress : std::enable_shared_from_this<UpstreamAddress> {
  net::asio::ip::tcp::endpoint endpoint;
  size_t site = 0;  // which of the upstream's sites it was found for
  Health health;
  size_t open = 0;                                        // connections, idle ones among them
  std::vector<std::unique_ptr<UpstreamConnection>> idle;  // the one used last comes last
  bool gone = false;  // its name has other addresses now: nothing new is opened, nothing is kept
};

struct UpstreamConnection {
  UpstreamConnection(net::Stream opened, std::shared_ptr<UpstreamAddress> to,
                     const http::HeadLimits& limits, Buffers& from);
  ~UpstreamConnection();

  std::string_view unread() const { return {buffer.get() + begin, end - begin}; }
  void consume(size_t bytes);
  // Makes room and reads once. 0 at the end or on an error.
  net::Task<size_t> fill(net::ErrorCode& ec);
  bool full() const { return begin == 0 && end == buffers.bytes(); }
  // Gives its room back, until the next fill(). Requires that nothing is unread.
  void rest();
  // To be called when a head is complete, while its fields can still be read.
  void remember_head();

  net::Stream stream;
  const std::shared_ptr<UpstreamAddress> address;
  http::ResponseParser parser;
  Buffers& buffers;
  std::unique_ptr<char[]> buffer;  // null until something has come
  size_t begin = 0, end = 0;
  bool reused = false;
  bool probes = false;                    // its call is the one that tries an ejected address
  std::chrono::milliseconds keep_for{0};  // as the upstream announced, or a guess
  Steady idle_until;
};

// How long a connection may be kept after an answer with these fields, by its `Keep-Alive`
// (`timeout=5, max=99`; RFC 2068, 19.7.1.1): a second less than announced, at most a minute; 0 when
// it is not to be used again.
std::chrono::milliseconds keep_alive_time(const http::Fields& fields);

}  // namespace reeve

#endif  // REEVE_PROXY_UPSTREAM_CONNECTION_H_
