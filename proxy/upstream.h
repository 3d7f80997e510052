// Connections to one upstream, kept alive and used again; one pool per worker thread.
#ifndef REEVE_PROXY_UPSTREAM_H_
#define REEVE_PROXY_UPSTREAM_H_

#include <memory>
#include <string>
#include <vector>

#include "policy/result.h"
#include "proxy/clock.h"
#include "proxy/config.h"
#include "proxy/http/parser.h"
#include "proxy/metrics.h"
#include "proxy/net/stream.h"
#include "proxy/stdio/server.h"

namespace reeve {

// One connection to an upstream, with the bytes received and not yet consumed.
struct UpstreamConnection {
  UpstreamConnection(net::Socket socket, const http::HeadLimits& limits);

  std::string_view unread() const { return {buffer.get() + begin, end - begin}; }
  void consume(size_t bytes);
  // Makes room and reads once. 0 at the end or on an error.
  net::Task<size_t> fill(net::ErrorCode& ec);
  bool full() const { return begin == 0 && end == capacity; }
  // To be called when a head is complete, while its fields can still be read.
  void remember_head();

  net::Stream stream;
  http::ResponseParser parser;
  std::unique_ptr<char[]> buffer;
  size_t capacity, begin = 0, end = 0;
  bool reused = false;
  std::chrono::milliseconds keep_for{0};  // as the upstream announced, or a guess
  Steady idle_until;
};

class Upstream {
 public:
  Upstream(const UpstreamConfig& config, Label label, const http::HeadLimits& limits,
           net::asio::io_context& context, stdio::Server& servers);
  ~Upstream();

  const UpstreamConfig& config() const { return config_; }
  Label label() const { return label_; }

  // An idle connection that is still open, or a new one. `fresh` asks for a new one. The error is a
  // sentence for the log. A connect under way is ended from outside by closing `*pending`; a name
  // that is being resolved cannot be, so `given_up` is looked at when it has been.
  net::Task<Result<std::unique_ptr<UpstreamConnection>>> connect(bool fresh, net::Socket** pending,
                                                                 const bool& given_up);
  // Connects to these addresses only; nothing is resolved.
  void pin(std::vector<net::asio::ip::tcp::endpoint> addresses);
  // Gives a connection back whose last message ended cleanly.
  void keep(std::unique_ptr<UpstreamConnection> connection, Steady now);
  // Closes connections that have been idle for too long.
  void sweep(Steady now);
  void close_idle() { idle_.clear(); }

 private:
  net::Task<net::ErrorCode> resolve();
  Result<std::unique_ptr<UpstreamConnection>> connect_to_command();

  const UpstreamConfig& config_;
  const Label label_;
  const http::HeadLimits limits_;
  net::asio::io_context& context_;
  stdio::Server& servers_;  // those that are started by a command
  std::vector<std::unique_ptr<UpstreamConnection>> idle_;
  std::vector<net::asio::ip::tcp::endpoint> resolved_;  // of config_.host
  Steady resolved_until_;
};

}  // namespace reeve

#endif  // REEVE_PROXY_UPSTREAM_H_
